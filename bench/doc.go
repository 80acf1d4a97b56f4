// Package bench measures the proxy beside others in one run: a direct connection, HAProxy, stock Toxiproxy and a bare Go proxy, each as a
// process of its own, one after the other in each round. It has tests only, judges no figure, and refuses to be imported.
package bench
