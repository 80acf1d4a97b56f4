package process

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

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

func TestErrnosReachTheClient(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	for _, errno := range []syscall.Errno{unix.ECONNREFUSED, unix.ETIMEDOUT, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ECONNRESET} {
		spec := part("dial", "tcp="+open.String())
		lines := record(&spec)
		var a attempts
		spec.Decide = a.decide(Answer{Errno: errno})
		p := start(t, spec)
		done(t, p)
		assert.Equal(t, []string{"error " + unix.ErrnoName(errno)}, lines.all())
		assert.Equal(t, []netip.AddrPort{open}, a.targets())
		assert.Equal(t, p.PID(), a.all()[0].PID)
		assert.False(t, a.all()[0].At.Before(p.Started()))
	}
}

func TestRefusedAttemptsAreCounted(t *testing.T) {
	needsInterceptor(t)
	target := closedPort(t)
	arg := "tcp=" + target.String()
	spec := part("dial", arg, arg, arg)
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{})
	done(t, start(t, spec))
	assert.Equal(t, []string{"error ECONNREFUSED", "error ECONNREFUSED", "error ECONNREFUSED"}, lines.all())
	assert.Equal(t, []netip.AddrPort{target, target, target}, a.targets())
}

func TestRedirect(t *testing.T) {
	needsInterceptor(t)
	v4 := greeter(t, "tcp4", "127.0.0.1:0", "v4")
	proxy4 := greeter(t, "tcp4", "127.0.0.2:0", "proxy4")
	closed := closedPort(t)
	tests := []struct {
		name, play string
		args       []string
		to         netip.AddrPort
		want       string
		seen       netip.AddrPort
	}{
		{"v4", "dial", []string{"tcp=" + v4.String()}, proxy4, "connected proxy4", v4},
		{"closed v4", "dial", []string{"tcp=" + closed.String()}, proxy4, "connected proxy4", closed},
		{"raw v4", "socket", []string{"v4", v4.String()}, proxy4, "connected proxy4", v4},
		{"v4-mapped", "socket", []string{"v6", v4.String()}, proxy4, "connected proxy4", v4},
		{"elsewhere", "dial", []string{"tcp=203.0.113.7:80"}, proxy4, "connected proxy4", netip.MustParseAddrPort("203.0.113.7:80")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkRedirect(t, tt.play, tt.args, tt.to, tt.want, tt.seen) })
	}
	t.Run("v6", func(t *testing.T) {
		v6 := greeter(t, "tcp6", "[::1]:0", "v6")
		proxy6 := greeter(t, "tcp6", "[::1]:0", "proxy6")
		checkRedirect(t, "dial", []string{"tcp=" + v6.String()}, proxy6, "connected proxy6", v6)
		checkRedirect(t, "dial", []string{"tcp=" + v6.String()}, proxy4, "connected proxy4", v6)
		checkRedirect(t, "socket", []string{"v6", v6.String()}, proxy4, "connected proxy4", v6)
		checkRedirect(t, "socket", []string{"v6only", v6.String()}, proxy4, "connected proxy4", v6)
		checkRedirect(t, "socket", []string{"v6", v4.String()}, proxy6, "connected proxy6", v4)
	})
}

func checkRedirect(t *testing.T, play string, args []string, to netip.AddrPort, want string, seen netip.AddrPort) {
	t.Helper()
	spec := part(play, args...)
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Redirect: to})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{want}, lines.all())
	assert.Equal(t, []netip.AddrPort{seen}, a.targets())
	assert.NoError(t, p.Intercepted().Err)
}

func TestAnImpossibleRedirectPassesAndIsReported(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	spec := part("dial", "tcp="+open.String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Redirect: netip.MustParseAddrPort("[::1]:1")})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{"connected real"}, lines.all())
	assert.Equal(t, 1, p.Intercepted().Missed)
	assert.ErrorContains(t, p.Intercepted().Err, "IPv4 socket")
}

func TestUDPAndUnixPassUntouched(t *testing.T) {
	needsInterceptor(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	spec := part("udp-unix", closedPort(t).String(), path)
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.EPERM})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{"udp <nil>", "unix <nil>"}, lines.all())
	assert.Empty(t, a.targets())
	assert.Equal(t, Interception{Passed: 2}, p.Intercepted())
}

// A program that calls connect again to learn how it went is one attempt.
func TestRepeatedCallsOnOneSocketAreOneAttempt(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	spec := part("again", open.String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{"calls true nil"}, lines.all())
	assert.Len(t, a.targets(), 1)
	assert.Positive(t, p.Intercepted().Passed)
}

func TestThreadsAndChildrenAreFollowed(t *testing.T) {
	needsInterceptor(t)
	spec := part("threads", "32", closedPort(t).String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.EHOSTUNREACH, Delay: time.Millisecond})
	p := start(t, spec)
	require.True(t, done(t, p).OK())
	require.Len(t, a.targets(), 33)
	pids := map[int]int{}
	for _, m := range a.all() {
		pids[m.PID]++
	}
	assert.Equal(t, 32, pids[p.PID()], "threads are told as their process")
	assert.Len(t, pids, 2)
	for _, line := range lines.all() {
		assert.True(t, strings.Contains(line, "no route to host") || line == "error EHOSTUNREACH", line)
	}
}

// A 32-bit program connects by another system call.
func Test32BitProgramsAreFollowed(t *testing.T) {
	needsInterceptor(t)
	if os.Getenv("GOARCH") != "" || testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	source := "package main\nimport (\"net\"; \"fmt\")\nfunc main() { _, err := net.Dial(\"tcp\", \"127.0.0.1:9\"); fmt.Println(err) }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "client"), filepath.Join(dir, "main.go"))
	build.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("no 386 build: %s", out)
	}
	if err := exec.Command(filepath.Join(dir, "client")).Run(); err != nil { // #nosec G204 -- just built
		t.Skip("this machine runs no 32-bit programs: ", err)
	}
	spec := Spec{Argv: []string{filepath.Join(dir, "client")}}
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.ENETUNREACH})
	done(t, start(t, spec))
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}, a.targets())
	require.Len(t, lines.all(), 1)
	assert.Contains(t, lines.all()[0], "network is unreachable")
}

func TestOtherLanguages(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	proxy := greeter(t, "tcp4", "127.0.0.1:0", "proxy")
	port := strconv.Itoa(int(open.Port()))
	clients := map[string][]string{
		"python3": {"-c", "import socket\ns=socket.create_connection(('127.0.0.1'," + port + "))\nprint(s.recv(99).decode().strip())"},
		"python3 asyncio": {"-c", "import asyncio\nasync def f():\n r,_=await asyncio.open_connection('127.0.0.1'," + port +
			")\n print((await r.readline()).decode().strip())\nasyncio.run(f())"},
		"node": {"-e", "require('net').connect(" + port + ",'127.0.0.1').on('data',d=>console.log(d.toString().trim()))"},
		"bash": {"-c", "read -r line < /dev/tcp/127.0.0.1/" + port + "; echo $line"},
	}
	for name, args := range clients {
		t.Run(name, func(t *testing.T) {
			program, _, _ := strings.Cut(name, " ")
			path, err := exec.LookPath(program)
			if err != nil {
				t.Skip(err)
			}
			spec := Spec{Argv: append([]string{path}, args...), Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}}
			lines := record(&spec)
			var a attempts
			spec.Decide = a.decide(Answer{Redirect: proxy})
			done(t, start(t, spec))
			assert.Equal(t, []string{"proxy"}, lines.all())
			assert.Equal(t, []netip.AddrPort{open}, a.targets())
		})
	}
}

func TestACallerKilledWhileHeld(t *testing.T) {
	needsInterceptor(t)
	spec := part("dial", "tcp="+closedPort(t).String())
	asked := make(chan struct{})
	spec.Decide = func(Attempt) Answer {
		close(asked)
		return Answer{Delay: time.Hour, Errno: unix.ETIMEDOUT}
	}
	p := start(t, spec)
	<-asked
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	assert.Equal(t, syscall.SIGKILL, done(t, p).Signal)
	p.tap.own.Wait() // the hold has ended without Close, and so has the listening
}

func TestOneHoldDoesNotBlockOthers(t *testing.T) {
	needsInterceptor(t)
	spec := part("threads", "8", closedPort(t).String())
	lines := record(&spec)
	var mu sync.Mutex
	n := 0
	spec.Decide = func(Attempt) Answer {
		mu.Lock()
		defer mu.Unlock()
		n++
		if n == 1 {
			return Answer{Delay: time.Hour}
		}
		return Answer{Errno: unix.EHOSTUNREACH}
	}
	p := start(t, spec)
	lines.await(t, func(string) bool { return len(lines.all()) == 7 })
	select {
	case <-p.Done():
		require.FailNow(t, "the held one came through")
	default:
	}
}

// A thread that waits for us runs no signal handlers. The service must not
// be called deaf for that.
func TestStopEndsHolds(t *testing.T) {
	needsInterceptor(t)
	spec := part("hold", closedPort(t).String())
	lines := record(&spec)
	asked := make(chan struct{})
	spec.Decide = func(Attempt) Answer {
		close(asked)
		return Answer{Delay: time.Hour, Errno: unix.ETIMEDOUT}
	}
	p := start(t, spec)
	<-asked
	lines.awaitLine(t, "ready")
	s := p.Stop(context.Background(), syscall.SIGTERM, long)
	require.NoError(t, s.Err)
	assert.True(t, s.ExitedBySignal)
	assert.False(t, s.Killed)
}

func TestTheFilterStaysWithTheService(t *testing.T) {
	needsInterceptor(t)
	spec := part("polite")
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.EPERM})
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	// New threads while the locked one lives, and connects from all of them.
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			c, err := net.Dial("tcp", open.String())
			if assert.NoError(t, err) {
				_ = c.Close()
			}
		})
	}
	all.Wait()
	awaitFilteredThreads(t, 1) // only the launching thread; those of earlier tests take a moment to end
	main, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	assert.Contains(t, string(main), "Seccomp:\t0\n", "never the main thread")
	require.NoError(t, p.Close())
	awaitFilteredThreads(t, 0)
	assert.Empty(t, a.targets())
}

func awaitFilteredThreads(t *testing.T, want int) {
	t.Helper()
	require.Eventually(t, func() bool { return filteredThreads(t) == want }, long, time.Millisecond)
}

func filteredThreads(t *testing.T) int {
	tids, err := numericNames("/proc/self/task")
	require.NoError(t, err)
	n := 0
	for _, tid := range tids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
		if err == nil && strings.Contains(string(b), "Seccomp:\t2\n") {
			n++
		}
	}
	return n
}

func TestIntercepting(t *testing.T) {
	needsInterceptor(t)
	require.NoError(t, Intercepting())
	awaitFilteredThreads(t, 0)
}

// Without privileges it works as well, by giving up the way to gain any.
func TestWithoutPrivileges(t *testing.T) {
	needsInterceptor(t)
	if os.Getuid() != 0 {
		t.Skip("this test is unprivileged as a whole")
	}
	spec := part("intercept")
	spec.User = &Credential{UID: 65534, GID: 65534}
	spec.Argv[0] = publicCopy(t, spec.Argv[0])
	lines := record(&spec)
	e := done(t, start(t, spec))
	assert.Equal(t, []string{"error EHOSTUNREACH", "uid 65534 decided 1 <nil>"}, lines.all())
	assert.True(t, e.OK())
}

// publicCopy copies a program to where any user may execute it.
func publicCopy(t *testing.T, path string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "chaos-process-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755)) // #nosec G302 -- somebody else must enter
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	to := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(to, b, 0o755)) // #nosec G306 -- and execute
	return to
}

// Kernels before 6.9 have no handles of threads.
func TestWithoutThreadHandles(t *testing.T) {
	needsInterceptor(t)
	noThreadHandles.Store(true)
	defer noThreadHandles.Store(false)
	t.Run("threads", TestThreadsAndChildrenAreFollowed)
	t.Run("repeated", TestRepeatedCallsOnOneSocketAreOneAttempt)
	t.Run("udp", TestUDPAndUnixPassUntouched)
	t.Run("killed", TestACallerKilledWhileHeld)
}
