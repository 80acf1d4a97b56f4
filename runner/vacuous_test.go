package runner_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// A trial that shows nothing never passes, and says what to do.

func TestUnusedDependency(t *testing.T) {
	l := newLab(t)
	r := l.run(`
dependencies:
  echo: {upstream: '${var.echo}'}
  spare: {upstream: '${var.echo}'}
service:
  command: '${var.program} phase one + open a ${echo} + ask a one + phase two + ready ok + wait'
experiments:
  - name: never used
    inject: [{on: spare, from: start, fault: refuse}]
    expect: tolerate
  - name: not used in that phase
    inject: [{on: echo, during: two, fault: refuse}]
    expect: tolerate
  - name: one of two was felt
    inject: [{on: echo, from: start, fault: latency}, {on: spare, from: start, fault: latency}]
    expect: tolerate
`)
	verdict(t, only(t, r, "never used"), contracts.Inconclusive, "vacuous", "refuse on spare", "met no connection", "${spare}")
	verdict(t, only(t, r, "not used in that phase"), contracts.Inconclusive, "vacuous", "echo was not used in that time", "in phase one")
	verdict(t, only(t, r, "one of two was felt"), contracts.Inconclusive, "vacuous", "on spare")
	assert.Equal(t, reports.ExitInconclusive, r.ExitCode())
}

func TestEscapedConnection(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${var.echo} + ask a one + ready ok + wait'
experiments:
  - name: around the proxy
    inject: [{on: echo, from: start, fault: refuse}]
    expect: tolerate
  - name: both ways
    service: {command: '${var.program} phase one + open a ${echo} + open b ${var.echo} + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: tolerate
`)
	for _, name := range []string{"around the proxy", "both ways"} {
		trial := only(t, r, name)
		verdict(t, trial, contracts.Inconclusive, "escaped", "around the proxy once", l.echo, "interpose: connect")
		assert.Len(t, events(trial, timeline.Escape), 1)
		assert.Equal(t, 1, trial.Faults[0].Escaped)
	}
}

func TestFailedControl(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + say no password + exit 4'
experiments:
  - name: first
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
    repeat: 3
  - name: another way to start
    service: {command: '${var.program} open a ${echo} + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
`)
	controls := trials(r, "")
	require.Len(t, controls, 2)
	verdict(t, controls[0], contracts.Fail, "control", "exited with code 4", "without any fault")
	for _, trial := range trials(r, "first") {
		verdict(t, trial, contracts.Inconclusive, "control", "control")
		assert.Empty(t, trial.Timeline, "it was not run")
	}
	verdict(t, only(t, r, "another way to start"), contracts.Pass, "fail_fast")
	assert.Equal(t, reports.ExitInconclusive, r.ExitCode())
}

// Where nothing is injected nothing can be mistaken for it: such a trial is run and judged although its control fails.
func TestATrialWithoutAFaultStandsByItself(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + ready ok + wait'
readiness:
  - name: it can do it
    exec: {command: ['false']}
invariants: [no_false_ready]
experiments:
  - name: plain
    expect: {readiness: all}
  - name: refused
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
`)
	verdict(t, only(t, r, ""), contracts.Fail, "control", "it can do it")
	plain := only(t, r, "plain")
	verdict(t, plain, contracts.Fail, "no_false_ready", "it can do it")
	verdict(t, plain, contracts.Fail, "readiness", "did not hold")
	verdict(t, only(t, r, "refused"), contracts.Inconclusive, "control")
	assert.Equal(t, reports.ExitViolated, r.ExitCode())
}

func TestUnknownNames(t *testing.T) {
	l := newLab(t)
	_, err := l.load(`
service:
  command: '${var.program} wait'
experiments:
  - name: a
    inject: [{on: ehco, during: three, fault: refuse}]
    expect: tolerate
  - name: b
    inject: [{on: echo, during: tree, fault: refuse}]
    expect: tolerate
`)
	require.Error(t, err)
	for _, words := range []string{"ehco", "did you mean `echo`", "tree", "did you mean `three`"} {
		assert.Contains(t, err.Error(), words)
	}
}

func TestPhaseThatNeverComes(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${echo} + say last words + ready ok + wait'
experiments:
  - name: never
    inject: [{on: echo, during: three, fault: refuse}]
    expect: tolerate
  - name: no pattern matches
    service: {command: '${var.program} say phase one + open a ${echo} + ready ok + wait'}
    inject: [{on: echo, during: three, fault: refuse}]
    expect: tolerate
  - name: it exits before
    service: {command: ['${var.program}', open, a, '${echo}', +, phase, one, +, once, '${dir}/ready', '5', +, ready, ok, +, wait], restart: {policy: on-failure}}
    inject: [{on: echo, during: three, fault: refuse}]
    expect: recover
  - name: no such line
    inject: [{on: echo, from: {log: 'something else'}, fault: refuse}]
    expect: tolerate
`)
	never := only(t, r, "never")
	verdict(t, never, contracts.Inconclusive, "vacuous", "phase three never came", "phases seen: one", "last log lines")
	cited := ""
	for _, id := range never.Reasons[0].Evidence {
		cited += never.Timeline[id].Text + "\n"
	}
	assert.Contains(t, cited, "last words", "the last lines of the log are its evidence")
	verdict(t, only(t, r, "no pattern matches"), contracts.Inconclusive, "vacuous", "no phase was seen at all", "phases:")
	verdict(t, only(t, r, "it exits before"), contracts.Inconclusive, "vacuous", "phase three never came")
	verdict(t, only(t, r, "no such line"), contracts.Inconclusive, "vacuous", "never came")
}

// A service that claims to be ready and is not has lied, whatever the fault.
func TestLies(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${echo} + ready ok + say address ${echo} + say address 127.0.0.1:${port.http} + open extra 127.0.0.1:${port.http} + wait'
readiness:
  - name: it has connected
    log: '^open a ok'
invariants: [no_false_ready]
experiments:
  - name: honest
    expect: {readiness: all}
  - name: lies
    inject: [{on: echo, from: start, fault: refuse}]
    expect: tolerate
`)
	verdict(t, only(t, r, "honest"), contracts.Pass, "readiness")
	lies := only(t, r, "lies")
	verdict(t, lies, contracts.Fail, "no_false_ready", "it has connected")
	assert.Equal(t, contracts.FalseReady, lies.Outcome.Class)
	require.NotNil(t, lies.Outcome.FalseReadyMS)
	assert.Positive(t, *lies.Outcome.FalseReadyMS)
}

// Controls come before the first trial and again every twenty, and a control is judged like a trial.
func TestControls(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + must + ready ok + wait'
experiments:
  - name: many
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
    repeat: 41
`)
	assert.Len(t, trials(r, ""), 3)
	assert.Equal(t, "41 of 41", fmt.Sprintf("%d of %d", r.Experiments[0].Pass, r.Experiments[0].Trials))
	for _, at := range []int{0, 21, 42} {
		assert.True(t, r.Trials[at].Control)
	}
}

// What a service printed with its last breath was printed before it was gone.
func TestLastWordsComeBeforeTheExit(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + say READY + phase one + must + wait'
  ready: {log: '^READY'}
experiments:
  - name: ready and gone
    inject: [{on: echo, from: start, fault: refuse}]
    expect: tolerate
    repeat: 20
`)
	for _, trial := range trials(r, "ready and gone") {
		require.Equal(t, contracts.Exited, trial.Outcome.Class, show(trial))
		verdict(t, trial, contracts.Fail, "tolerate", "exited with code 3")
		exit := events(trial, timeline.Exit)
		require.Len(t, exit, 1)
		for _, e := range trial.Timeline {
			if e.Kind == timeline.Log || e.Kind == timeline.PhaseBegin || e.Kind == timeline.ReadyClaim {
				assert.Less(t, e.ID, exit[0].ID, show(trial))
			}
		}
	}
}

// One that was ready before the fault bit may still end because of it, and is watched for as long as that may take.
func TestAReadyServiceIsWatchedForItsEnd(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} say READY + hang'
  ready: {log: '^READY'}
experiments:
  - name: it ends
    service: {command: '${var.program} say READY + open a ${echo} + rest 400ms + must + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: {fail_fast: {within: 5s}}
  - name: it goes on
    service: {command: '${var.program} say READY + open a ${echo} + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: {fail_fast: {within: 1s}}
  - name: it may go on
    service: {command: '${var.program} say READY + open a ${echo} + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: {any_of: [tolerate, {fail_fast: {within: 1h}}]}
`)
	verdict(t, only(t, r, "it ends"), contracts.Pass, "fail_fast", "exited with code 3")
	verdict(t, only(t, r, "it goes on"), contracts.Fail, "fail_fast", "was still running 1", "allowed 1s")
	verdict(t, only(t, r, "it may go on"), contracts.Pass, "tolerate")
	for _, e := range events(only(t, r, "it goes on"), timeline.End) {
		assert.Equal(t, "it claims to be ready, and did not end in the time that it is given for that", e.Text)
	}
	for _, e := range events(only(t, r, "it may go on"), timeline.End) {
		assert.Equal(t, "it is ready, and the faults that are on last until the end", e.Text)
	}
}

// A draw that spared every connection is no dependency that was not used, and a bite after the stop no fault that met nothing.
func TestWhyAFaultMetNothing(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${echo} + ask a one + ready ok + wait'
experiments:
  - name: spared
    inject: [{on: echo, from: start, fault: reset, toxicity: 0.000001}]
    expect: tolerate
  - name: stopped before
    service: {command: '${var.program} deaf + phase one + open a ${echo} + must + ready ok + wait'}
    inject: [{on: echo, during: one, fault: refuse}]
    stop: {during: one}
    expect: stop
`)
	verdict(t, only(t, r, "spared"), contracts.Inconclusive, "vacuous", "spared what came in that time (1 connection)", "toxicity is 1e-06", "raise toxicity")
	verdict(t, only(t, r, "stopped before"), contracts.Inconclusive, "vacuous", "after the service had been asked to stop", "`after` under `stop`")
}
