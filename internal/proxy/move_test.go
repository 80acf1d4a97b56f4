package proxy

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/racedetector"
)

// moves is how often a connection changes over between the kernel's way and the chain.
const moves = 10_000

// TestEveryByteOnceThroughTenThousandMoves moves connections into the chain and back while random bytes flow in both directions, and compares
// hashes. What moves them is a fault that changes nothing: whatever differs is the move's.
func TestEveryByteOnceThroughTenThousandMoves(t *testing.T) {
	n := moves / racedetector.Slowdown
	if testing.Short() {
		n = 500 / racedetector.Slowdown
	}
	f := start(t, Config{Injections: []Injection{
		{ID: "still", Fault: spec(t, "latency", map[string]any{"delay": 0, "direction": "both"})},
	}})
	stop := make(chan struct{})
	var streams sync.WaitGroup
	for i := range 3 {
		c := f.dial(t)
		streams.Go(func() { exchangeUntil(t, c, uint64(i), stop) })
	}
	deadline := time.Now().Add(5 * time.Minute)
	for f.Stats().Moves < int64(n) && time.Now().Before(deadline) {
		before := f.Stats().Moves
		f.Arm("still")
		f.until(func(s Stats) bool { return s.Moves > before })
		f.Lift("still")
		f.until(func(s Stats) bool { return s.InChain == 0 })
	}
	close(stop)
	streams.Wait() // the connections must end by themselves: a test that gives up would cut them
	assert.GreaterOrEqual(t, f.Stats().Moves, int64(n), "moves in five minutes")
}

// TestPassesKeepsWhatTheGateHolds: what was read before the gate brought the fault on must meet it, also out of a pipe.
func TestPassesKeepsWhatTheGateHolds(t *testing.T) {
	var once atomic.Bool
	var f *fixture
	c := inject(t, "blackhole", "resume")
	c.Gate = func() {
		if once.Swap(false) {
			f.Arm("f1")
		}
	}
	f = start(t, c)
	client := f.dial(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	go func() { _, _ = client.Write(big) }()
	_, err := io.ReadFull(client, make([]byte, len(big)))
	require.NoError(t, err)
	f.SetGated(true)
	once.Store(true)
	go func() { _, _ = client.Write(big) }()
	require.Eventually(t, func() bool { return f.count(Bite) == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, client.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	n, err := client.Read(make([]byte, 1))
	assert.Zero(t, n, "%v", err)
	f.Lift("f1")
	require.NoError(t, client.SetReadDeadline(time.Now().Add(20*time.Second)))
	got := make([]byte, len(big))
	_, err = io.ReadFull(client, got)
	require.NoError(t, err)
	assert.Equal(t, big, got)
}

// window is how many bytes are on their way at the most: enough to be always under way, and little enough to leave a chain quickly.
const window = 256 << 10

// exchangeUntil sends random bytes in random chunks and compares what the echo server answers.
func exchangeUntil(t *testing.T, c *net.TCPConn, seed uint64, stop <-chan struct{}) {
	sent, got := sha256.New(), sha256.New()
	back := &tally{came: make(chan struct{}, 1)}
	var reading sync.WaitGroup
	reading.Go(func() {
		_, err := io.Copy(io.MultiWriter(got, back), c)
		assert.NoError(t, err)
		close(back.came)
	})
	there := sendUntil(t, c, rand.New(rand.NewPCG(seed, 3)), sent, back, stop)
	assert.NoError(t, c.CloseWrite())
	reading.Wait()
	assert.Equal(t, there, back.n.Load())
	assert.Equal(t, sent.Sum(nil), got.Sum(nil), "after %d bytes", there)
}

// tally counts what came back, and tells.
type tally struct {
	n    atomic.Int64
	came chan struct{}
}

func (b *tally) Write(p []byte) (int, error) {
	b.n.Add(int64(len(p)))
	select {
	case b.came <- struct{}{}:
	default:
	}
	return len(p), nil
}

func sendUntil(t *testing.T, c io.Writer, r *rand.Rand, h hash.Hash, back *tally, stop <-chan struct{}) (n int64) {
	var key [32]byte
	for i := range key {
		key[i] = byte(r.Uint32())
	}
	stream := rand.NewChaCha8(key)
	for {
		for n-back.n.Load() > window {
			if _, ok := <-back.came; !ok {
				return n
			}
		}
		select {
		case <-stop:
			return n
		default:
		}
		size := 1 + r.IntN(200)
		if r.IntN(3) == 0 {
			size = 1 + r.IntN(100_000)
		}
		chunk := make([]byte, size)
		_, _ = stream.Read(chunk)
		h.Write(chunk)
		m, err := c.Write(chunk)
		n += int64(m)
		if !assert.NoError(t, err) {
			return n
		}
	}
}

// until waits a moment for something that nobody tells.
func (f *fixture) until(is func(Stats) bool) {
	for range 2000 {
		if is(f.Stats()) {
			return
		}
		<-time.After(50 * time.Microsecond)
	}
}
