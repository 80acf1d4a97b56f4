// Package proxy puts a proxy before one dependency: it accepts and dials itself, and lets every connection's bytes pass a
// chain of Toxiproxy's toxics of its own.
//
// All faults of a proxy are in the chains from the start, dormant; Arm and Lift only flip them, so that nothing is
// added while bytes flow (AddToxic waits for running toxics) and a chunk that passed the gate while a fault was on meets it. Toxiproxy's own
// Proxy.Start is not used: it dials in the accept loop without a timeout, accepts while the upstream is down, and ends for good on EMFILE.
//
// It knows no kinds of fault, no phases and no verdicts. It is the only package that imports Toxiproxy.
package proxy
