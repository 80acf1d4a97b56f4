package process

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ownSockets are the inodes of this process's sockets: a listener, and both ends of a connection whose one end was shut, over IPv4 and IPv6.
func ownSockets(t testing.TB) map[uint64]bool {
	t.Helper()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue // no IPv6 here
		}
		t.Cleanup(func() { _ = l.Close() })
		near, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = near.Close() })
		far, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = far.Close() })
		require.NoError(t, far.(*net.TCPConn).CloseWrite())
		_, err = near.Read(make([]byte, 1))
		require.Error(t, err, "the end has come")
	}
	inodes := map[uint64]bool{}
	require.NoError(t, eachDescriptor(os.Getpid(), func(link string) {
		if inode, ok := socketInode(link); ok {
			inodes[inode] = true
		}
	}))
	return inodes
}

func TestBothWaysToKnowSocketsAgree(t *testing.T) {
	inodes := ownSockets(t)
	asked, err := askedSockets(inodes)
	if err != nil && os.Getenv("CHAOS_REQUIRE_SERVERS") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	states := map[string]int{}
	require.Eventually(t, func() bool { // the end is acknowledged a moment later than it is read
		asked, err = askedSockets(inodes)
		clear(states)
		for _, s := range asked {
			states[s.State]++
		}
		return err == nil && states["FIN_WAIT1"] == 0
	}, long, time.Millisecond)
	listed, err := listedSockets(os.Getpid(), inodes)
	require.NoError(t, err)
	assert.Equal(t, listed, asked)
	for _, state := range []string{"LISTEN", "CLOSE_WAIT", "FIN_WAIT2"} {
		assert.Positive(t, states[state], state)
	}
	assert.True(t, sameNetwork(os.Getpid()))
	assert.False(t, sameNetwork(-1))
}

func TestAnAnswerThatIsAnErrorIsToldByItsNumber(t *testing.T) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	require.NoError(t, err)
	defer func() { _ = unix.Close(fd) }()
	request := make([]byte, unix.SizeofNlMsghdr) // of no type that is known
	request[0], request[4], request[6] = unix.SizeofNlMsghdr, 0xff, unix.NLM_F_REQUEST
	require.NoError(t, unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	assert.ErrorIs(t, answered(fd, func([]byte) {}), unix.EINVAL)
}

func BenchmarkSockets(b *testing.B) {
	inodes := ownSockets(b)
	for name, find := range map[string]func() (map[uint64]Socket, error){
		"asked":  func() (map[uint64]Socket, error) { return askedSockets(inodes) },
		"listed": func() (map[uint64]Socket, error) { return listedSockets(os.Getpid(), inodes) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := find()
				require.NoError(b, err)
			}
		})
	}
}
