package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

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

	mu      sync.Mutex
	refuses bool
	resumed chan struct{} // closed when it listens again, or is closed
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
	strict := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return reuse(raw, 0) }}
	l, err := strict.Listen(ctx, "tcp", address)
	if errors.Is(err, unix.EADDRINUSE) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
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
	return &listener{l: l, raw: raw, addr: addr, resumed: make(chan struct{})}, nil
}

// refuse makes the kernel answer RST to every new connection, from now on, and keeps the port.
func (l *listener) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses || l.closed {
		return
	}
	l.refuses = true
	_ = reuse(l.raw, 0)
	_ = l.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RD) }) // #nosec G115 -- a file descriptor
}

// admit listens again.
func (l *listener) admit() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.refuses || l.closed {
		return
	}
	l.refuses = false
	_ = reuse(l.raw, 1)
	_ = l.raw.Control(func(fd uintptr) { _ = unix.Listen(int(fd), backlog) }) // #nosec G115 -- a file descriptor
	close(l.resumed)
	l.resumed = make(chan struct{})
}

// accept returns the next connection, waiting through refusals. The error is final.
func (l *listener) accept() (*net.TCPConn, error) {
	for {
		c, err := l.l.AcceptTCP()
		if err == nil {
			return c, nil
		}
		l.mu.Lock()
		refuses, closed, resumed := l.refuses, l.closed, l.resumed
		l.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case refuses:
			<-resumed
		case errors.Is(err, unix.EINVAL):
			continue // it refused and listens again already
		default:
			return nil, err
		}
	}
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.resumed)
	_ = l.l.Close()
}
