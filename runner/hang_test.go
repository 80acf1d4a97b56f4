package runner_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// knocking prints a phase and at once connects, with a time limit; what it opened before goes on. In four a connect that began in three and still
// waits would get through.
const knocking = `
service:
  command: '${var.program} phase one + open a ${echo} + phase two + knock b ${echo} 10s + phase three + knock c ${echo} 200ms + ask a open + phase four + knock d ${echo} 10s + ask d four + ready ok + wait'
experiments:
  - name: hang
    inject: [{on: echo, during: three, fault: hang}]
    expect: tolerate
    repeat: 20
`

func TestPhaseExactHang(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	l.opts.Parallel = 4
	list := trials(l.run(knocking), "hang")
	require.Len(t, list, 20)
	for _, trial := range list {
		require.Equal(t, contracts.Pass, trial.Verdict, show(trial))
		assert.Equal(t, []string{"ok", "timeout", "ok"}, []string{told(t, trial, "knock b"), told(t, trial, "knock c"), told(t, trial, "knock d")})
		results := ""
		for _, e := range events(trial, timeline.Connect) {
			results += " " + e.Result
		}
		assert.Equal(t, " allowed allowed unanswered allowed", results)
		assert.Equal(t, 1, trial.Faults[0].ConnectionsHit)
		between(t, trial)
	}
}
