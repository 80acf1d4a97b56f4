package runner_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// What proofs and load make a service do is not taken for its retries; what it does by itself meanwhile is.
func TestAttemptsThatChaosCaused(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + target ${echo} + ready ok + wait'
readiness: [{name: dials, needs: [echo], http: {url: 'http://127.0.0.1:${port.http}/dial'}, parallel: 10}]
invariants: [{retry: {max_attempts: 5, max_rate: 5/s}}]
experiments:
  - name: ten at once
    inject: [{on: echo, from: ready, for: 300ms, fault: refuse}]
    expect: recover
  - name: loaded
    inject: [{on: echo, from: ready, for: 700ms, fault: reset}]
    traffic: {rate: 20/s, for: 1s, steps: [{name: dial, http: {url: 'http://127.0.0.1:${port.http}/dial'}}], sla: {errors: 1}}
    expect: recover
  - name: by itself
    service: {command: '${var.program} phase one + many 40 open a ${echo} + target ${echo} + ready ok + wait'}
    inject: [{on: echo, during: one, fault: refuse}]
    expect: tolerate
`)
	for _, name := range []string{"ten at once", "loaded"} {
		trial := only(t, r, name)
		verdict(t, trial, contracts.Inconclusive, "retry", "while chaos asked something of it")
		connects := events(trial, timeline.Connect)
		require.NotEmpty(t, connects)
		for _, e := range connects {
			assert.Positive(t, e.Count["proving"], "%+v", e)
			assert.GreaterOrEqual(t, e.Count["asked"], e.Count["proved"])
		}
	}
	verdict(t, only(t, r, "by itself"), contracts.Fail, "retry", "of them while chaos asked something of it", "(at most 5)")
}
