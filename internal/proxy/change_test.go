package proxy

import (
	"context"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFaultsComeAndGoOnALiveConnection adds, arms and removes faults while a connection is open.
func TestFaultsComeAndGoOnALiveConnection(t *testing.T) {
	f := start(t, Config{})
	c := f.dial(t)
	require.NoError(t, talk(t, c))
	for round := range 20 {
		require.NoError(t, f.Add(Injection{ID: "late", Fault: spec(t, "latency", map[string]any{"delay": "5ms", "direction": "both"})}))
		require.Error(t, f.Add(Injection{ID: "late", Fault: spec(t, "cut", nil)}), "the id is taken")
		f.Arm("late")
		begun := time.Now()
		require.NoError(t, talk(t, c))
		require.GreaterOrEqual(t, time.Since(begun), 10*time.Millisecond, "round %d", round)
		require.True(t, f.Remove("late"))
		require.False(t, f.Remove("late"))
		require.NoError(t, talk(t, c))
	}
	require.Eventually(t, func() bool { return f.Stats().InChain == 0 }, 10*time.Second, time.Millisecond, "back on the kernel's way")
	require.NoError(t, f.Close(context.Background()))
	assert.ErrorIs(t, f.Add(Injection{ID: "x", Fault: spec(t, "cut", nil)}), errClosed)
}

// TestAnotherFaultLeavesWaitingChunksAlone: what waits in a latency is not released when another fault is added, comes on, or goes.
func TestAnotherFaultLeavesWaitingChunksAlone(t *testing.T) {
	f := start(t, inject(t, "latency", map[string]any{"delay": "300ms", "direction": "upstream"}))
	c := f.dial(t)
	require.NoError(t, talk(t, c))
	f.Arm("f1")
	begun := time.Now()
	_, err := c.Write([]byte("waits\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return f.count(Bite) == 1 }, 10*time.Second, time.Millisecond)
	for range 3 {
		require.NoError(t, f.Add(Injection{ID: "f2", Fault: spec(t, "slicer", map[string]any{"direction": "both"})}))
		f.Arm("f2")
		f.Lift("f2")
		require.True(t, f.Remove("f2"))
	}
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	got := make([]byte, 6)
	_, err = c.Read(got)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(begun), 300*time.Millisecond)
}

func TestDisableRefusesAndResetsAndKeepsThePort(t *testing.T) {
	f := start(t, Config{})
	c := f.dial(t)
	require.NoError(t, talk(t, c))
	f.Disable()
	assert.Error(t, talk(t, c))
	assert.ErrorIs(t, f.firstByte(), syscall.ECONNREFUSED)
	f.Enable()
	assert.NoError(t, f.ask())
}

func TestSetUpstreamIsForNewConnections(t *testing.T) {
	f := start(t, Config{})
	old := f.dial(t)
	require.NoError(t, talk(t, old))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := l.Addr().String()
	require.NoError(t, l.Close())
	f.SetUpstream(dead)
	assert.ErrorIs(t, f.firstByte(), syscall.ECONNRESET)
	assert.NoError(t, talk(t, old))
}

// TestAcceptsAgainWhenDescriptorsReturn takes all descriptors of the process away, and gives them back.
func TestAcceptsAgainWhenDescriptorsReturn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits are set as Linux does")
	}
	f := start(t, Config{})
	require.NoError(t, f.ask())
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	client, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer syscall.Close(client)
	none := limit
	none.Cur = 3 // below what is open: nothing new can be
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	restored := false
	restore := func() {
		if !restored {
			restored = true
			require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		}
	}
	defer restore()
	addr := f.Addr()
	require.NoError(t, syscall.Connect(client, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}))
	require.Eventually(t, func() bool { return f.count(Shortage) == 1 }, 10*time.Second, time.Millisecond)
	restore()
	_, err = syscall.Write(client, []byte("late\n"))
	require.NoError(t, err)
	got := make([]byte, 16)
	require.NoError(t, syscall.SetsockoptTimeval(client, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 20}))
	n, err := syscall.Read(client, got)
	require.NoError(t, err)
	assert.Equal(t, "late\n", string(got[:n]), "the one that waited is served")
	assert.NoError(t, f.ask(), "and so are new ones")
	assert.Equal(t, 1, f.count(Shortage), "told once")
}

// TestHangWithoutTheInterceptor: the listening socket itself answers no SYN, and those who waited get through after the lift.
func TestHangWithoutTheInterceptor(t *testing.T) {
	f := start(t, inject(t, "hang", nil))
	open := f.dial(t)
	require.NoError(t, talk(t, open))
	for range 3 {
		f.Arm("f1")
		_, err := net.DialTimeout("tcp", f.Addr().String(), 50*time.Millisecond)
		var late net.Error
		require.ErrorAs(t, err, &late)
		require.True(t, late.Timeout(), "%v", err)
		require.NoError(t, talk(t, open), "open ones go on")
		waiting := make(chan error, 1)
		go func() { waiting <- f.ask() }()
		f.Lift("f1")
		require.NoError(t, <-waiting)
		require.NoError(t, f.ask())
	}
	assert.Equal(t, 7, f.Stats().Accepted, "what filled the queue is not served")
}
