package process

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// playVariable makes the test binary play a service, or a runner, instead of
// testing: its value names the part, the arguments are the part's.
const playVariable = "CHAOS_PROCESS_TEST_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(playVariable); part != "" {
		play := parts[part]
		if play == nil {
			play = systemParts[part]
		}
		if play == nil {
			fmt.Fprintln(os.Stderr, "no such part:", part)
			os.Exit(99)
		}
		os.Exit(play(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// patience in tests: only a broken test waits that long.
const long = 30 * time.Second

// raceExit lets programs built with -race exit at once, not after a second.
const raceExit = "GORACE=atexit_sleep_ms=0"

// part is a Spec that plays a part of this test binary.
func part(name string, args ...string) Spec {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Spec{
		Argv: append([]string{self}, args...),
		Env:  []string{"PATH=" + os.Getenv("PATH"), "HOME=/", playVariable + "=" + name, raceExit},
	}
}

// recorder keeps the lines of a service. Its methods other than line take its
// own lock, not the gate.
type recorder struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{}
}

func record(spec *Spec) *recorder {
	r := &recorder{more: make(chan struct{}, 1)}
	spec.Line = func(_ Stream, line string) { r.add(line) }
	return r
}

func (r *recorder) add(line string) {
	r.mu.Lock()
	r.lines = append(r.lines, line)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

// await waits until a line satisfies is, and returns it.
func (r *recorder) await(t testing.TB, is func(string) bool) string {
	t.Helper()
	deadline := time.After(long)
	for {
		for _, line := range r.all() {
			if is(line) {
				return line
			}
		}
		select {
		case <-r.more:
		case <-deadline:
			require.FailNow(t, "the line never came", "seen: %q", r.all())
		}
	}
}

func (r *recorder) awaitLine(t testing.TB, want string) {
	t.Helper()
	r.await(t, func(line string) bool { return line == want })
}

// start starts a service and closes it at the end of the test.
func start(t testing.TB, spec Spec) *Process {
	t.Helper()
	p, err := Start(spec)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func done(t testing.TB, p *Process) Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(long):
		require.FailNow(t, "the service did not exit")
	}
	return p.Exit()
}
