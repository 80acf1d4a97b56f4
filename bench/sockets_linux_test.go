package bench

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The load is made with blocking sockets where few threads suffice: Go's poller would add its own wake-ups to every figure.

const patience = 20 // seconds until a socket that waits gives up

// socket is a blocking one.
type socket int

// dial connects.
func dial(to netip.AddrPort) (socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	s := socket(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		s.close()
		return -1, err
	}
	return s, s.equip()
}

// equip bounds every wait and sends at once what is written.
func (s socket) equip() error {
	limit := unix.Timeval{Sec: patience}
	return errors.Join(
		unix.SetsockoptTimeval(int(s), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(int(s), unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.SetsockoptInt(int(s), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
	)
}

func (s socket) close() { _ = unix.Close(int(s)) }

// Read is io.Reader's. A signal of Go's scheduler interrupts a wait that has a limit.
func (s socket) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(s), b)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		return max(n, 0), err
	}
}

// Write is io.Writer's.
func (s socket) Write(b []byte) (int, error) {
	for sent := 0; ; {
		n, err := unix.Write(int(s), b[sent:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return sent, err
		}
		sent += max(n, 0)
		if sent == len(b) {
			return sent, nil
		}
	}
}

// serve answers connections at the address that it returns, as many at a time as there are workers, until the test ends. Peers that are
// started later end before.
func serve(t *testing.T, workers int, answer func(socket)) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 4096))
	bound, err := unix.Getsockname(fd)
	require.NoError(t, err)
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for {
				c, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
				switch {
				case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED):
				case err != nil: // shut down
					return
				default:
					s := socket(c)
					if s.equip() == nil {
						answer(s)
					}
					s.close()
				}
			}
		})
	}
	t.Cleanup(func() {
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
		work.Wait()
		_ = unix.Close(fd)
	})
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(bound.(*unix.SockaddrInet4).Port))
}

// echo answers what it gets.
func echo(s socket) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := s.Read(buffer)
		if err != nil {
			return
		}
		if _, err := s.Write(buffer[:n]); err != nil {
			return
		}
	}
}
