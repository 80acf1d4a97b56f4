package process

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
