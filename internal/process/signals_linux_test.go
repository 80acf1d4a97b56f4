package process

import (
	"fmt"
	"net"
	"os"
	"os/signal"
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

// A signal must not make a second attempt of one connect.
func TestSignalsDoNotRepeatAttempts(t *testing.T) {
	needsInterceptor(t)
	if kernelBefore(t, 5, 19) {
		t.Skip("older kernels repeat the notification")
	}
	spec := part("signalled", closedPort(t).String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Errno: unix.EHOSTUNREACH, Delay: 50 * time.Millisecond})
	p := start(t, spec)
	done(t, p)
	assert.Len(t, a.all(), 1)
	require.Len(t, lines.all(), 1)
	assert.Contains(t, lines.all()[0], "no route to host")
	assert.NoError(t, p.Intercepted().Err)
}

func kernelBefore(t *testing.T, major, minor int) bool {
	t.Helper()
	var u unix.Utsname
	require.NoError(t, unix.Uname(&u))
	var a, b int
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b)
	require.NoError(t, err)
	return a < major || a == major && b < minor
}
