package process

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// needsInterceptor skips where the kernel or a sandbox forbids it, unless the
// machine is said to have everything.
func needsInterceptor(t testing.TB) {
	t.Helper()
	err := Intercepting()
	if err != nil && os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
		require.NoError(t, err, "CHAOS_REQUIRE_SERVERS=1 asks for a machine that has it")
	}
	if err != nil {
		t.Skip(err)
	}
}

// greeter accepts connections and greets them with its name, so that a client
// can tell where it has arrived.
func greeter(t testing.TB, network, address, name string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err)
	}
	var own sync.WaitGroup
	own.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(name + "\n"))
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		own.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// closedPort is an address that nobody listens on.
func closedPort(t testing.TB) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// attempts collects what Decide is asked.
type attempts struct {
	mu  sync.Mutex
	met []Attempt
}

func (a *attempts) decide(answer Answer) func(Attempt) Answer {
	return func(at Attempt) Answer {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.met = append(a.met, at)
		return answer
	}
}

func (a *attempts) all() []Attempt {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Attempt(nil), a.met...)
}

func (a *attempts) targets() []netip.AddrPort {
	var out []netip.AddrPort
	for _, m := range a.all() {
		out = append(out, m.Target)
	}
	return out
}

// The claim that the whole product rests on: a line that was written before a
// connect is known before that connect is decided.
func TestALineIsKnownBeforeTheConnectThatFollowsIt(t *testing.T) {
	needsInterceptor(t)
	for _, mode := range []string{"free", "pinned"} {
		t.Run(mode, func(t *testing.T) {
			if mode == "pinned" {
				defer pinRunner(t)()
			}
			const n = 200
			target := closedPort(t)
			spec := part("phases", strconv.Itoa(n), target.String(), mode)
			checkOrder(t, spec, n, "PHASE ")
		})
	}
}

func TestADatagramIsKnownBeforeTheConnectThatFollowsIt(t *testing.T) {
	needsInterceptor(t)
	for _, folder := range []string{"", t.TempDir()} {
		const n = 200
		spec := part("nophases", strconv.Itoa(n), closedPort(t).String())
		spec.Folder = folder
		checkOrder(t, spec, n, "PHASE=")
	}
}

// checkOrder runs a service that announces phase i and then connects, and
// checks that each attempt is met in its own phase.
func checkOrder(t *testing.T, spec Spec, n int, prefix string) {
	t.Helper()
	gate := NewGate()
	phase := 0 // gate held
	see := func(line string) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			phase, _ = strconv.Atoi(rest)
		}
	}
	spec.Gate = gate
	if prefix == "PHASE=" {
		spec.Notify = see
	} else {
		spec.Line = func(_ Stream, line string) { see(line) }
	}
	var mu sync.Mutex
	var seen []int
	spec.Decide = func(Attempt) Answer {
		at := 0
		gate.Do(func() { at = phase })
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, at)
		return Answer{Errno: unix.ECONNREFUSED}
	}
	p := start(t, spec)
	require.True(t, done(t, p).OK())
	want := make([]int, n)
	for i := range want {
		want[i] = i + 1
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, want, seen)
	assert.Equal(t, Interception{Decided: n}, onlyDecided(p.Intercepted()))
}

// onlyDecided drops the connects to unix sockets that a resolver may make.
func onlyDecided(i Interception) Interception {
	i.Passed = 0
	return i
}

// pinRunner keeps the test on one CPU until the returned function is called.
func pinRunner(t *testing.T) func() {
	t.Helper()
	var before unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	pinAll := func(set *unix.CPUSet) {
		tids, err := numericNames("/proc/self/task")
		require.NoError(t, err)
		for _, tid := range tids {
			_ = unix.SchedSetaffinity(tid, set)
		}
	}
	var one unix.CPUSet
	one.Set(firstCPU())
	pinAll(&one)
	return func() { pinAll(&before) }
}
