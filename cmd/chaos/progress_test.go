package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/runner"
)

// display is a progress on a terminal of that size, whose clock stands still and which repaints only when something happens.
func display(width, height int) (*progress, *bytes.Buffer, *emulator) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	p := &progress{
		w: &out, now: func() time.Time { return now }, running: map[int]*trialLine{}, news: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
		screen: screen{size: func() (int, int) { return width, height }},
	}
	close(p.stopped) // there is no writer: the test calls flush
	return p, &out, &emulator{width: width}
}

func TestLiveLines(t *testing.T) {
	p, out, e := display(60, 24)
	show := func() []string {
		p.flush()
		e.feed(out.String())
		out.Reset()
		return e.screen()
	}
	p.on(runner.Progress{Kind: runner.DependencyUp, Title: "redis", Text: "Redis 7 at 127.0.0.1:1"})
	p.on(runner.Progress{Kind: runner.TrialStarted, Trial: 0, Total: 2, Title: "redis refuses"})
	p.on(runner.Progress{Kind: runner.TrialStarted, Trial: 1, Total: 2, Title: strings.Repeat("a long title ", 10)})
	p.on(runner.Progress{Kind: runner.TrialPhase, Trial: 0, Text: "connect\x1b[31m"})
	p.on(runner.Progress{Kind: runner.TrialFault, Trial: 0, Text: "refuse on redis armed"})
	assert.Equal(t, []string{
		"up            redis: Redis 7 at 127.0.0.1:1",
		"     0.0s  redis refuses     connect [31m  refuse on red...",
		"     0.0s  a long title ...",
	}, show())
	p.above("a log line\n")
	p.on(runner.Progress{Kind: runner.TrialDone, Trial: 0, Total: 2, Title: "redis refuses", Verdict: contracts.Fail, Elapsed: 1500 * time.Millisecond})
	lines := show()
	require.Len(t, lines, 4)
	assert.Equal(t, []string{"a log line", "FAIL          [1/2] redis refuses (1.50s)"}, lines[1:3])
	p.close()
	p.screen = screen{} // nothing is written by show after close
	assert.Equal(t, []string{"up            redis: Redis 7 at 127.0.0.1:1", "a log line", "FAIL          [1/2] redis refuses (1.50s)"}, show(), "the live lines are gone")
	assert.Empty(t, e.strange)
}

func TestLiveLinesFitTheTerminal(t *testing.T) {
	p, out, e := display(40, 6)
	for i := range 50 {
		p.on(runner.Progress{Kind: runner.TrialStarted, Trial: i, Total: 50, Title: fmt.Sprintf("%d \u4e2d\u6587 %s", i, strings.Repeat("x", 200))})
		p.flush()
	}
	e.feed(out.String())
	lines := e.screen()
	assert.Len(t, lines, 5, "one row is left for the cursor")
	assert.Equal(t, "  and 46 more", lines[4])
	for _, l := range lines {
		assert.Less(t, columnsOf(l), 40, "%q would wrap", l)
	}
	for i := range 50 {
		p.on(runner.Progress{Kind: runner.TrialDone, Trial: i, Total: 50, Title: "t", Verdict: contracts.Pass})
		p.flush()
	}
	p.close()
	e = &emulator{width: 40}
	e.feed(out.String())
	assert.Len(t, e.screen(), 50, "a line for each that is done, and no other")
	assert.LessOrEqual(t, e.most, 5)
}

func TestLiveLinesInAWindowThatBecomesNarrow(t *testing.T) {
	width := 80
	p, out, _ := display(80, 24)
	p.screen.size = func() (int, int) { return width, 24 }
	p.on(runner.Progress{Kind: runner.TrialStarted, Trial: 0, Total: 1, Title: strings.Repeat("wide ", 30)})
	p.on(runner.Progress{Kind: runner.TrialFault, Trial: 0, Text: strings.Repeat("long ", 30)})
	p.flush()
	width = 30
	out.Reset()
	p.flush()
	assert.True(t, strings.HasPrefix(out.String(), "\x1b[3A\r\x1b[J"), "79 columns take three rows of 30: %q", out.String())
	p.close()
}

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	terminal := screen{size: func() (int, int) { return 80, 24 }}
	for name, env := range map[string]map[string]string{"CI": {"CI": "true"}, "dumb": {"TERM": "dumb"}, "no terminal": nil} {
		d := deps{stderr: &out, err: terminal, env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }}
		if env == nil {
			d.err = screen{}
		}
		out.Reset()
		p := newProgress(d)
		p.on(runner.Progress{Kind: runner.TrialStarted, Title: "a", Total: 1})
		p.on(runner.Progress{Kind: runner.TrialPhase, Title: "a", Text: "connect"})
		p.on(runner.Progress{Kind: runner.TrialDone, Title: "a", Total: 1, Verdict: contracts.Pass})
		p.close()
		assert.Equal(t, "pass          [1/1] a (0.00s)\n", out.String(), name)
	}
	env := map[string]string{"CI": "false", "TERM": "xterm"}
	lookup := func(n string) (string, bool) { v, ok := env[n]; return v, ok }
	assert.True(t, terminal.live(deps{env: lookup}))
	assert.True(t, terminal.color(deps{env: lookup}))
	env["NO_COLOR"] = "1"
	assert.True(t, terminal.live(deps{env: lookup}), "NO_COLOR is about colour alone")
	assert.False(t, terminal.color(deps{env: lookup}))
}

func TestCut(t *testing.T) {
	assert.Equal(t, "abc", cut("abc", 3))
	assert.Equal(t, "a...", cut("abcde", 4))
	assert.Equal(t, "..", cut("abcde", 2))
	assert.Empty(t, cut("abcde", 0))
	assert.Equal(t, "\u4e2d...", cut("\u4e2d\u6587\u5b57", 5), "wide letters take two columns")
}

// TestHeldTerminal: whoever tells something goes on although nobody takes it, and most of it is there in the end.
func TestHeldTerminal(t *testing.T) {
	r, w := io.Pipe()
	d := deps{stderr: w, env: func(string) (string, bool) { return "", false }}
	p := newProgress(d)
	p.above("first\n")
	line := strings.Repeat("x", 1023) + "\n"
	for range 3000 {
		p.above(line)
	}
	for i := range 3000 {
		p.on(runner.Progress{Kind: runner.TrialDone, Trial: i, Total: 3000, Title: "t", Verdict: contracts.Pass})
	}
	var got []byte
	read := make(chan error)
	go func() {
		var err error
		got, err = io.ReadAll(r)
		read <- err
	}()
	p.close()
	require.NoError(t, w.Close())
	require.NoError(t, <-read)
	text := string(got)
	assert.True(t, strings.HasPrefix(text, "first\n"), "nothing that came in time is lost")
	assert.LessOrEqual(t, len(text), 2*maxPending+1000)
	_, rest, found := strings.Cut(text, "(")
	assert.True(t, found && strings.Contains(rest, " lines are left out here: nobody took them)\n"), "and it says what is")
}
