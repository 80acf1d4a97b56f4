package process

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNotify(t *testing.T) {
	for _, folder := range []string{"", t.TempDir(), t.TempDir() + strings.Repeat("/long", 30)} {
		gate := NewGate()
		var got []string
		s, err := openNotify(gate, folder, nil, func(l string) { got = append(got, l) })
		require.NoError(t, err)
		c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.address, Net: "unixgram"})
		require.NoError(t, err)
		_, err = c.Write([]byte("READY=1\nSTATUS=up\n"))
		require.NoError(t, err)
		_, err = c.Write([]byte("WATCHDOG=1"))
		require.NoError(t, err)
		require.NoError(t, c.Close())
		gate.Do(func() { assert.Equal(t, []string{"READY=1", "STATUS=up", "WATCHDOG=1"}, got) })
		if len(folder) > 0 && len(folder) < 90 {
			assert.FileExists(t, filepath.Join(folder, "notify.sock"))
		}
		require.NoError(t, s.close())
		assert.NoFileExists(t, filepath.Join(folder, "notify.sock"))
		assert.Empty(t, gate.sources)
	}
}

func TestNotifySocketIsInTheEnvironment(t *testing.T) {
	spec := part("environ", "NOTIFY_SOCKET")
	spec.Folder = t.TempDir()
	spec.Notify = func(string) {}
	lines := record(&spec)
	done(t, start(t, spec))
	assert.Equal(t, []string{"NOTIFY_SOCKET=" + filepath.Join(spec.Folder, "notify.sock")}, lines.all())
}

// NOTIFY_SOCKET of the runner's own supervisor must not reach the service.
func TestTheRunnersOwnNotifySocketIsNotPassedOn(t *testing.T) {
	require.NoError(t, os.Setenv("NOTIFY_SOCKET", "/run/systemd/notify"))
	defer func() { _ = os.Unsetenv("NOTIFY_SOCKET") }()
	spec := part("environ", "NOTIFY_SOCKET")
	lines := record(&spec)
	done(t, start(t, spec))
	assert.Equal(t, []string{"NOTIFY_SOCKET="}, lines.all())
}
