package runner_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// What it says while it stops is found, however often it said it before, and however much it says then.
func TestLogOfTheStop(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command:
    - sh
    - -c
    - |
      trap 'echo "goes down"; seq 300; exit 0' TERM
      yes "goes down" | head -n 400
      echo serving
      while :; do sleep 0.05; done
  ready: {log: serving}
experiments:
  - name: says so
    stop: {when: ready}
    expect: {stop: {log: 'goes down'}}
`)
	verdict(t, only(t, r, "says so"), contracts.Pass, "stop", "its log says that it stops: goes down")
}

// The signal is there before the first connection of the phase that it waits for, the restart policy does not undo it, and whoever is deaf to it
// is killed and told.
func TestStopDuringAPhase(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: ['${var.program}', open, a, '${echo}', +, phase, one, +, phase, two, +, open, b, '${echo}', +, ready, ok, +, wait]
  restart: {policy: always, max: 3}
experiments:
  - name: polite
    stop: {during: two}
    expect: stop
  - name: deaf
    service: {command: ['${var.program}', deaf, +, phase, one, +, phase, two, +, hang], stop: {grace: 300ms}, budget: 1s}
    stop: {during: two}
    expect: stop
  - name: a moment after another signal
    service: {command: ['${var.program}', phase, one, +, phase, two, +, ready, ok, +, hang], restart: {policy: never}}
    stop: {when: ready, after: 5ms, signal: SIGINT}
    expect: {stop: {exit_code: 130}}
  - name: the moment never comes
    stop: {during: four}
    expect: stop
  - name: at once
    stop: {when: start}
    expect: stop
`)
	polite := only(t, r, "polite")
	verdict(t, polite, contracts.Pass, "stop", "asked to stop with SIGTERM in phase two")
	assert.Len(t, events(polite, timeline.Exit), 1, "it was not started again")
	asked := events(polite, timeline.Stop)
	require.Len(t, asked, 1, "it was asked once")
	for _, e := range events(polite, timeline.Connect)[1:] {
		assert.GreaterOrEqual(t, e.MS, asked[0].MS, "phase two connects with the signal on its way")
	}
	assert.Equal(t, contracts.Stopped, polite.Outcome.Class)

	verdict(t, only(t, r, "deaf"), contracts.Fail, "stop", "it went on, and was killed")
	other := only(t, r, "a moment after another signal")
	verdict(t, other, contracts.Fail, "stop", "was ended by SIGINT", "expected code 130")
	assert.NotNil(t, other.Outcome.ReadyMS)
	verdict(t, only(t, r, "the moment never comes"), contracts.Inconclusive, "vacuous", "phase four never came")
	verdict(t, only(t, r, "at once"), contracts.Pass, "stop")
}

// The second start meets what the first one left behind, and no fault.
func TestThenRestart(t *testing.T) {
	const start = `[sh, -c, 'if [ -e "$1/lock" ]; then echo stale lock; exit 4; fi; $3; exec "$0" open a "$2" + must + ready ok + wait', '${var.program}', '${dir}', '${echo}', `
	l := newLab(t)
	r := l.run(`
service:
  command: ` + start + `'true']
readiness:
  - {name: it is there, tcp: {address: '127.0.0.1:${port.http}'}}
experiments:
  - name: sound
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
    then_restart: true
  - name: poisoned
    service: {command: ` + start + `'touch ${dir}/lock']}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
    then_restart: {within: 15s}
  - name: after an orderly stop
    expect: {readiness: all}
    then_restart: true
`)
	sound := only(t, r, "sound")
	verdict(t, sound, contracts.Pass, "then_restart", "it was ready")
	assert.Equal(t, contracts.Exited, sound.Outcome.Class)
	require.NotNil(t, sound.ThenRestart)
	assert.Equal(t, contracts.Ready, sound.ThenRestart.Class)
	assert.Len(t, events(sound, timeline.FaultSummary), 1)
	poisoned := only(t, r, "poisoned")
	verdict(t, poisoned, contracts.Fail, "then_restart", "started again with no fault on, it exited with code 4")
	assert.Contains(t, logged(poisoned), "stale lock")
	verdict(t, only(t, r, "after an orderly stop"), contracts.Pass, "then_restart", "it was ready")
}

// What the processes hold is seen when it is ready and at the end, told apart by what it is for.
func TestUsageIsAttributed(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: ['${var.program}', open, a, '${echo}', +, open, b, '${echo}', +, ask, a, hello, +, ready, ok, +, wait]
invariants: [{no_leaked_fds: {growth: 2}}, {memory: {max: 512MiB}}, {threads: {max: 500}}]
experiments:
  - name: plain
    inject: [{on: echo, from: start, fault: {latency: 1ms}}]
    expect: tolerate
`)
	trial := only(t, r, "plain")
	assert.Equal(t, contracts.Pass, trial.Verdict, show(trial))
	seen := map[string]timeline.Event{}
	for _, e := range events(trial, timeline.Process) {
		seen[e.Source] = e
	}
	for _, source := range []string{"ready", "end"} {
		require.Contains(t, seen, source, show(trial))
		count := seen[source].Count
		assert.InDelta(t, 2, count["sockets_to.echo"], 0, source)
		assert.InDelta(t, 1, count["sockets_listening"], 0, source)
		assert.GreaterOrEqual(t, count["pipes"], 2.0, source)
		assert.Positive(t, count["rss_bytes"], source)
		assert.LessOrEqual(t, count["rss_bytes"], count["max_rss_bytes"], source)
	}
	require.Len(t, events(trial, timeline.Control), 1)
	assert.InDelta(t, 2, events(trial, timeline.Control)[0].Count["sockets_to.echo"], 0)
}

// A secret in the log is found however it was given, and neither the finding nor the report shows it. A password that is but a word is none.
func TestSecretsInLogs(t *testing.T) {
	l := newLab(t)
	l.vars["declared"] = "d3clared-value"
	r := l.run(`
secrets: [declared]
service:
  command: ['${var.program}', say, 'the app starts', +, ready, ok, +, wait]
  env: {LAB: '${var.mark}', PORT: '${port.http}', API_TOKEN: t0ken-value, DECLARED: '${var.declared}', DSN: 'postgres://app:p%40ss-word@h/db', CACHE_URL: 'redis://:app@h'}
invariants: [no_secrets_in_logs]
readiness: [{name: it is there, tcp: {address: '127.0.0.1:${port.http}'}}]
experiments:
  - name: silent
    service: {command: ['${var.program}', say, 'the app starts', +, ready, ok, +, wait]}
    expect: {readiness: all}
  - name: a word where it is a password
    service: {command: ['${var.program}', say, 'redis://:app@h', +, ready, ok, +, wait]}
    expect: {readiness: all}
  - name: told
    matrix: {text: [t0ken-value, d3clared-value, 'with p@ss-word', 'at p%40ss-word']}
    service: {command: ['${var.program}', say, 'using ${text}', +, ready, ok, +, wait]}
    expect: {readiness: all}
`)
	verdict(t, only(t, r, "silent"), contracts.Pass, "no_secrets_in_logs", "no log line holds a secret")
	verdict(t, only(t, r, "a word where it is a password"), contracts.Fail, "no_secrets_in_logs", "the password in CACHE_URL")
	for _, trial := range trials(r, "told") {
		var texts []string
		for _, reason := range trial.Reasons {
			if reason.Rule == "no_secrets_in_logs" && reason.State == contracts.Violated {
				texts = append(texts, reason.Text)
			}
		}
		require.Len(t, texts, 1, show(trial))
		assert.Contains(t, texts[0], "using ")
		assert.Contains(t, texts[0], "***")
	}
	var out bytes.Buffer
	require.NoError(t, reports.WriteJSON(&out, r))
	for _, event := range r.Trials {
		for _, line := range logged(event) {
			for _, value := range []string{"t0ken-value", "d3clared-value", "p@ss-word", "p%40ss-word"} {
				assert.False(t, strings.Contains(line, value), line)
			}
		}
	}
}
