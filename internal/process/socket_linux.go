package process

import (
	"errors"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pidfdThread is PIDFD_THREAD of Linux 6.9: a handle of a thread that need
// not be the first of its process.
const pidfdThread = unix.O_EXCL

// tcpClose is TCP_CLOSE of include/net/tcp_states.h: a socket that is neither
// connected nor connecting.
const tcpClose = 7

// noThreadHandles is set once the kernel has refused PIDFD_THREAD.
var noThreadHandles atomic.Bool

// open returns a pidfd of the calling thread, or of its process.
func (c *callers) open(tid int) (int, error) {
	if !noThreadHandles.Load() {
		fd, err := unix.PidfdOpen(tid, pidfdThread)
		if !errors.Is(err, unix.EINVAL) {
			return fd, err
		}
		noThreadHandles.Store(true)
	}
	return unix.PidfdOpen(c.process(tid), 0)
}

// socket duplicates the socket of a call into the runner.
func (c *callers) socket(call connectCall) (int, error) {
	handle, err := c.open(call.tid)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(handle) }()
	return unix.PidfdGetfd(handle, call.fd, 0)
}

// The networks of Attempt.
const (
	stream   = "tcp"
	datagram = "udp"
)

// connecting reports that the call begins a connection: that it is made on a
// stream socket which is not connecting or connected yet, or on a UDP socket
// if these are ours. Programs also call connect(2) to learn how an earlier call
// went; counted as attempts, these would make a retry storm of every
// non-blocking client. In doubt it says yes.
func (c *callers) connecting(call connectCall) (network string, begins bool) {
	fd, err := c.socket(call)
	if err != nil {
		return stream, true
	}
	defer func() { _ = unix.Close(fd) }()
	state, err := tcpState(fd)
	if err != nil {
		return c.other(fd)
	}
	if state != tcpClose {
		return stream, false
	}
	// Closed, with an error that nobody has collected: this call collects it.
	fds := []unix.PollFd{{Fd: int32(fd)}} // #nosec G115 -- a descriptor
	n, err := unix.Poll(fds, 0)
	return stream, err != nil || n == 0 || fds[0].Revents&unix.POLLERR == 0
}

// other judges a socket that is none of TCP.
func (c *callers) other(fd int) (network string, begins bool) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind == unix.SOCK_STREAM {
		return stream, true
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return datagram, c.datagrams && err == nil && protocol == unix.IPPROTO_UDP
}

// tcpState reads the first byte of struct tcp_info. Sockets of other kinds
// give an error.
func tcpState(fd int) (byte, error) {
	var state byte
	size := uint32(1)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&state)), uintptr(unsafe.Pointer(&size)), 0) // #nosec G103 -- the call takes pointers
	if errno != 0 {
		return 0, errno
	}
	return state, nil
}

// allowMapped lets an IPv6 socket connect to an IPv4 address. If it fails so
// does the connect, which is the most that can be done.
func (c *callers) allowMapped(call connectCall) {
	fd, err := c.socket(call)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
}

// death returns a channel that is closed when the thread ends, and a function
// that must be called when the answer is no longer of interest.
func (c *callers) death(tid int) (<-chan struct{}, func()) {
	dead := make(chan struct{})
	fd, err := c.open(tid)
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			close(dead)
		}
		return dead, func() {}
	}
	_ = unix.SetNonblock(fd, true)
	file := os.NewFile(uintptr(fd), "pidfd")
	raw, err := file.SyscallConn()
	if err != nil {
		return dead, func() { _ = file.Close() }
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := raw.Read(func(fd uintptr) bool {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} // #nosec G115 -- a descriptor
			n, err := unix.Poll(fds, 0)
			return err == nil && n > 0
		})
		if err == nil {
			close(dead)
		}
	}()
	return dead, func() {
		_ = file.Close()
		<-over
	}
}
