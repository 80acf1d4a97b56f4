package runner_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

// A service that says too much in any other way than its log costs no memory either, and its timeline stays small.
func TestChattyServices(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + many 3000 notify STATUS=busy + many 1500 mark again + many 1500 open a ${echo} + notify READY=1 + ready ok + wait'
  budget: 60s
experiments:
  - name: chatty
    inject: [{on: echo, from: start, fault: refuse}]
    expect: tolerate
`)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	assert.Less(t, m.HeapInuse>>20, uint64(150), "MiB")
	trial := only(t, r, "chatty")
	assert.Equal(t, 1500, *trial.Dependencies["echo"].Attempts, "all are counted")
	assert.Less(t, len(trial.Timeline), 6000)
	notified := events(trial, timeline.Notify)
	assert.Equal(t, "READY=1", notified[len(notified)-1].Text, "what decides is kept, however much was said before")
	for _, kind := range []timeline.Kind{timeline.Notify, timeline.Mark, timeline.Connect} {
		assert.LessOrEqual(t, len(events(trial, kind)), 1100, fmt.Sprint(kind))
	}
}
