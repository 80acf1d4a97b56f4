package runner_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
	"github.com/chaos-startup/chaos/timeline"
)

// toxic makes 20 connections of which a share is under each fault.
const toxic = `
service:
  command: '${var.program} crowd 20 ${echo} + ready ok + wait'
experiments:
  - name: reset
    inject: [{on: echo, from: start, toxicity: 0.3, fault: reset}]
    expect: tolerate
    repeat: 3
  - name: refuse
    inject: [{on: echo, from: start, toxicity: 0.3, fault: refuse}]
    expect: tolerate
    repeat: 3
  - name: two
    inject: [{on: echo, from: start, toxicity: 0.3, fault: accept_close}, {on: echo, from: start, toxicity: 0.3, fault: reset}]
    expect: tolerate
    repeat: 3
`

// decisions lists what each connection of each trial met, by title.
func decisions(t testing.TB, r *reports.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, trial := range r.Trials {
		if !trial.Control {
			out[trial.Title] = told(t, trial, "crowd ")
		}
	}
	return out
}

// The same file and seed decide the same, whatever runs beside it and in whichever order.
func TestSameSeedSameDecisions(t *testing.T) {
	l := newLab(t)
	run := func(seed uint64, parallel int) *reports.Report {
		l.opts.Parallel = parallel
		r, err := runner.Run(l.ctx, l.plan(toxic, experiments.Selection{Seed: &seed}), l.opts)
		require.NoError(t, err)
		l.clean(r)
		return r
	}
	alone, crowded, other := run(7, 1), run(7, 4), run(8, 4)
	assert.Equal(t, decisions(t, alone), decisions(t, crowded))
	assert.NotEqual(t, decisions(t, alone), decisions(t, other))
	assert.NotEqual(t, decisions(t, alone)["reset #1"], decisions(t, alone)["reset #2"], "each trial has a seed of its own")
	hit := 0
	for i := range alone.Trials {
		one, two := alone.Trials[i], crowded.Trials[i]
		assert.Equal(t, []any{one.Title, one.Seed, one.Verdict}, []any{two.Title, two.Seed, two.Verdict})
		if one.Control {
			continue
		}
		bitten := 20 - strings.Count(told(t, one, "crowd "), ":ok")
		total := 0
		for _, f := range one.Faults {
			total += f.ConnectionsHit
		}
		assert.GreaterOrEqual(t, total, bitten, show(one))
		if len(one.Faults) == 1 {
			assert.Equal(t, bitten, total, "%s: what the fault counts is what the service met", one.Title)
			hit += bitten
		}
	}
	assert.InDelta(t, 0.3*120, hit, 25, "the share of all connections")
}

// A title alone plays a trial again as it was.
func TestReplayOfOneTrial(t *testing.T) {
	l := newLab(t)
	l.opts.Replay = func(title string) string { return "chaos run --only " + title }
	whole := l.run(toxic)
	f, err := l.load(toxic)
	require.NoError(t, err)
	plan, err := f.Expand(experiments.Selection{Only: regexp.MustCompile("^reset #2$"), Seed: &whole.Seed})
	require.NoError(t, err)
	again, err := runner.Run(l.ctx, plan, l.opts)
	require.NoError(t, err)
	require.Len(t, trials(again, "reset"), 1)
	assert.Equal(t, decisions(t, whole)["reset #2"], decisions(t, again)["reset #2"])
	assert.Equal(t, "chaos run --only reset #2", trials(again, "reset")[0].Replay)
}

// Trials that disagree are unstable, with the counts, and fail the run unless that is allowed.
func TestUnstable(t *testing.T) {
	for allowed, exit := range map[string]int{"false": reports.ExitViolated, "true": reports.ExitPass} {
		l := newLab(t)
		l.vars["allowed"] = allowed
		l.opts.Parallel = 3
		r := l.run(`
service:
  command: '${var.program} open a ${echo} + ask a hi + unless ${trial} t3 ready ok + wait'
  budget: 2s
experiments:
  - name: now and then
    inject: [{on: echo, from: start, fault: {latency: 1ms}}]
    expect: tolerate
    repeat: 5
    allow_unstable: ${var.allowed}
`)
		e := r.Experiments[0]
		assert.Equal(t, contracts.Unstable, e.Verdict)
		assert.Equal(t, []int{5, 4, 1}, []int{e.Trials, e.Pass, e.Fail})
		assert.InDelta(t, 0.8, *e.PassRate, 1e-9)
		assert.InDelta(t, 0.376, e.Wilson95[0], 0.001)
		assert.InDelta(t, 0.964, e.Wilson95[1], 0.001)
		assert.Equal(t, exit, r.ExitCode())
	}
}

// Secrets are in no report, whoever says them.
func TestSecretsAreMasked(t *testing.T) {
	l := newLab(t)
	l.vars["token"] = "s3cr3t-t0ken"
	l.vars["long"] = strings.Repeat("x", 5000)
	r := l.run(`
secrets: [token]
service:
  command: '${var.program} open a ${echo} + say my token is ${var.token} + notify STATUS=${var.token} + part dsn postgres://u:hunter2@h/db + must + ready ok + wait'
experiments:
  - name: leaks
    inject: [{on: echo, from: start, fault: refuse}]
    expect: {fail_fast: {log: 's3cr3t'}}
  - name: long
    service: {command: '${var.program} open a ${echo} + part ${var.long} + say the cause + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: {fail_fast: {log: 'the cause'}}
`)
	trial := only(t, r, "leaks")
	verdict(t, trial, contracts.Pass, "fail_fast")
	verdict(t, only(t, r, "long"), contracts.Pass, "fail_fast") // what is looked for is found behind what is shown of a line
	var b strings.Builder
	require.NoError(t, reports.WriteJSON(&b, r))
	assert.NotContains(t, strings.ReplaceAll(b.String(), `"log":"s3cr3t"`, ""), "s3cr3t-t0ken")
	assert.NotContains(t, b.String(), "hunter2")
	assert.Contains(t, told(t, trial, "my token is"), "***")
	assert.NotEmpty(t, events(trial, timeline.Notify))
}
