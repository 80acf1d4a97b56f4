package probes

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

func shell(script string) *Exec { return &Exec{Command: []string{"sh", "-c", script}} }

func TestExec(t *testing.T) {
	dir := t.TempDir()
	env := Env{Dir: dir, Environ: []string{"PATH=" + os.Getenv("PATH"), "COLOUR=blue"}}
	t.Setenv("LEAK", "leaked")
	for name, c := range map[string]struct {
		exec Exec
		want string // "" means that it holds
	}{
		"exit 0":      {*shell("exit 0"), ""},
		"exit 3":      {Exec{Command: []string{"sh", "-c", "exit 3"}, ExitCode: 3}, ""},
		"environment": {Exec{Command: []string{"sh", "-c", `echo "$COLOUR$LEAK"`}, Match: "^blue\n$"}, ""},
		"folder":      {Exec{Command: []string{"pwd", "-P"}, Match: filepath.Base(dir)}, ""},
		"no stdin":    {Exec{Command: []string{"cat"}, Match: "^$"}, ""},
		"wrong code":  {*shell("echo out; echo 'no such table' >&2; exit 2"), "exec sh: expected exit code 0, got 2: no such table"},
		"only stdout": {*shell("echo out; exit 2"), "exec sh: expected exit code 0, got 2: out"},
		"silent":      {*shell("exit 2"), "exec sh: expected exit code 0, got 2"},
		"signal":      {*shell("kill -SEGV $$"), "exec sh: expected exit code 0, got a death by signal (segmentation fault)"},
		"match":       {Exec{Command: []string{"echo", "starting"}, Match: "ready"}, "exec echo: expected output that matches ready, got starting"},
		"no output":   {Exec{Command: []string{"true"}, Match: "ready"}, "exec true: expected output that matches ready, got no output"},
		"not found":   {Exec{Command: []string{"no-such-command-here"}}, "exec no-such-command-here: expected exit code 0, got no such command"},
		"no file":     {Exec{Command: []string{"./nothing.sh"}}, "exec nothing.sh: expected exit code 0, got no such command"},
		"secret":      {Exec{Command: []string{"sh", "-c", "exit 1", secret}}, "exec sh: expected exit code 0, got 1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, Spec{Exec: &c.exec}, env)
			if c.want == "" {
				require.NoError(t, err)
				assert.Equal(t, c.exec.ExitCode, got.Status)
				return
			}
			assert.EqualError(t, err, c.want)
		})
	}
}

// gone reports whether the process that wrote its id to file no longer runs. A zombie counts as gone: it waits for its parent.
func gone(t *testing.T, file string) func() bool {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	require.NoError(t, err)
	return func() bool {
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		return err == nil && strings.Contains(string(stat), ") Z ")
	}
}

func TestExecKillsTheWholeGroup(t *testing.T) {
	for name, script := range map[string]string{
		"on the end of its context": "sleep 1000 & echo $! >pid; mv pid child; wait",
		"deaf":                      "trap '' TERM INT HUP; sleep 1000 & echo $! >pid; mv pid child; while :; do sleep 1000; done",
		"after the exit":            "sleep 1000 & echo $! >child; exit 7", // the child holds stdout open
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			child := filepath.Join(dir, "child")
			p, err := New(Spec{Exec: shell(script), Timeout: timeline.Duration(time.Minute)}, Env{Dir: dir, Environ: os.Environ()})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := p(ctx)
				ended <- err
			}()
			assert.Eventually(t, func() bool { _, err := os.Stat(child); return err == nil }, time.Minute, time.Millisecond)
			if name == "after the exit" {
				assert.EqualError(t, <-ended, "exec sh: expected exit code 0, got 7")
			} else {
				cancel()
				assert.EqualError(t, <-ended, "exec sh: expected exit code 0, got no answer until it was cancelled")
			}
			cancel()
			assert.Eventually(t, gone(t, child), time.Minute, 5*time.Millisecond)
		})
	}
}

func TestExecBoundsItsOutput(t *testing.T) {
	s := Spec{Exec: &Exec{Command: []string{"sh", "-c", "yes | head -c 20000000; exit 4"}, ExitCode: 4}}
	got, err := ask(t, s, Env{Environ: os.Environ()})
	require.NoError(t, err)
	assert.Len(t, got.Body, maxAnswer)

	endless := Spec{Exec: &Exec{Command: []string{"yes"}}, Timeout: timeline.Duration(2 * time.Second)}
	got, err = ask(t, endless, Env{Environ: os.Environ()})
	require.EqualError(t, err, "exec yes: expected exit code 0, got no answer within 2s")
	assert.Len(t, got.Body, maxAnswer)
}
