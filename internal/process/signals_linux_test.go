package process

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// playSignalled dials while it sends a handled signal to all its threads,
// again and again.
func playSignalled(args []string) int {
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGUSR1)
	result := make(chan error, 1)
	go func() {
		_, err := net.Dial("tcp", args[0])
		result <- err
	}()
	for {
		select {
		case err := <-result:
			fmt.Println(err)
			return 0
		case <-got:
		default:
		}
		tids, _ := numericNames("/proc/self/task")
		for _, tid := range tids {
			_ = unix.Tgkill(os.Getpid(), tid, unix.SIGUSR1)
		}
	}
}

// A signal must not make a second attempt of one connect, also where the
// kernel tells us of the connect again after each signal (before 5.19).
func TestSignalsDoNotRepeatAttempts(t *testing.T) {
	needsInterceptor(t)
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprint("plain ", plain), func(t *testing.T) {
			before := plainFilters.Swap(plain)
			defer plainFilters.Store(before)
			spec := part("signalled", closedPort(t).String())
			lines := record(&spec)
			var a attempts
			spec.Decide = a.decide(Answer{Errno: unix.EHOSTUNREACH, Delay: 50 * time.Millisecond})
			p := start(t, spec)
			done(t, p)
			assert.Equal(t, 1, len(a.all()))
			require.Len(t, lines.all(), 1)
			assert.Contains(t, lines.all()[0], "no route to host")
			assert.NoError(t, p.Intercepted().Err)
		})
	}
}

// A service may have said and done everything by the time its Process is known: nothing of it is delivered before.
func TestStartedComesBeforeAnyLine(t *testing.T) {
	spec := part("print", "hello")
	lines := record(&spec)
	var early []string
	over := false
	spec.Started = func(p *Process) {
		for deadline := time.Now().Add(long); !over && time.Now().Before(deadline); {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
			assert.NoError(t, err)
			over = strings.Contains(string(stat), ") Z ")
		}
		early = lines.all()
	}
	p := start(t, spec)
	done(t, p)
	assert.True(t, over, "it had ended when it was told of")
	assert.Empty(t, early)
	assert.NotEmpty(t, lines.all())
}
