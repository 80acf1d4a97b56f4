package process

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// longestSocketPath is what fits into sockaddr_un on every system we build
// for, with its terminating zero.
const longestSocketPath = 103

// notifySocket receives the sd_notify datagrams of one service.
type notifySocket struct {
	gate    *Gate
	conn    *net.UnixConn
	raw     syscall.RawConn
	fd      int
	path    string // to remove; empty for an abstract address
	folder  string // to remove; empty when it is the caller's
	address string // the value of NOTIFY_SOCKET
	deliver func(string)
	queue   int // datagrams the kernel queues at most
	idle    chan struct{}
}

// openNotify binds the socket and starts to listen. It lives in the given
// folder when its path fits there; otherwise the system decides.
func openNotify(gate *Gate, folder string, user *Credential, deliver func(string)) (*notifySocket, error) {
	s := &notifySocket{gate: gate, deliver: deliver, queue: dgramQueue() + 1, idle: make(chan struct{})}
	if err := s.place(folder); err != nil {
		return nil, fmt.Errorf("make a notify socket: %w", err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.address, Net: "unixgram"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a notify socket: %w", err), s.remove())
	}
	s.conn = conn
	if err := s.prepare(user); err != nil {
		return nil, errors.Join(fmt.Errorf("make a notify socket: %w", err), conn.Close(), s.remove())
	}
	gate.attach(s)
	go s.follow()
	return s, nil
}

// place chooses the address. A path is preferred, since not every client
// library understands abstract addresses.
func (s *notifySocket) place(folder string) error {
	if folder != "" {
		if abs, err := filepath.Abs(filepath.Join(folder, "notify.sock")); err == nil && len(abs) <= longestSocketPath {
			s.path, s.address = abs, abs
			return nil
		}
	}
	if abstractSockets {
		s.address = "@chaos-notify-" + randomName()
		return nil
	}
	own, err := os.MkdirTemp("/tmp", "chaos-")
	if err != nil {
		return err
	}
	s.folder, s.path = own, filepath.Join(own, "notify.sock")
	s.address = s.path
	return nil
}

func (s *notifySocket) prepare(user *Credential) error {
	if user != nil && s.path != "" {
		if err := os.Chown(s.path, int(user.UID), int(user.GID)); err != nil {
			return err
		}
	}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	s.raw = raw
	return raw.Control(func(fd uintptr) { s.fd = int(fd) })
}

// drain implements source. A datagram socket does not tell how many datagrams
// wait, but never holds more than its queue: that is the bound.
func (s *notifySocket) drain(buf []byte) {
	for range s.queue {
		if !s.readOnce(buf) {
			return
		}
	}
}

// readOnce delivers the lines of one datagram. Reading without a control
// buffer makes the kernel close descriptors that came along, which is the
// answer that sd_notify_barrier(3) waits for.
func (s *notifySocket) readOnce(buf []byte) bool {
	for {
		n, _, err := unix.Recvfrom(s.fd, buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return false
		}
		for line := range strings.SplitSeq(string(buf[:n]), "\n") {
			if line != "" {
				s.deliver(line)
			}
		}
		return true
	}
}

func (s *notifySocket) follow() {
	defer close(s.idle)
	_ = s.raw.Read(func(uintptr) bool {
		for {
			more := false
			s.gate.Do(func() { more = s.readOnce(s.gate.buffer()) })
			if !more {
				return false
			}
		}
	})
}

func (s *notifySocket) close() error {
	s.gate.detach(s)
	err := s.conn.Close()
	<-s.idle
	return errors.Join(err, s.remove())
}

func (s *notifySocket) remove() error {
	var errs []error
	if s.path != "" {
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if s.folder != "" {
		errs = append(errs, os.Remove(s.folder))
	}
	return errors.Join(errs...)
}
