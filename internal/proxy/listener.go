package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const backlog = 4096

// listener is a listening socket that can refuse connections at once and keep its port: shutdown(2) on a listening socket ends the
// listening synchronously and resets what waits in its queue, and listen(2) takes it up again. The port must have been bound by number, or the
// kernel would give it back.
type listener struct {
	l    *net.TCPListener
	raw  syscall.RawConn
	addr netip.AddrPort
	pit  bool // Connect sends here what is to hang; fixed

	mu      sync.Mutex
	refuses bool
	hangs   bool
	parked  bool          // accept waits for resumed
	resumed chan struct{} // closed when it accepts again, or is closed
	quiet   *sync.Cond    // parked changed
	filler  int           // the connection that fills the queue while it hangs; -1: none
	fillers map[int]bool  // the ports of those, that are not to be served
	closed  bool
}

// listen binds address (a port of 0 takes a free one).
func listen(ctx context.Context, address string) (*listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: expected host:port: %w", address, err)
	}
	for try := 0; ; try++ {
		numbered := address
		if port == "0" {
			free, err := freePort(ctx, host)
			if err != nil {
				return nil, err
			}
			numbered = net.JoinHostPort(host, free)
		}
		l, err := bind(ctx, numbered)
		if errors.Is(err, unix.EADDRINUSE) && port == "0" && try < 20 {
			continue // somebody else took it between the choice and the bind
		}
		if errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("listen on %s: the address is in use: end what listens there, or let chaos choose with 127.0.0.1:0: %w", address, err)
		}
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
		return newListener(l.(*net.TCPListener))
	}
}

// bind listens on a numbered address. It is bound without SO_REUSEADDR, so that nobody can take the port while it refuses; only where
// connections of an earlier run still linger on a fixed port it must be bound with it.
func bind(ctx context.Context, address string) (net.Listener, error) {
	strict := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) error { return reuse(raw, 0) }}
	l, err := strict.Listen(ctx, "tcp", address)
	if errors.Is(err, unix.EADDRINUSE) {
		return (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, "tcp", address)
	}
	return l, err
}

// reuse sets SO_REUSEADDR: 1 is needed to listen again beside open connections, 0 keeps strangers from the port.
func reuse(raw syscall.RawConn, value int) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, value) }); e != nil { // #nosec G115 -- a file descriptor
		return e
	}
	return err
}

func freePort(ctx context.Context, host string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("choose a port on %s: %w", host, err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), l.Close()
}

func newListener(l *net.TCPListener) (*listener, error) {
	raw, err := l.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reach the listening socket: %w", err), l.Close())
	}
	if err := reuse(raw, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the listening socket: %w", err), l.Close())
	}
	addr, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	out := &listener{l: l, raw: raw, addr: addr, resumed: make(chan struct{}), filler: -1, fillers: map[int]bool{}}
	out.quiet = sync.NewCond(&out.mu)
	return out, nil
}

// refuse makes the kernel answer RST to every new connection, from now on, and keeps the port.
func (l *listener) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses || l.closed {
		return
	}
	l.unhang()
	l.refuses = true
	_ = reuse(l.raw, 0)
	_ = l.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) }) // #nosec G115 -- a file descriptor
}

// admit listens again.
func (l *listener) admit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.refuses && !l.hangs {
		return
	}
	if l.refuses {
		l.refuses = false
		_ = reuse(l.raw, 1)
	}
	l.unhang()
	l.listen(backlog)
	_ = l.l.SetDeadline(time.Time{})
	close(l.resumed)
	l.resumed = make(chan struct{})
}

func (l *listener) listen(backlog int) {
	_ = l.raw.Control(func(fd uintptr) { _ = unix.Listen(int(fd), backlog) }) // #nosec G115 -- a file descriptor
}

// hang leaves every new SYN unanswered, from now on: nobody accepts, and the queue of the kernel, made as short as it can be, is full. Who
// connected in the instant before it was full stays in the queue. The kernels of those who hang ask again after the lift.
func (l *listener) hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hangs || l.closed {
		return
	}
	if l.refuses {
		l.refuses = false
		_ = reuse(l.raw, 1)
	}
	l.hangs = true
	_ = l.l.SetDeadline(time.Unix(1, 0))
	for !l.parked && !l.closed {
		l.quiet.Wait()
	}
	l.listen(0)
	if l.filler = fill(l.addr); l.filler >= 0 {
		if own, err := unix.Getsockname(l.filler); err == nil {
			l.fillers[portOf(own)] = true
		}
	}
}

func portOf(a unix.Sockaddr) int {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return a.Port
	case *unix.SockaddrInet6:
		return a.Port
	}
	return 0
}

// unhang ends what hang began. Locked.
func (l *listener) unhang() {
	if !l.hangs {
		return
	}
	l.hangs = false
	if l.filler >= 0 {
		_ = unix.Close(l.filler)
		l.filler = -1
	}
}

// sockaddr is an address as the kernel wants it.
func sockaddr(to netip.AddrPort) (family int, address unix.Sockaddr) {
	if a := to.Addr().Unmap(); a.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// fill connects without waiting for an answer. It returns the socket, or -1.
func fill(to netip.AddrPort) int {
	family, address := sockaddr(to)
	syscall.ForkLock.RLock() // no child may get the descriptor before it is closed for them
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1
	}
	_ = unix.SetNonblock(fd, true)
	_ = unix.Connect(fd, address)
	return fd
}

// accept returns the next connection, waiting through refusals. The error is final.
func (l *listener) accept() (*net.TCPConn, error) {
	for {
		c, err := l.l.AcceptTCP()
		if err == nil {
			if l.isFiller(c.RemoteAddr().(*net.TCPAddr).Port) {
				_ = c.Close()
				continue
			}
			return c, nil
		}
		l.mu.Lock()
		waits, closed, resumed := l.refuses || l.hangs, l.closed, l.resumed
		l.park(waits)
		l.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case waits:
			<-resumed
			l.mu.Lock()
			l.park(false)
			l.mu.Unlock()
		case errors.Is(err, unix.EINVAL), errors.Is(err, os.ErrDeadlineExceeded):
			continue // it refused, or hung, and listens again already
		default:
			return nil, err
		}
	}
}

// isFiller says whether a connection is one of our own, that filled the queue.
func (l *listener) isFiller(port int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer delete(l.fillers, port)
	return l.fillers[port]
}

// waits notes whether whoever accepts waits for something else than a connection.
func (l *listener) waits(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.park(yes)
}

// park notes whether accept waits. Locked.
func (l *listener) park(waits bool) {
	l.parked = waits
	l.quiet.Broadcast()
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	l.unhang()
	close(l.resumed)
	l.quiet.Broadcast()
	_ = l.l.Close()
}
