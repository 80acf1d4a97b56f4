package runner_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// liars claim to be ready and can work so much later.
var liars = []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// lying is a file with an experiment for each of a list of such services; verb is lie or late.
func lying(verb string, apart []time.Duration, repeat int, invariants string) string {
	var b strings.Builder
	b.WriteString(`
service:
  command: '${var.program} hang'
readiness:
  - name: it works
    needs: [echo]
    http: {url: 'http://127.0.0.1:${port.http}/work'}
invariants: [` + invariants + `]
experiments:
`)
	for _, d := range apart {
		fmt.Fprintf(&b, "  - {name: %q, service: {command: '${var.program} serve + %s %s + wait'}, expect: {readiness: all}, repeat: %d}\n", d, verb, d, repeat)
	}
	return b.String()
}

// truth is how long the service was falsely ready, or late, by its own clock, in milliseconds.
func truth(t testing.TB, trial reports.Trial) float64 {
	t.Helper()
	us, err := strconv.ParseFloat(told(t, trial, "truth "), 64)
	require.NoError(t, err)
	return us / 1000
}

// rounding is what is lost when times are written in microseconds, several times over.
const rounding = 0.01

// The true window lies in the interval that the report gives, whatever the machine does meanwhile.
func TestFalseReadyWindowHoldsTheTruth(t *testing.T) {
	l := newLab(t)
	l.opts.Parallel = 4
	r := l.run(lying("lie", liars, 1, "no_false_ready"))
	for _, d := range liars {
		trial := only(t, r, d.String())
		really := truth(t, trial)
		if trial.Outcome.Class != contracts.FalseReady {
			assert.Less(t, d, 2*time.Second, "so long a lie is seen: %s", show(trial))
			verdict(t, trial, contracts.Pass, "readiness")
			continue // the first to ask asked too late
		}
		require.NotZero(t, d, show(trial))
		verdict(t, trial, contracts.Fail, "no_false_ready", "falsely ready for", "it points at echo")
		o := trial.Outcome
		require.NotNil(t, o.FalseReadyWithinMS)
		t.Logf("really %.1f ms, measured %.1f ms, within %.1f", really, *o.FalseReadyMS, *o.FalseReadyWithinMS)
		assert.GreaterOrEqual(t, really, o.FalseReadyWithinMS[0]-rounding, show(trial))
		assert.LessOrEqual(t, really, o.FalseReadyWithinMS[1]+rounding, show(trial))
		require.Len(t, trial.FalseReady, 1)
		assert.Equal(t, "held", trial.FalseReady[0].Ended)
		assert.Equal(t, "it works", trial.FalseReady[0].Proof)
		assert.Contains(t, trial.FalseReady[0].Error, "503")
	}
}

// A proof that takes long keeps no other from being asked.
func TestASlowProofDelaysNoOther(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} lie 300ms + wait'
readiness:
  - {name: slow, timeout: 60s, http: {url: 'http://127.0.0.1:${port.http}/slow'}}
  - {name: it works, http: {url: 'http://127.0.0.1:${port.http}/work'}}
invariants: [no_false_ready]
experiments:
  - {name: two, expect: {readiness: all}}
`)
	trial := only(t, r, "two")
	verdict(t, trial, contracts.Fail, "no_false_ready", "`it works` failed")
	really := truth(t, trial)
	assert.LessOrEqual(t, really, trial.Outcome.FalseReadyWithinMS[1]+rounding, show(trial))
	proofs := events(trial, timeline.Proof)
	slow := slices.IndexFunc(proofs, func(e timeline.Event) bool { return e.Name == "slow" && *e.OK })
	works := slices.IndexFunc(proofs, func(e timeline.Event) bool { return e.Name == "it works" && *e.OK })
	require.True(t, slow >= 0 && works >= 0, show(trial))
	assert.Less(t, works, slow, show(trial))
	attempts := 0.0
	for _, e := range proofs[:works+1] {
		if e.Name == "it works" {
			attempts += e.Count["attempts"]
		}
	}
	assert.Greater(t, attempts, 2.0, "asked again while the other took its time: %s", show(trial))
}

// A proof that held is asked again while the trial goes on.
func TestAProofThatHeldAndFailsLaterIsAFinding(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + ask a one + lie 0s + rest 300ms + work no + rest 300ms + work yes + wait'
readiness:
  - {name: it works, again: 50ms, http: {url: 'http://127.0.0.1:${port.http}/work'}}
  - {name: only once, again: 0s, http: {url: 'http://127.0.0.1:${port.http}/work'}}
invariants: [no_false_ready]
experiments:
  - name: later
    inject: [{on: echo, from: start, for: 2s, fault: {latency: 1ms}}]
    expect: {any_of: [tolerate, recover]}
`)
	trial := only(t, r, "later")
	verdict(t, trial, contracts.Fail, "no_false_ready", "`it works` failed", "after it had held, and held again only at")
	require.Len(t, trial.FalseReady, 1)
	w := trial.FalseReady[0]
	assert.True(t, w.Again)
	assert.LessOrEqual(t, w.WithinMS[0], w.ForMS)
	assert.GreaterOrEqual(t, w.WithinMS[1], w.ForMS)
	once := 0
	for _, e := range events(trial, timeline.Proof) {
		if e.Name == "only once" {
			once++
		}
	}
	assert.Equal(t, 2, once, "at the claim and after the lift: %s", show(trial))
}

// A service that works long before it says so is late; one that says so at once is not.
func TestLateReadyHoldsTheTruth(t *testing.T) {
	l := newLab(t)
	l.opts.Parallel = 4
	apart := []time.Duration{0, 2 * time.Second}
	r := l.run(lying("late", apart, 1, "no_false_ready, {late_ready: {within: 500ms}}"))
	verdict(t, only(t, r, "0s"), contracts.Pass, "")
	trial := only(t, r, "2s")
	verdict(t, trial, contracts.Fail, "late_ready", "every proof held from", "`it works` was the last", "late by")
	really := truth(t, trial)
	require.NotNil(t, trial.Outcome.LateReadyMS)
	claim := events(trial, timeline.ReadyClaim)[0]
	early := events(trial, timeline.EarlyProof)
	held := early[len(early)-1]
	require.True(t, *held.OK, show(trial))
	t.Logf("really %.1f ms, measured %.1f ms", really, *trial.Outcome.LateReadyMS)
	assert.GreaterOrEqual(t, really, claim.Count["asked_ms"]-held.MS-rounding, show(trial))
	if failed, ok := held.Count["failed_ms"]; ok {
		assert.LessOrEqual(t, really, claim.MS-failed+rounding, show(trial))
	}
}
