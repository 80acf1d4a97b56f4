package proxy

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// riding counts the connections that the reactor serves.
func (f *fixture) riding() (n int) {
	f.Proxy.mu.Lock()
	defer f.Proxy.mu.Unlock()
	for c := range f.conns {
		c.mu.Lock()
		if c.riding != nil {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

func TestCalmConnectionsRide(t *testing.T) {
	f := start(t, inject(t, "latency", "1ms"))
	var all []*net.TCPConn
	for range 20 {
		c := f.dial(t)
		_, err := say(c, "x")
		require.NoError(t, err)
		all = append(all, c)
	}
	assert.Equal(t, 20, f.riding())
	f.Arm("f1")
	require.Eventually(t, func() bool { return f.riding() == 0 }, 10*time.Second, time.Millisecond, "all are treated")
	for _, c := range all {
		_, err := say(c, "y")
		require.NoError(t, err)
	}
	assert.Equal(t, 20, f.Stats().Fault("f1").ConnectionsHit)
}

// upstreamOf lets one connection be treated as a dependency would.
func upstreamOf(t *testing.T, treat func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		c, err := l.Accept()
		if err == nil {
			treat(c.(*net.TCPConn))
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

// TestWhatCouldNotBeSentIsSentLater: the client does not read until the kernel takes no more, so that the reactor is left with bytes it has read.
func TestWhatCouldNotBeSentIsSentLater(t *testing.T) {
	const piece = 8 << 10 // little enough at once to ride
	sent := make([]byte, 64<<20)
	r := rand.New(rand.NewPCG(7, 7))
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	begin, stuck := make(chan *fixture), make(chan int64)
	up := upstreamOf(t, func(c *net.TCPConn) {
		defer c.Close()
		f, n := <-begin, int64(0)
		for f.riding() == 1 && n < int64(len(sent)) {
			_, err := c.Write(sent[n : n+piece])
			if !assert.NoError(t, err) {
				break
			}
			for n += piece; f.riding() == 1 && f.Stats().BytesDown < n; {
				runtime.Gosched()
			}
		}
		stuck <- n
		_, err := c.Write(sent[n:])
		assert.NoError(t, err)
	})
	f := start(t, Config{Upstream: up})
	c := f.dial(t)
	require.Eventually(t, func() bool { return f.riding() == 1 }, 10*time.Second, time.Millisecond)
	begin <- f
	n := <-stuck
	require.Less(t, n, int64(len(sent)), "the kernel took it all")
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(sent, got), "%d of %d bytes", len(got), len(sent))
}

// TestRidePassesEndsOn: FIN stays FIN and RST stays RST, in both directions.
func TestRidePassesEndsOn(t *testing.T) {
	for _, breaks := range []bool{false, true} {
		told := make(chan error, 1)
		f := start(t, Config{Upstream: upstreamOf(t, func(c *net.TCPConn) {
			defer c.Close()
			_, _ = io.ReadFull(c, make([]byte, 2))
			_, err := c.Write([]byte("ok"))
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			told <- err
		})})
		c := f.dial(t)
		_, err := c.Write([]byte("hi"))
		require.NoError(t, err)
		_, err = io.ReadFull(c, make([]byte, 2))
		require.NoError(t, err)
		require.Equal(t, 1, f.riding())
		if breaks {
			require.NoError(t, c.SetLinger(0))
		}
		require.NoError(t, c.Close())
		if err = <-told; breaks {
			assert.ErrorIs(t, err, syscall.ECONNRESET)
		} else {
			assert.ErrorIs(t, err, io.EOF)
		}
	}
}

func TestMuchAtOnceLeavesTheReactor(t *testing.T) {
	f := start(t, Config{})
	c := f.dial(t)
	big := make([]byte, 16<<20)
	go func() { _, _ = c.Write(big) }()
	_, err := io.ReadFull(c, make([]byte, len(big)))
	require.NoError(t, err)
	assert.Zero(t, f.riding())
}

// TestAlarmsRingInOrderAndNeverEarly sets many, takes some back, and closes the proxy under the rest.
func TestAlarmsRingInOrderAndNeverEarly(t *testing.T) {
	f := start(t, Config{})
	r := rand.New(rand.NewPCG(1, 2))
	var all sync.WaitGroup
	for range 500 {
		at := time.Now().Add(time.Duration(r.IntN(int(50 * time.Millisecond))))
		rung, stop := f.alarm(at)
		if r.IntN(4) == 0 {
			stop()
			stop()
			continue
		}
		all.Go(func() {
			<-rung
			assert.False(t, time.Now().Before(at), "early")
			stop()
		})
	}
	late, stop := f.alarm(time.Now().Add(time.Hour))
	defer stop()
	all.Wait()
	select {
	case <-late:
		t.Error("an hour early")
	default:
	}
	require.NoError(t, f.Close(t.Context()))
	<-late
	rung, _ := f.alarm(time.Now())
	<-rung
}
