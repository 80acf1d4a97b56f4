package proxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is one side of a connection. It starts as a bare descriptor, which is what the reactor works on and which costs nothing while nothing
// happens; the first use of it by a goroutine makes it known to the runtime's poller, for good.
type socket struct {
	known atomic.Pointer[os.File] // nil: bare, or closed while it was

	mu     sync.Mutex
	fd     int // while it is bare
	closed bool
}

// shortPause is between two attempts to get a descriptor.
const shortPause = 10 * time.Millisecond

// newSocket takes over a descriptor that does not block.
func newSocket(fd int) *socket { return &socket{fd: fd} }

// takeOver makes a socket of a connection of package net, which is closed, on errors too. Where descriptors are missing it waits until there are some
// again, or nobody waits for it any more.
func (p *Proxy) takeOver(c *net.TCPConn, done <-chan struct{}) (*socket, error) {
	defer c.Close() // its descriptor: the connection goes on at ours
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("take over a connection: %w", err)
	}
	for {
		fd := -1
		if e := raw.Control(func(f uintptr) { fd, err = unix.FcntlInt(f, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
			err = e
		}
		switch {
		case err == nil:
			return newSocket(fd), nil
		case !noDescriptors(err):
			return nil, fmt.Errorf("take over a connection: %w", err)
		}
		p.short(err)
		select {
		case <-time.After(shortPause):
		case <-done:
			return nil, fmt.Errorf("take over a connection: %w", err)
		}
	}
}

// bare says whether the runtime does not know it yet.
func (s *socket) bare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.known.Load() == nil
}

// file returns the socket as the runtime knows it.
func (s *socket) file() (*os.File, error) {
	if f := s.known.Load(); f != nil {
		return f, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.known.Load(); {
	case f != nil:
		return f, nil
	case s.closed:
		return nil, net.ErrClosed
	}
	f := os.NewFile(uintptr(s.fd), "socket") // #nosec G115 -- a file descriptor
	s.known.Store(f)
	return f, nil
}

// Read implements io.Reader.
func (s *socket) Read(b []byte) (int, error) {
	f, err := s.file()
	if err != nil {
		return 0, err
	}
	return f.Read(b)
}

// Write implements io.Writer.
func (s *socket) Write(b []byte) (int, error) {
	f, err := s.file()
	if err != nil {
		return 0, err
	}
	return f.Write(b)
}

// SyscallConn implements syscall.Conn.
func (s *socket) SyscallConn() (syscall.RawConn, error) {
	f, err := s.file()
	if err != nil {
		return nil, err
	}
	return f.SyscallConn()
}

// setReadDeadline is as a net.Conn's.
func (s *socket) setReadDeadline(t time.Time) {
	if f, err := s.file(); err == nil {
		_ = f.SetReadDeadline(t)
	}
}

// setWriteDeadline is as a net.Conn's.
func (s *socket) setWriteDeadline(t time.Time) {
	if f, err := s.file(); err == nil {
		_ = f.SetWriteDeadline(t)
	}
}

// control lets do have the descriptor, unless the socket is closed.
func (s *socket) control(do func(fd int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	f := s.known.Load()
	if f == nil {
		do(s.fd)
		return
	}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) }) // #nosec G115 -- a file descriptor
	}
}

// closeWrite sends FIN.
func (s *socket) closeWrite() {
	s.control(func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }) // an error means that the peer is gone already
}

// breakIt closes with RST.
func (s *socket) breakIt() {
	s.control(func(fd int) { _ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) })
	s.close()
}

// close gives the descriptor back. Who waits on the socket gets an error for which closedHere is true.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	if f := s.known.Load(); f != nil {
		_ = f.Close()
		return
	}
	_ = unix.Close(s.fd)
}

// closedHere says whether an error means that we closed the socket ourselves.
func closedHere(err error) bool { return errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) }
