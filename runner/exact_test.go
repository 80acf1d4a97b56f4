package runner_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/internal/racedetector"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// exactRuns is how many trials each exactness test takes; the benchmarks take 1,000.
const exactRuns = 200 / racedetector.Slowdown

// openConnection prints a phase and at once sends on a connection that it opened long before. The fault delays what the service sends in phase
// three: so it always finds out by itself, at its own pace, and what the fault met is counted in bytes.
const openConnection = `
service:
  command: '${var.program} phase one + open a ${echo} + ask a one + phase two + ask a two + phase three + ask a three + phase four + ask a four + ready ok + wait'
experiments:
  - name: open
    inject: [{on: echo, during: three, fault: {latency: {delay: 20ms, direction: upstream}}}]
    expect: tolerate
    repeat: ${var.repeat}
`

// newConnection prints a phase and at once connects.
const newConnection = `
service:
  command: '${var.program} phase one + open a ${echo} + phase two + open b ${echo} + phase three + open c ${echo} + phase four + open d ${echo} + ask d four + ready ok + wait'
experiments:
  - name: connect
    inject: [{on: echo, during: three, fault: refuse}]
    expect: tolerate
    repeat: ${var.repeat}
`

// newLookup prints a phase and at once looks a name up.
const newLookup = `
dependencies: {echo: {upstream: '${var.echo}', names: [echo.internal]}}
service:
  command: '${var.program} phase one + look a echo.internal + phase two + look b echo.internal + phase three + look c echo.internal + phase four + look d echo.internal + ready ok + wait'
experiments:
  - name: look
    inject: [{on: echo, during: three, fault: dns}]
    expect: tolerate
    repeat: ${var.repeat}
`

// tally is in how many trials a fault for phase three was felt there, and in how many it was felt elsewhere.
type tally struct{ trials, hit, spilled int }

func (c tally) String() string {
	return fmt.Sprintf("%d of %d in their phase, %d in another", c.hit, c.trials, c.spilled)
}

// exactOpen counts the trials of openConnection by what the fault itself met, and by what the service measured.
func exactOpen(t testing.TB, list []reports.Trial) tally {
	t.Helper()
	c := tally{trials: len(list)}
	for _, trial := range list {
		require.Equal(t, contracts.Pass, trial.Verdict, show(trial))
		require.Len(t, trial.Faults, 1)
		measured := felt(t, trial)
		if f := trial.Faults[0]; f.BytesHit == int64(len("three\n")) && f.ConnectionsHit == 1 && measured["three"] >= 20_000 && between(t, trial) {
			c.hit++
		} else {
			c.spilled++
		}
	}
	return c
}

// felt returns the microseconds that each question took, as the service measured it.
func felt(t testing.TB, trial reports.Trial) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, line := range logged(trial) {
		var id, text, result string
		var us int
		if n, err := fmt.Sscanf(line, "ask %s %s %s %d", &id, &text, &result, &us); n == 4 && err == nil {
			assert.Equal(t, "ok", result, line)
			out[text] = us
		}
	}
	return out
}

// between says whether the fault came on, bit and was lifted in that order, all of it from the begin of its phase to the begin of the next.
func between(t testing.TB, trial reports.Trial) bool {
	t.Helper()
	order := ""
	for _, e := range trial.Timeline {
		switch {
		case e.Kind == timeline.PhaseBegin:
			order += " " + e.Phase
			assert.False(t, e.Inexact)
		case e.Kind == timeline.FaultArmed, e.Kind == timeline.FaultBite, e.Kind == timeline.FaultLifted:
			order += " " + string(e.Kind)
		}
	}
	// The end of a phase lifts its fault before the begin of the next is told.
	return assert.Equal(t, " one two three fault.armed fault.bite fault.lifted four", order, show(trial))
}

// exactConnect counts the trials of newConnection.
func exactConnect(t testing.TB, list []reports.Trial) tally {
	t.Helper()
	c := tally{trials: len(list)}
	for _, trial := range list {
		require.Equal(t, contracts.Pass, trial.Verdict, show(trial))
		if told(t, trial, "open c") == "ECONNREFUSED" {
			c.hit++
		}
		for _, id := range []string{"a", "b", "d"} {
			if told(t, trial, "open "+id) != "ok" {
				c.spilled++
			}
		}
		figures := trial.Dependencies["echo"]
		require.NotNil(t, figures.Attempts)
		assert.Equal(t, []int{4, 1}, []int{*figures.Attempts, *figures.Refused}, "attempts, refused")
		between(t, trial)
		assert.Equal(t, "one connect two connect three connect four connect", connectsIn(trial), "each connect stands in its phase")
	}
	return c
}

// exactLookup counts the trials of newLookup.
func exactLookup(t testing.TB, list []reports.Trial) tally {
	t.Helper()
	c := tally{trials: len(list)}
	for _, trial := range list {
		require.Equal(t, contracts.Pass, trial.Verdict, show(trial))
		if told(t, trial, "look c") == "no such host" {
			c.hit++
		}
		for _, id := range []string{"a", "b", "d"} {
			if !strings.HasPrefix(told(t, trial, "look "+id), "ok 127.") {
				c.spilled++
			}
		}
		between(t, trial)
	}
	return c
}

// connectsIn lists phases and connects in the order of the timeline.
func connectsIn(trial reports.Trial) string {
	var order []string
	for _, e := range trial.Timeline {
		switch e.Kind {
		case timeline.PhaseBegin:
			order = append(order, e.Phase)
		case timeline.Connect:
			order = append(order, "connect")
		}
	}
	return strings.Join(order, " ")
}

// exactly runs text n times and returns the trials of its one experiment.
func exactly(t testing.TB, text string, n, parallel int) []reports.Trial {
	t.Helper()
	l := newLab(t)
	l.vars["repeat"] = fmt.Sprint(n)
	l.opts.Parallel = parallel
	r := l.run(text)
	name := r.Experiments[0].Name
	require.Equal(t, contracts.Pass, r.Experiments[0].Verdict)
	require.Len(t, trials(r, name), n)
	return trials(r, name)
}

// oneCore pins this process and everything that it starts from now on to one core until the end of the test.
func oneCore(t testing.TB) {
	t.Helper()
	all, err := affinity()
	if err != nil {
		t.Skipf("the cores of this process can't be read: %v", err)
	}
	var one unix.CPUSet
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	require.NoError(t, pin(&one))
	t.Cleanup(func() { assert.NoError(t, pin(all)) })
}

func TestPhaseExactOpenConnection(t *testing.T) {
	assert.Equal(t, tally{trials: exactRuns, hit: exactRuns}, exactOpen(t, exactly(t, openConnection, exactRuns, 8)))
}

func TestPhaseExactOpenConnectionOneCore(t *testing.T) {
	oneCore(t)
	assert.Equal(t, tally{trials: exactRuns, hit: exactRuns}, exactOpen(t, exactly(t, openConnection, exactRuns, 4)))
}

func TestPhaseExactConnect(t *testing.T) {
	needsInterceptor(t)
	assert.Equal(t, tally{trials: exactRuns, hit: exactRuns}, exactConnect(t, exactly(t, newConnection, exactRuns, 4)))
}

func TestPhaseExactConnectOneCore(t *testing.T) {
	needsInterceptor(t)
	oneCore(t)
	assert.Equal(t, tally{trials: exactRuns, hit: exactRuns}, exactConnect(t, exactly(t, newConnection, exactRuns, 4)))
}

func TestPhaseExactLookup(t *testing.T) {
	needsNames(t)
	assert.Equal(t, tally{trials: exactRuns, hit: exactRuns}, exactLookup(t, exactly(t, newLookup, exactRuns, 4)))
}

func TestPhaseExactLookupOneCore(t *testing.T) {
	needsNames(t)
	oneCore(t)
	assert.Equal(t, tally{trials: exactRuns, hit: exactRuns}, exactLookup(t, exactly(t, newLookup, exactRuns, 4)))
}
