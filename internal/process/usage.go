package process

import (
	"errors"
	"net/netip"
)

// ErrGone is wrapped by the errors of Usage, Sockets and Descriptors when the service has exited, noticed or not.
var ErrGone = errors.New("it has exited")

// Usage is what a service and its children hold at one moment.
type Usage struct {
	// FDs, Threads and RSS (bytes; shared pages count once per process) are
	// sums over the main process and its children.
	FDs, Threads int
	RSS          int64
	// PeakRSS is the largest resident set, in bytes, that any single process
	// of them ever had.
	PeakRSS int64
	// Children counts the processes besides the main one.
	Children int
}

// Descriptors tells the open file descriptors of a service and its children apart by what they are. A socket that two of them share
// counts for both.
type Descriptors struct {
	// Files have a path; Pipes have not; Sockets are no TCP sockets, or in another network namespace; Other is the rest: event
	// queues, timers and so on.
	Files, Pipes, Sockets, Other int
	// TCP are the TCP sockets.
	TCP []Socket
}

// Socket is one TCP socket; State is the kernel's name, such as ESTABLISHED,
// CLOSE_WAIT or LISTEN.
type Socket struct {
	Local, Remote netip.AddrPort
	State         string
}
