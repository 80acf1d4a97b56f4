// Package process launches the service under test and knows, at every
// instant, exactly what the service has said and tried so far.
//
// It owns the service's process group, its two output pipes, its sd_notify
// socket and, on Linux, the interception of its connect(2) calls by a seccomp
// filter. A Gate ties them together: whoever holds the gate has read all that
// the service had written up to then, so a connect that follows a log line is
// never seen before it. The package also ends what it started: the group, the
// children that left the group or the session, and, through a Guard in a
// process of its own, everything that a killed runner left behind.
//
// What it refuses to do:
//   - it never interprets a line, a datagram or an address: phases, faults and
//     verdicts belong to other packages;
//   - it never waits for "any child" (wait4(-1)) and never signals a process
//     that it cannot show to belong to one it started;
//   - it never lets an observer slow the service down: a full disk or a long
//     line costs the observer, not the service;
//   - it never installs the seccomp filter in the runner itself: the filter
//     lives on one thread, and in what that thread started.
//
// The runner becomes the reaper of orphans (PR_SET_CHILD_SUBREAPER). Other
// code of the same program that starts commands must wait for them promptly: a
// zombie child that leads a group or session of its own and is still there
// after a second is taken for an orphan of a service, and is collected.
//
// Connections that are made without connect(2) are not seen by the
// interceptor: io_uring's IORING_OP_CONNECT, TCP Fast Open by sendto(2), and
// datagrams of sockets that are not connected.
package process
