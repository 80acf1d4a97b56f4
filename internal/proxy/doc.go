// Package proxy puts a proxy before one dependency: it accepts and dials itself, copies from one epoll thread (little at a time) or in the kernel (much)
// while no fault treats a connection's bytes, and lets them pass a chain of Toxiproxy's toxics while one does.
//
// Toxiproxy's own Proxy and ToxicLink are not used: the one dials in the accept loop without a timeout, accepts while the upstream is down and ends for
// good on EMFILE; the other waits for running toxics when one is added, and releases what they hold. Faults are put in dormant and flipped by Arm and
// Lift, so that a chunk that passed the gate while a fault was on meets it.
//
// It knows no kinds of fault, no phases and no verdicts. Except for the tests of Toxiproxy's API it is the only package that imports Toxiproxy.
package proxy
