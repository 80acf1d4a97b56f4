package process

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// MarkerVariable is the environment variable that carries the marker of a
// trial into every process the service starts.
const MarkerVariable = "CHAOS_TRIAL"

// ErrNoInterceptor is wrapped by Start's error, with the reason, when
// connect(2) cannot be intercepted here. The same Spec without Decide works.
var ErrNoInterceptor = errors.New("the connect interceptor is not available")

// Credential names the user and group to run a service as.
type Credential struct{ UID, GID uint32 }

// ErrNoResolvConf is wrapped by Start's error, with the reason, when ResolvConf
// is set and the service can't be given one of its own. The same Spec without
// it works.
var ErrNoResolvConf = errors.New("a service can't be given a resolv.conf of its own")

// Attempt is one connect(2) of the service or of a process it started, on an
// IPv4 or IPv6 socket, before the kernel has acted on it.
type Attempt struct {
	// PID is the process (not the thread) that connects.
	PID int
	// Network is tcp for a stream socket. It is udp for a UDP socket, for which
	// Decide is only asked when Spec.Datagrams is set: nothing is sent yet, and
	// every such call gives the socket a new peer.
	Network string
	// Target is where to, as the program wrote it; v4-mapped addresses are
	// unmapped. It may be 0.0.0.0 or ::, which mean this machine.
	Target netip.AddrPort
	// At is when the attempt was met.
	At time.Time
}

// Answer is what the service gets for an Attempt. The zero Answer lets it
// pass untouched.
type Answer struct {
	// Errno, if not zero, is what connect(2) returns; nothing is sent.
	Errno syscall.Errno
	// Redirect, if valid, is where the connection goes instead. For an IPv4
	// socket it must be an IPv4 address; it is written into the caller's
	// memory, v4-mapped for an IPv6 socket.
	Redirect netip.AddrPort
	// Delay holds the calling thread that long first, whatever the answer is,
	// also when its socket is non-blocking. It ends early when the caller dies
	// and when the service is being stopped.
	Delay time.Duration
	// Release ends the Delay early when it is closed; nil does not.
	Release <-chan struct{}
}

// Spec describes a service to start.
type Spec struct {
	// Argv is the program and its arguments; it is never given to a shell.
	Argv []string
	// Dir is the folder to run in; empty means the runner's.
	Dir string
	// Env is the whole environment, NAME=VALUE; of several entries for one
	// name the last wins. CHAOS_TRIAL and NOTIFY_SOCKET are added.
	Env []string
	// User runs the service as somebody else; nil means as the runner.
	User *Credential
	// Marker goes into the environment as CHAOS_TRIAL. Every process that
	// carries it, is in the service's group or descends from it belongs to the
	// service. Empty means a random one. Close a service before another one is
	// started with the same marker (a restart), or it takes the other's orphans
	// for its own.
	Marker string
	// Folder, if set, is a folder the runner owns and removes (see
	// Guard.Folder); the notify socket is put there.
	Folder string
	// Gate is shared with whoever needs to know what the service has said;
	// nil means one of its own.
	Gate *Gate
	// Line gets every line of the output without its line ending, in the order
	// of its stream, gate held. Lines longer than MaxLine come cut. A last line
	// without newline comes at exit. Lines of a child that outlives the
	// service may come after Done, until Close.
	Line func(Stream, string)
	// Output gets all raw bytes of both streams, gate held. Its first error is
	// remembered in Exit.OutputErr, and the rest is dropped.
	Output io.Writer
	// Notify gets every line of every sd_notify datagram, gate held; nil means
	// that there is no notify socket.
	Notify func(string)
	// Started is called with the gate held as soon as the service runs, before
	// its first line and before any answer of Decide that waits for the gate. Of
	// the process it may only use Signal, PID and Started: Start has yet to return.
	Started func(*Process)
	// Exited is called with the gate held, after the last line and before Done
	// is closed.
	Exited func(Exit)
	// Decide is asked about every Attempt; nil means no interceptor. It runs on
	// a goroutine of the interceptor, several at a time, gate not held: to know
	// what the service had said before the attempt, it calls Gate.Sync. It may
	// be called before Start has returned, and still run when Done is closed,
	// but not after Close.
	Decide func(Attempt) Answer
	// Datagrams has Decide asked about UDP sockets too. Datagrams that are sent
	// without a connect(2) are never seen.
	Datagrams bool
	// ResolvConf, if set, is a file that the service sees as /etc/resolv.conf,
	// in a mount namespace of its own that ends with the last of its processes.
	// It needs Linux and root.
	ResolvConf string
}

// Exit tells how a service ended.
type Exit struct {
	// Code is the exit code, or -1 when a signal ended the service.
	Code int
	// Signal is what ended the service, or 0.
	Signal syscall.Signal
	// At is when the exit was noticed.
	At time.Time
	// MaxRSS is the largest resident set in bytes, 0 when unknown: the kernel
	// counts the runner's own footprint at the start as the service's, so a
	// smaller figure is only known from samples (see Process.Usage).
	MaxRSS int64
	// CPU is user and system time of the service and its collected children.
	CPU time.Duration
	// OutputErr is the first error of Spec.Output.
	OutputErr error
}

// OK reports exit code 0.
func (e Exit) OK() bool { return e.Code == 0 && e.Signal == 0 }

// String is "exit code 3" or "signal: killed".
func (e Exit) String() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Interception counts what the interceptor of one service has seen.
type Interception struct {
	// Decided is how many attempts were given to Decide.
	Decided int
	// Passed is how many connects were none of our business: unix sockets,
	// datagrams unless Spec.Datagrams is set, disconnects, and repeated calls on a socket that is already
	// connecting.
	Passed int
	// Missed is how many connects could not be read or could not be answered
	// as decided, and passed untouched. If it is not 0, counts are too low.
	Missed int
	// Err is the first reason for Missed.
	Err error
}

// Process is one started service. Its methods may be called from several
// goroutines.
type Process struct {
	spec    Spec
	gate    *Gate
	pid     int
	started time.Time
	out     sink
	pipes   []*pipe
	notify  *notifySocket
	tap     *interceptor
	family  *family
	peak    peak

	done chan struct{}
	exit Exit // written before done is closed

	mu     sync.Mutex // held for every signal, and to collect the exit code
	reaped bool       // the pid is free for others

	ending sync.Mutex // serialises Stop and Close
	closed bool
	err    error // of Close

	own sync.WaitGroup // the launching thread
}

// PID is the service's process id; it is also its process group.
func (p *Process) PID() int { return p.pid }

// Marker is the value of CHAOS_TRIAL in the service's environment.
func (p *Process) Marker() string { return p.spec.Marker }

// Started is the instant just before the service was executed.
func (p *Process) Started() time.Time { return p.started }

// Done is closed once the service has exited and everything it had written
// has been delivered. It does not wait for children that hold the output open.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit tells how the service ended; it is valid once Done is closed, and zero
// before.
func (p *Process) Exit() Exit {
	select {
	case <-p.done:
		return p.exit
	default:
		return Exit{}
	}
}

// OutputErr is the first error of Spec.Output so far.
func (p *Process) OutputErr() error {
	var err error
	p.gate.Do(func() { err = p.out.err })
	return err
}

// Intercepted tells what the interceptor has seen so far; zero without one.
func (p *Process) Intercepted() Interception {
	if p.tap == nil {
		return Interception{}
	}
	return p.tap.counted()
}

// environment is spec.Env with one entry for each name, and the additions.
func environment(env []string, extra ...string) []string {
	all := append(append([]string(nil), env...), extra...)
	last := make(map[string]int, len(all))
	for i, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		last[name] = i
	}
	out := make([]string, 0, len(last))
	for i, entry := range all {
		if name, _, _ := strings.Cut(entry, "="); last[name] == i {
			out = append(out, entry)
		}
	}
	return out
}

func randomName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// closeAll closes files on a path that reports another error already.
func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
