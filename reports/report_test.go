package reports

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

func TestExitCode(t *testing.T) {
	good, bad, open := diedWell(), hung(), numbered(ev{MS: 0, Kind: timeline.Exec}, ev{MS: 1, Kind: timeline.Exit, Code: ref(1)})
	unsound := ready()
	unsound = numbered(append(unsound[:7:7], ev{MS: 102, Kind: timeline.Stop, Signal: "SIGTERM"}, ev{MS: 9000, Kind: timeline.Kill})...)
	allowed := func(t Trial) Trial { t.AllowUnstable = true; return t }
	x := func(n int, events []ev) Trial { return trial("x", "a", n, nil, events) }
	for name, c := range map[string]struct {
		want   int
		trials []Trial
	}{
		"nothing":                           {ExitInconclusive, nil},
		"all pass":                          {ExitPass, []Trial{control("c", "a", ready()), x(0, good)}},
		"one fails":                         {ExitViolated, []Trial{control("c", "a", ready()), x(0, bad), trial("y", "a", 0, nil, good)}},
		"a failure before an error":         {ExitViolated, []Trial{x(0, bad), trial("y", "a", 0, nil, broken())}},
		"an error before an open one":       {ExitHarness, []Trial{x(0, open), trial("y", "a", 0, nil, broken())}},
		"inconclusive":                      {ExitInconclusive, []Trial{x(0, open), trial("y", "a", 0, nil, good)}},
		"unstable":                          {ExitViolated, []Trial{x(1, good), x(2, bad)}},
		"unstable, as allowed":              {ExitPass, []Trial{allowed(x(1, good)), allowed(x(2, bad))}},
		"always failing is not unstable":    {ExitViolated, []Trial{allowed(x(1, bad)), allowed(x(2, bad))}},
		"cells that differ are no excuse":   {ExitViolated, []Trial{allowed(trial("x", "a", 0, map[string]string{"f": "1"}, good)), allowed(trial("x", "a", 0, map[string]string{"f": "2"}, bad))}},
		"the set-up fails":                  {ExitInconclusive, []Trial{control("c", "a", diedAlone()), x(0, bad)}},
		"the control is broken":             {ExitHarness, []Trial{control("c", "a", broken()), x(0, good)}},
		"the control violates an invariant": {ExitViolated, []Trial{control("c", "a", unsound), x(0, good)}},
	} {
		r := New("v1", "x.yaml", 1, handmade().Started)
		r.Trials = c.trials
		r.Judge()
		assert.Equal(t, c.want, r.ExitCode(), "%s: %+v", name, r.Summary)
	}
	r := New("v1", "x.yaml", 1, handmade().Started)
	r.Trials, r.Errors = []Trial{x(0, good)}, []string{"remove folder: busy"}
	r.Judge()
	assert.Equal(t, ExitHarness, r.ExitCode(), "a clean-up that is incomplete")
	r.Errors, r.Interrupted = nil, true
	assert.Equal(t, ExitInconclusive, r.ExitCode(), "what an interrupted run lacks was not shown")
}

// TestGapsOfASlice: what is left out is counted, but for figures; one event takes no more room than the line that counts it.
func TestGapsOfASlice(t *testing.T) {
	events := []ev{{Kind: timeline.Exec}}
	for range 40 {
		events = append(events, ev{Kind: timeline.Log, Text: "far"})
	}
	events = append(events, ev{Kind: timeline.Process}, ev{Kind: timeline.Exit, Code: ref(1)}, ev{Kind: timeline.Dependency}, ev{Kind: timeline.End})
	x := trial("x", "a", 0, nil, numbered(events...))
	x.Reasons = []contracts.Reason{{Rule: "r", State: contracts.Violated, Evidence: []int{42}}}
	lines := sliceText(x)
	gaps := 0
	for _, l := range lines {
		if strings.Contains(l, "left out") {
			gaps++
		}
	}
	assert.Equal(t, 1, gaps, "%q", lines)
	assert.Contains(t, lines[len(lines)-1], "observation ends", "the figures before it are not worth a line")
}

func TestSpoils(t *testing.T) {
	for _, x := range handmade().Trials {
		assert.Equal(t, x.Title == "control: smd (STRICT=1)", x.Spoils(), x.Title)
	}
}

func TestSummaryAddsUp(t *testing.T) {
	s := handmade().Summary
	assert.Equal(t, s.Experiments, s.Pass+s.Fail+s.Inconclusive+s.Error+s.Unstable)
	assert.Equal(t, 14, s.Trials)
	assert.Equal(t, 2, s.Controls)
	assert.Equal(t, 1, s.ControlsNotPassed)
}

func TestMatrix(t *testing.T) {
	for _, e := range handmade().Experiments {
		if e.Name != "postgres fails in DATABASE" {
			continue
		}
		require.Len(t, e.Cells, 2)
		assert.Equal(t, contracts.Pass, e.Cells[0].Verdict)
		assert.Equal(t, contracts.Fail, e.Cells[1].Verdict)
		assert.Equal(t, contracts.Fail, e.Verdict, "cells that differ are a failure, not instability")
		return
	}
	t.Fatal("the experiment is missing")
}

func TestSlice(t *testing.T) {
	long := trial("x", "a", 0, nil, hung())
	long.Judge()
	got := Slice(long)
	assert.LessOrEqual(t, len(got), sliceLines)
	cited := map[int]bool{}
	for i, e := range got {
		cited[e.ID] = true
		if i > 0 {
			assert.Greater(t, e.ID, got[i-1].ID, "in the order of the timeline")
		}
	}
	require.NotEmpty(t, Evidence(long))
	for _, id := range Evidence(long) {
		assert.True(t, cited[id], "event %d is evidence", id)
	}

	passed := trial("x", "a", 0, nil, diedWell())
	passed.Judge()
	require.Equal(t, contracts.Pass, passed.Verdict)
	assert.NotEmpty(t, Slice(passed), "what held can be shown too")
	assert.Empty(t, Slice(Trial{}))

	var lines []ev
	for i := range 500 {
		lines = append(lines, ev{MS: float64(i), Kind: timeline.Log, Text: fmt.Sprint("line ", i)})
	}
	silent := trial("x", "a", 0, nil, numbered(append(append([]ev{{Kind: timeline.Exec}}, lines...), ev{MS: 501, Kind: timeline.Exit, Code: ref(1)})...))
	silent.Judge()
	text := strings.Join(sliceText(silent), "\n")
	for i := 480; i < 500; i++ {
		assert.Contains(t, text, fmt.Sprintf("| line %d", i), "the last twenty lines of a phase that never came")
	}
	assert.Contains(t, text, "...", "and that something is left out")
}

func TestEveryKindHasWords(t *testing.T) {
	faults := spec("x", failsFast).Faults
	for _, k := range []timeline.Kind{
		timeline.Exec, timeline.Log, timeline.LogDropped, timeline.PhaseBegin, timeline.PhaseEnd, timeline.FaultArmed, timeline.FaultBite,
		timeline.FaultLifted, timeline.FaultSummary, timeline.Connect, timeline.Undeclared, timeline.Escape, timeline.Accept, timeline.Close,
		timeline.UpstreamError, timeline.Notify, timeline.Mark, timeline.ReadyClaim, timeline.ReadyLost, timeline.Proof, timeline.EarlyProof, timeline.Budget,
		timeline.Stop, timeline.Kill, timeline.Survivor, timeline.Exit, timeline.Restart, timeline.Dependency, timeline.Process,
		timeline.MissingEvidence, timeline.Harness, timeline.Interrupted, timeline.End, timeline.Answer, "from.the.future",
	} {
		e := ev{
			Kind: k, Text: "the text\nin \x1b[1mtwo\x1b[0m lines", Phase: "database", Source: "mark", Inexact: true, Stream: "stderr", Dependency: "postgres", Fault: "f1",
			Connection: 2, Target: "10.0.0.1:5432", Result: "refused", Name: "a thread is stored", OK: ref(false), Error: "ECONNREFUSED", Code: ref(3), Signal: "SIGTERM",
			PID: 7, Incarnation: 2, Count: map[string]float64{"lines": 3, "bytes_up": 4},
		}
		got := describe(e, faults)
		assert.NotEmpty(t, got, k)
		assert.NotContains(t, got, "\n", k)
		assert.NotContains(t, got, "\x1b", k)
		assert.NotContains(t, got, "%!", k)
		assert.NotEmpty(t, mark(k))
	}
}

func TestClean(t *testing.T) {
	assert.Equal(t, "red text", clean("\x1b[31mred\x1b[0m \x1b]0;title\x07text\x00"))
	assert.Equal(t, "a\tb\nc", clean("a\tb\r\nc"))
	assert.Equal(t, "grün", clean("grün"))
	assert.Equal(t, "overwritten", clean("\u202eoverwritten"))
	rapid.Check(t, func(t *rapid.T) {
		got := clean(string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")))
		if !utf8.ValidString(got) || clean(got) != got {
			t.Fatalf("%q is not clean", got)
		}
		for _, r := range got {
			if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Fatalf("%q is in it", r)
			}
		}
	})
}
