package runner_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// asked lists the questions that were answered and those that were not: "one two !three".
func asked(trial reports.Trial) string {
	var out []string
	for _, line := range logged(trial) {
		f := strings.Fields(line)
		if len(f) != 5 || f[0] != "ask" {
			continue
		}
		if f[3] != "ok" {
			f[2] = "!" + f[2]
		}
		out = append(out, f[2])
	}
	return strings.Join(out, " ")
}

// faultOrder lists what became of the faults: "+f1 *f1 -f1".
func faultOrder(trial reports.Trial) string {
	var out []string
	for _, e := range trial.Timeline {
		switch e.Kind {
		case timeline.FaultArmed:
			out = append(out, "+"+e.Fault)
		case timeline.FaultBite:
			out = append(out, "*"+e.Fault)
		case timeline.FaultLifted:
			out = append(out, "-"+e.Fault)
		}
	}
	return strings.Join(out, " ")
}

// Triggers are moments of the byte stream, of the log and of connections. Each service makes one connection for each question, so that what
// is not answered shows when the fault was on.
func TestTriggers(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: >-
    ${var.program} open a ${echo} + ask a one + say chapter 2 + open b ${echo} + ask b two + phase one + open c ${echo} + ask c three +
    phase two + open d ${echo} + ask d four + phase three + open e ${echo} + ask e five + ready ok + wait
experiments:
  - name: sends
    inject: [{on: echo, when: {sends: 'thr.e'}, until: {sends: 'five'}, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
  - name: receives
    inject: [{on: echo, when: {receives: 'two'}, until: {receives: 'nothing'}, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
  - name: log
    inject: [{on: echo, from: {log: 'chapter \d'}, until: {log: 'PHASE two'}, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
  - name: from phase until phase
    inject: [{on: echo, from: one, until: three, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
  - name: nth connection
    inject: [{on: echo, from: {connect: echo, nth: 2}, until: {connect: echo, nth: 4}, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
  - name: connections
    inject: [{on: echo, from: start, connections: 2, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
  - name: until the connection
    inject: [{on: echo, from: start, until: {connect: echo, nth: 3}, fault: accept_close}]
    expect: {any_of: [tolerate, recover]}
`)
	for name, want := range map[string]string{
		"sends":                  "one two three !four !five", // the connection that sent it is open already
		"receives":               "one two !three !four !five",
		"log":                    "one !two !three four five",
		"from phase until phase": "one two !three !four five",
		"nth connection":         "one !two !three four five",
		"connections":            "!one !two three four five",
		"until the connection":   "!one !two three four five",
	} {
		trial := only(t, r, name)
		verdict(t, trial, contracts.Pass, "")
		assert.Equal(t, want, asked(trial), "%s\n%s", name, show(trial))
	}
}

// A fault that lasts for a time is lifted by it, and recovery counts from there.
func TestForAndAfter(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + retry a ${echo} + phase two + ready ok + wait'
readiness:
  - {name: alive, tcp: {address: '127.0.0.1:${port.http}'}}
experiments:
  - name: for
    inject: [{on: echo, during: one, for: 500ms, fault: refuse}]
    expect: {recover: {within: 10s}}
  - name: until ready
    inject: [{on: echo, from: start, until: ready, fault: {latency: 1ms}}]
    expect: tolerate
  - name: after ready
    inject: [{on: echo, from: ready, after: 10ms, for: 20ms, fault: reset}]
    expect: recover
`)
	trial := only(t, r, "for")
	verdict(t, trial, contracts.Pass, "recover")
	assert.Equal(t, "+f1 *f1 -f1", faultOrder(trial))
	f := trial.Faults[0]
	require.NotNil(t, f.LiftedMS)
	assert.GreaterOrEqual(t, *f.LiftedMS-*f.ArmedMS, 500.0)
	assert.False(t, f.LiftedAtEnd)
	assert.Greater(t, *trial.Outcome.ReadyMS, *f.LiftedMS)
	verdict(t, only(t, r, "until ready"), contracts.Pass, "tolerate")
	after := only(t, r, "after ready")
	verdict(t, after, contracts.Pass, "recover")
	assert.GreaterOrEqual(t, *after.Faults[0].ArmedMS-*after.Outcome.ReadyMS, 10.0)
	alive := 0
	for _, e := range events(after, timeline.Proof) {
		if e.MS > *after.Faults[0].LiftedMS {
			alive++
		}
	}
	assert.Positive(t, alive, "what was proved is proved once more after the lift")
}

// flap is down and up by turns.
func TestFlap(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + retry a ${echo} + phase two + ready ok + wait'
experiments:
  - name: flap
    inject: [{on: echo, from: start, for: 1500ms, fault: {flap: {up: 10s, down: 700ms}}}]
    expect: {any_of: [tolerate, recover]}
`)
	trial := only(t, r, "flap")
	verdict(t, trial, contracts.Pass, "")
	assert.NotEqual(t, "ok 1", told(t, trial, "retry a"), "it was down at first")
	assert.Positive(t, trial.Faults[0].ConnectionsHit)
}

// The runner plays the orchestrator: it starts again what exits, as the policy says.
func TestRestartPolicies(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${echo} + must + phase two + ready ok + wait'
experiments:
  - name: never
    inject: [{on: echo, from: start, for: 800ms, fault: refuse}]
    expect: fail_fast
  - name: on-failure
    service: {restart: {policy: on-failure, max: 50, backoff: 20ms, max_backoff: 40ms}}
    inject: [{on: echo, from: start, for: 800ms, fault: refuse}]
    expect: {recover: {within: 10s, restarts: 50}}
  - name: too often
    service: {restart: {policy: on-failure, max: 2, backoff: 1ms}}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
  - name: in each incarnation
    service: {restart: {policy: always, max: 3, backoff: 1ms}}
    inject: [{on: echo, during: one, fault: refuse}]
    expect: fail_fast
  - name: success is no failure
    service: {command: '${var.program} open a ${echo} + phase one + exit 0', ready: {log: '^PHASE one'}, restart: {policy: on-failure, backoff: 1ms}}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
`)
	verdict(t, only(t, r, "never"), contracts.Pass, "fail_fast")
	again := only(t, r, "on-failure")
	verdict(t, again, contracts.Pass, "recover")
	assert.Positive(t, again.Outcome.Restarts)
	assert.Len(t, events(again, timeline.Exec), again.Outcome.Restarts+1)
	often := only(t, r, "too often")
	assert.Len(t, events(often, timeline.Exec), 3)
	assert.Equal(t, contracts.Restarting, often.Outcome.Class)
	each := only(t, r, "in each incarnation")
	assert.Equal(t, "+f1 *f1 -f1 +f1 *f1 -f1 +f1 *f1 -f1 +f1 *f1 -f1", faultOrder(each), show(each))
	success := trials(r, "")
	last := success[len(success)-1]
	assert.Len(t, events(last, timeline.Exec), 1, show(last))
}
