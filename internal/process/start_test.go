package process

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExitCodeAndLines(t *testing.T) {
	spec := part("print", `one\ntwo\n\nlast without newline`)
	lines := record(&spec)
	var raw bytes.Buffer
	spec.Output = &raw
	var told Exit
	spec.Exited = func(e Exit) { told = e }
	p := start(t, spec)
	e := done(t, p)
	assert.Equal(t, []string{"one", "two", "", "last without newline"}, lines.all())
	assert.Equal(t, "one\ntwo\n\nlast without newline", raw.String())
	assert.True(t, e.OK())
	assert.Equal(t, e, told)
	assert.Positive(t, e.CPU)
	assert.False(t, e.At.Before(p.Started()))
}

func TestExitsAtOnce(t *testing.T) {
	for range 20 {
		e := done(t, start(t, part("exit", "3")))
		require.Equal(t, 3, e.Code)
		require.Zero(t, e.Signal)
		require.Equal(t, "exit code 3", e.String())
	}
}

func TestExitBySignal(t *testing.T) {
	spec := part("polite")
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	e := done(t, p)
	assert.Equal(t, -1, e.Code)
	assert.Equal(t, syscall.SIGKILL, e.Signal)
	assert.Equal(t, "signal: killed", e.String())
}

func TestStreamsAreToldApart(t *testing.T) {
	var out, err []string
	spec := Spec{Argv: []string{"sh", "-c", "echo out; echo err >&2"}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	spec.Line = func(s Stream, line string) {
		if s == Stdout {
			out = append(out, line)
		} else {
			err = append(err, line)
		}
	}
	done(t, start(t, spec))
	assert.Equal(t, []string{"out"}, out)
	assert.Equal(t, []string{"err"}, err)
}

func TestEnvironmentIsExactlyWhatWasAsked(t *testing.T) {
	t.Setenv("LEAKED", "yes")
	spec := part("environ", "A", "LEAKED", MarkerVariable)
	spec.Env = append(spec.Env, "A=first", "A=last", MarkerVariable+"=wrong")
	spec.Marker = "trial-1"
	lines := record(&spec)
	done(t, start(t, spec))
	assert.Equal(t, []string{"A=last", "LEAKED=", MarkerVariable + "=trial-1"}, lines.all())
}

func TestCommandsThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	tests := []struct {
		name string
		spec Spec
		is   error
		says []string
	}{
		{"empty", Spec{}, nil, []string{"command is empty"}},
		{"not in PATH", Spec{Argv: []string{"no-such-thing"}, Env: []string{"PATH=/bin:/nowhere"}}, exec.ErrNotFound, []string{"no-such-thing", "/bin:/nowhere"}},
		{"no such file", Spec{Argv: []string{dir + "/absent"}}, fs.ErrNotExist, []string{dir + "/absent"}},
		{"relative to dir", Spec{Argv: []string{"./absent"}, Dir: dir}, fs.ErrNotExist, []string{dir + "/absent"}},
		{"folder", Spec{Argv: []string{dir}}, fs.ErrPermission, []string{"is a folder"}},
		{"not executable", Spec{Argv: []string{write("plain", "#!/bin/sh\n", 0o600)}}, fs.ErrPermission, []string{"not executable", "chmod +x"}},
		{"no interpreter", Spec{Argv: []string{write("script", "#!/no/such/sh -e\n", 0o700)}}, fs.ErrNotExist, []string{`"/no/such/sh -e"`}},
		{"no program", Spec{Argv: []string{write("text", "hello\n", 0o700)}}, syscall.ENOEXEC, []string{"#! line"}},
		{"no such folder", Spec{Argv: []string{"sh"}, Dir: dir + "/gone"}, fs.ErrNotExist, []string{"its folder", dir + "/gone"}},
		{"marker", Spec{Argv: []string{"sh"}, Marker: "a\x00b"}, nil, []string{"zero byte"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Start(tt.spec)
			require.Error(t, err)
			require.Nil(t, p)
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			for _, want := range tt.says {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// brokenWriter is a disk that is full after a while.
type brokenWriter struct {
	room   int
	writes int
}

var errFull = errors.New("disk full")

func (w *brokenWriter) Write(b []byte) (int, error) {
	w.writes++
	if len(b) > w.room {
		return 0, errFull
	}
	w.room -= len(b)
	return len(b), nil
}

func TestAFullDiskDoesNotStopTheService(t *testing.T) {
	spec := part("flood", "4", "lines")
	count := 0
	spec.Line = func(Stream, string) { count++ }
	full := &brokenWriter{room: 1 << 20}
	spec.Output = full
	p := start(t, spec)
	e := done(t, p)
	require.True(t, e.OK())
	require.ErrorIs(t, e.OutputErr, errFull)
	require.ErrorIs(t, p.OutputErr(), errFull)
	assert.Equal(t, 4<<20/128, count)
	assert.LessOrEqual(t, full.room, 1<<20)
	before := full.writes
	require.NoError(t, p.Close())
	assert.Equal(t, before, full.writes, "nothing is written after the error")
}

func TestAFloodIsReadWhole(t *testing.T) {
	for _, shape := range []string{"lines", "one-line"} {
		t.Run(shape, func(t *testing.T) {
			const mib = 64
			spec := part("flood", "64", shape)
			lines, longest := 0, 0
			spec.Line = func(_ Stream, line string) {
				lines++
				longest = max(longest, len(line))
			}
			var total counter
			spec.Output = &total
			gate := NewGate()
			spec.Gate = gate
			p := start(t, spec)
			syncs := 0
			for running := true; running; {
				gate.Sync() // returns, although the service prints without pause
				syncs++
				select {
				case <-p.Done():
					running = false
				default:
				}
			}
			e := done(t, p)
			require.True(t, e.OK())
			assert.EqualValues(t, mib<<20, total)
			assert.Positive(t, syncs)
			if shape == "lines" {
				assert.Equal(t, mib<<20/128, lines)
			} else {
				assert.Equal(t, 1, lines)
				assert.Equal(t, MaxLine+len(LineCut), longest)
			}
		})
	}
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func TestAChildThatHoldsTheOutputOpenDoesNotDelayDone(t *testing.T) {
	spec := part("daemon")
	lines := record(&spec)
	p := start(t, spec)
	require.True(t, done(t, p).OK())
	lines.await(t, func(l string) bool { return strings.HasPrefix(l, "child ") })
	lines.awaitLine(t, "daemon runs") // it is heard until Close
	require.NoError(t, p.Close())
}
