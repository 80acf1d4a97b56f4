package proxy

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that answers each byte it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			work.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.(*net.TCPConn).CloseWrite()
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return l.Addr().String()
}

// fixture is a proxy before an echo server, with what it told.
type fixture struct {
	*Proxy
	mu     sync.Mutex
	events []Event
}

func start(t *testing.T, c Config) *fixture {
	t.Helper()
	f := &fixture{}
	if c.Upstream == "" {
		c.Upstream = echo(t)
	}
	c.Name = "echo"
	c.On = func(e Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, e)
	}
	p, err := Start(context.Background(), c)
	require.NoError(t, err)
	f.Proxy = p
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		assert.NoError(t, p.Close(ctx))
	})
	return f
}

func (f *fixture) count(kind EventKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, e := range f.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func spec(t *testing.T, kind string, value any) faults.Spec {
	t.Helper()
	spec, problems := faults.Parse(kind, value)
	require.Empty(t, problems)
	return spec
}

func inject(t *testing.T, kind string, value any) Config {
	return Config{Injections: []Injection{{ID: "f1", Fault: spec(t, kind, value)}}}
}

func (f *fixture) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", f.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn)
}

// firstByte dials and reads: the error that a client meets, at connect or right after.
func (f *fixture) firstByte() error {
	c, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	return err
}

// ask dials and says a line.
func (f *fixture) ask() error {
	c, err := net.Dial("tcp", f.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = say(c, "x")
	return err
}

// say sends a line and returns the echoed one.
func say(c net.Conn, line string) (string, error) {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := bufio.NewReader(c).ReadString('\n')
	return got, err
}

func TestPassesBytesAndCountsThem(t *testing.T) {
	f := start(t, Config{})
	c := f.dial(t)
	got, err := say(c, "hello")
	require.NoError(t, err)
	assert.Equal(t, "hello\n", got)
	require.NoError(t, c.CloseWrite())
	_, err = c.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "a half-close must arrive as one")
	require.Eventually(t, func() bool { return f.count(Closed) == 1 }, 10*time.Second, time.Millisecond)
	s := f.Stats()
	assert.Equal(t, []int64{1, 0, 6, 6}, []int64{int64(s.Accepted), int64(s.Open), s.BytesUp, s.BytesDown})
}

func TestRefuseKeepsThePort(t *testing.T) {
	f := start(t, inject(t, "refuse", nil))
	address := f.Addr().String()
	for range 200 {
		f.Arm("f1")
		_, err := net.Dial("tcp", address)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		_, err = net.Listen("tcp", address)
		require.ErrorIs(t, err, syscall.EADDRINUSE, "nobody else may take the port meanwhile")
		f.Lift("f1")
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		got, err := say(c, "x")
		require.NoError(t, err)
		require.Equal(t, "x\n", got)
		require.NoError(t, c.Close())
	}
}

func TestResetReachesIdleOpenConnections(t *testing.T) {
	f := start(t, inject(t, "reset", nil))
	c := f.dial(t)
	_, err := say(c, "hello")
	require.NoError(t, err)
	f.Arm("f1")
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	f.Arm("f1")
	require.ErrorIs(t, f.firstByte(), syscall.ECONNRESET)
	f.Lift("f1")
	f.Lift("f1")
	got, err := say(f.dial(t), "again")
	require.NoError(t, err)
	assert.Equal(t, "again\n", got)
	assert.Equal(t, 1, f.count(Bite), "one bite for one arming")
	assert.Equal(t, 2, f.Stats().Fault("f1").ConnectionsHit)
}

func TestBlackholeEndings(t *testing.T) {
	for ending, check := range map[string]func(*testing.T, net.Conn, *bufio.Reader){
		"resume": func(t *testing.T, c net.Conn, r *bufio.Reader) {
			got, err := r.ReadString('\n')
			require.NoError(t, err)
			assert.Equal(t, "held\n", got)
		},
		"close": func(t *testing.T, c net.Conn, r *bufio.Reader) {
			_, err := r.ReadByte()
			assert.ErrorIs(t, err, io.EOF)
		},
		"silent": func(t *testing.T, c net.Conn, r *bufio.Reader) {
			_, err := io.WriteString(c, "more\n")
			require.NoError(t, err)
			require.NoError(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			_, err = r.ReadByte()
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			assert.True(t, timeout.Timeout(), "silent for ever: got %v", err)
		},
	} {
		t.Run(ending, func(t *testing.T) {
			f := start(t, inject(t, "blackhole", ending))
			c := f.dial(t)
			r := bufio.NewReader(c)
			_, err := io.WriteString(c, "before\n")
			require.NoError(t, err)
			got, err := r.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "before\n", got)
			f.Arm("f1")
			_, err = io.WriteString(c, "held\n")
			require.NoError(t, err)
			require.Eventually(t, func() bool { return f.count(Bite) == 1 }, 10*time.Second, time.Millisecond)
			f.Lift("f1")
			check(t, c, r)
			got, err = say(f.dial(t), "new")
			require.NoError(t, err)
			assert.Equal(t, "new\n", got)
		})
	}
}

// TestGateDecidesEachChunk arms inside the gate, as a phase that the service has just printed does: the very chunk meets the fault, and the
// first chunk after the lift does not.
func TestGateDecidesEachChunk(t *testing.T) {
	var armed atomic.Bool
	var f *fixture
	c := inject(t, "latency", map[string]any{"delay": "30ms", "direction": "upstream"})
	c.Gate = func() {
		if armed.Load() {
			f.Arm("f1")
		} else {
			f.Lift("f1")
		}
	}
	f = start(t, c)
	f.SetGated(true)
	client := f.dial(t)
	for range 50 {
		for _, on := range []bool{false, true} {
			armed.Store(on)
			before := f.Stats().Fault("f1").BytesHit
			_, err := say(client, "q")
			require.NoError(t, err)
			hit := f.Stats().Fault("f1").BytesHit - before
			if on {
				require.EqualValues(t, 2, hit)
			} else {
				require.EqualValues(t, 0, hit)
			}
		}
	}
}

func TestWatchSeesMatchesAcrossChunks(t *testing.T) {
	var f *fixture
	c := inject(t, "reset", nil)
	c.Watches = []Watch{{Upstream: true, Pattern: regexp.MustCompile(`ALTER TABLE`), Do: func() { f.Arm("f1") }}}
	f = start(t, c)
	client := f.dial(t)
	_, err := say(client, "BEGIN;")
	require.NoError(t, err)
	_, err = io.WriteString(client, "ALTER TAB")
	require.NoError(t, err)
	_, err = io.WriteString(client, "LE x")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, client)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestConnectionsLimitAndSeededShare(t *testing.T) {
	c := inject(t, "accept_close", nil)
	c.Injections[0].Connections = 2
	f := start(t, c)
	f.Arm("f1")
	for i := range 4 {
		err := f.ask()
		assert.Equal(t, i < 2, err != nil, "connection %d: %v", i+1, err)
	}
	draw := func(seed uint64) (out []bool) {
		c := inject(t, "reset", nil)
		c.Injections[0].Toxicity, c.Seed = 0.3, seed
		p := start(t, c)
		p.Arm("f1")
		for range 40 {
			out = append(out, p.ask() != nil)
		}
		return out
	}
	first := draw(7)
	assert.Equal(t, first, draw(7), "the same seed takes the same connections")
	assert.NotEqual(t, first, draw(8))
}

func TestConnectDecisions(t *testing.T) {
	c := inject(t, "refuse", "EHOSTUNREACH")
	c.Intercepted = true
	f := start(t, c)
	assert.Equal(t, Decision{}, f.Connect())
	f.Arm("f1")
	assert.Equal(t, Decision{Errno: syscall.EHOSTUNREACH}, f.Connect())
	f.Lift("f1")
	assert.Equal(t, Decision{}, f.Connect())
	s := f.Stats()
	assert.Equal(t, []int{3, 1, 1}, []int{s.Attempts, s.Refused, s.Fault("f1").ConnectionsHit})
	assert.Equal(t, 1, f.count(Bite))
}

func TestDeadUpstreamIsReset(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	f := start(t, Config{Upstream: address})
	require.ErrorIs(t, f.firstByte(), syscall.ECONNRESET)
	assert.Equal(t, 1, f.count(UpstreamError))
}

func TestAddressInUseSaysWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, err = Start(context.Background(), Config{Name: "db", Listen: l.Addr().String(), Upstream: "127.0.0.1:1"})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	assert.Contains(t, err.Error(), "proxy of db")
	assert.Contains(t, err.Error(), "end what listens there")
}

// TestNothingIsLostWhileFaultsComeAndGo sends random chunks both ways while faults that lose nothing are armed and lifted.
func TestNothingIsLostWhileFaultsComeAndGo(t *testing.T) {
	f := start(t, Config{Injections: []Injection{
		{ID: "f1", Fault: spec(t, "latency", map[string]any{"delay": "1ms", "jitter": "1ms", "direction": "both"})},
		{ID: "f2", Fault: spec(t, "slicer", map[string]any{"average_size": 100, "size_variation": 50})},
		{ID: "f3", Fault: spec(t, "bandwidth", map[string]any{"rate": 50000, "direction": "both"})},
		{ID: "f4", Fault: spec(t, "blackhole", "resume")},
	}})
	stop := make(chan struct{})
	var flips sync.WaitGroup
	for i := range 4 {
		flips.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for {
				f.Arm(fmt.Sprintf("f%d", i+1))
				time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
				f.Lift(fmt.Sprintf("f%d", i+1))
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(r.IntN(2000)) * time.Microsecond):
				}
			}
		})
	}
	var streams sync.WaitGroup
	for i := range 4 {
		streams.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(i)))
			c, err := net.Dial("tcp", f.Addr().String())
			if !assert.NoError(t, err) {
				return
			}
			defer c.Close()
			sent, got := sha256.New(), sha256.New()
			var reading sync.WaitGroup
			reading.Go(func() { _, _ = io.Copy(got, c) })
			for range 200 {
				chunk := make([]byte, 1+r.IntN(5000))
				for i := range chunk {
					chunk[i] = byte(r.Uint32())
				}
				sent.Write(chunk)
				_, err := c.Write(chunk)
				assert.NoError(t, err)
			}
			assert.NoError(t, c.(*net.TCPConn).CloseWrite())
			reading.Wait()
			assert.Equal(t, sent.Sum(nil), got.Sum(nil))
		})
	}
	streams.Wait()
	close(stop)
	flips.Wait()
}

// TestArmIsNotHeldUp arms and lifts on many connections whose clients do not read and whose bytes are swallowed.
func TestArmIsNotHeldUp(t *testing.T) {
	f := start(t, Config{Injections: []Injection{
		{ID: "f1", Fault: spec(t, "blackhole", "resume")}, {ID: "f2", Fault: spec(t, "reset", nil)},
	}})
	big := make([]byte, 64<<10)
	for range 300 {
		c := f.dial(t)
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, _ = c.Write(big)
	}
	require.Eventually(t, func() bool { return f.Stats().Accepted == 300 }, 10*time.Second, time.Millisecond, "the kernel takes bytes of those that are not")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			f.Arm("f1")
			f.Lift("f1")
		}
		f.Arm("f2")
		f.Lift("f2")
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("Arm or Lift is held up by clients")
	}
	assert.Equal(t, 300, f.Stats().Fault("f2").ConnectionsHit)
}

func TestPanicEndsOneLinkOnly(t *testing.T) {
	c := Config{}
	var bad atomic.Bool
	c.Gate = func() {
		if bad.Swap(false) {
			panic(errors.New("broken on purpose"))
		}
	}
	f := start(t, c)
	f.SetGated(true)
	victim, other := f.dial(t), f.dial(t)
	for _, c := range []net.Conn{victim, other} {
		_, err := say(c, "x")
		require.NoError(t, err)
	}
	bad.Store(true)
	_, err := say(victim, "y")
	require.Error(t, err)
	assert.Equal(t, 1, f.count(Panic))
	got, err := say(other, "z")
	require.NoError(t, err)
	assert.Equal(t, "z\n", got)
}
