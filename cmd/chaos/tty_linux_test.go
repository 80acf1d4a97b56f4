package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a terminal of that size.
func openTerminal(t *testing.T, width, height uint16) (screen, program *os.File) {
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}))
	return screen, program
}

// onTerminal runs chaos with its output on a terminal, and returns what the terminal got.
func (l *lab) onTerminal(width, height uint16, env []string, args ...string) string {
	screen, program := openTerminal(l.t, width, height)
	chaos, err := exec.LookPath("chaos")
	require.NoError(l.t, err)
	cmd := exec.Command(chaos, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.dir, program, program
	cmd.Env = append(os.Environ(), append([]string{"TMPDIR=" + l.tmp, "TERM=xterm", "CI=", "NO_COLOR="}, env...)...)
	require.NoError(l.t, cmd.Start())
	require.NoError(l.t, program.Close())
	got := make(chan string)
	go func() {
		text, err := io.ReadAll(screen)
		if !errors.Is(err, syscall.EIO) && err != nil { // EIO: nobody has the other end any more
			text = append(text, err.Error()...)
		}
		got <- string(text)
	}()
	go func() {
		for {
			select {
			case r := <-l.bells:
				r.answer()
			case <-l.exited:
				return
			}
		}
	}()
	_ = cmd.Wait()
	close(l.exited)
	return <-got
}

// TestTerminal: while a run goes on its trials are shown and painted over; afterwards only what lasts is on the screen.
func TestTerminal(t *testing.T) {
	t.Parallel()
	l := newLab(t, "", "redis refuses", "redis refuses, and this has a name that is far longer than the window is wide")
	text := l.onTerminal(72, 20, nil, "run", "lab.yaml", "--servers", "standin", "--repeat", "4")
	assert.Contains(t, text, "\x1b[1A\r\x1b[J", "something is painted over")
	assert.Contains(t, text, "\x1b[32mpass", "and coloured")
	e := &emulator{width: 72}
	e.feed(withoutColor(text))
	assert.Empty(t, e.strange)
	lines := e.screen()
	assert.True(t, strings.HasPrefix(lines[0], "up            redis: stand-in"), lines[0])
	done := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "pass          [") {
			done++
		}
		assert.NotRegexp(t, `^ +\d+\.\ds  `, line, "a live line is left")
	}
	assert.Equal(t, 9, done, strings.Join(lines, "\n"))
	assert.Contains(t, strings.Join(lines, "\n"), "2 experiments: 2 pass; 8 trials and 1 control")
}

// TestTerminalOfCI: a terminal that keeps a log gets plain lines.
func TestTerminalOfCI(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	text := l.onTerminal(72, 20, []string{"CI=true", "NO_COLOR=1"}, "run", "lab.yaml", "--servers", "standin")
	assert.NotContains(t, text, "\x1b")
	assert.Contains(t, text, "pass          [3/3] ")
}

// TestPlanOnATerminal: no line is wider than the window.
func TestPlanOnATerminal(t *testing.T) {
	t.Parallel()
	l := newLab(t, "", "redis refuses", "redis refuses, and this has a name that is far longer than the window is wide")
	text := l.onTerminal(50, 20, nil, "plan", "lab.yaml")
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "at most") {
			assert.LessOrEqual(t, len(strings.TrimRight(line, "\r\n")), 50, line)
		}
	}
	assert.Contains(t, text, "redis refuses, and thi...  refuse on redi...\r\n")
}

func withoutColor(text string) string {
	for _, code := range []string{"0", "1", "2", "31", "32", "33"} {
		text = strings.ReplaceAll(text, "\x1b["+code+"m", "")
	}
	return text
}
