package proxy

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// dialNear connects to an address of this machine, where the handshake is over when connect(2) returns, and nobody need wait. nil: it is elsewhere, or was not
// that easy: the ordinary way says why.
func dialNear(upstream string) *socket {
	to, err := netip.ParseAddrPort(upstream)
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return nil
	}
	family, address := sockaddr(to)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	if err = unix.Connect(fd, address); err != nil && !connected(fd, err) {
		_ = unix.Close(fd)
		return nil
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	return newSocket(fd)
}

// connected says whether a connect that was not over when it returned is over now, well.
func connected(fd int, err error) bool {
	if !errors.Is(err, unix.EINPROGRESS) {
		return false
	}
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}} // #nosec G115 -- a file descriptor
	if n, err := unix.Poll(ready, 0); n != 1 || err != nil {
		return false
	}
	failed, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	return err == nil && failed == 0
}
