package runner_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
	"github.com/chaos-startup/chaos/timeline"
)

// A Ctrl-C in any stage: what was judged is kept, every fault is lifted, and nothing is left. The services ring when the run
// is where it must be, and go on only if they are not stopped.

// stages are files, each with the ring at which the run is interrupted.
var stages = []struct {
	name, at, text string
	judged         int // trials that are judged by then
}{
	{"build", "building", `
service:
  build: ['env', 'LAB=${var.mark}', 'BELL=${var.bell}', '${var.program}', ring, building, +, deaf, +, hang]
  command: ['${var.program}', wait]
experiments: [{name: a, inject: [{on: echo, from: start, fault: refuse}], expect: fail_fast}]
`, 0},
	{"dependencies", "dependency", `
dependencies:
  echo: {command: '${var.program} ring dependency + hang', env: {LAB: '${var.mark}', BELL: '${var.bell}'}}
service:
  command: '${var.program} wait'
experiments: [{name: a, inject: [{on: echo, from: start, fault: refuse}], expect: fail_fast}]
`, 0},
	{"control", "t1 one", `
service:
  command: '${var.program} say address ${echo} + open a ${echo} + ring ${trial} one + wait'
experiments: [{name: a, inject: [{on: echo, from: start, fault: refuse}], expect: fail_fast}]
`, 0},
	{"in the phase", "t2 three", `
service:
  command: '${var.program} say address ${echo} + phase one + open a ${echo} + phase three + unless ${trial} t1 ring ${trial} three + ask a hi + unless ${trial} t1 wait + ready ok + wait'
experiments:
  - name: a
    inject: [{on: echo, during: three, fault: {blackhole: silent}}]
    expect: fail_fast
  - name: b
    inject: [{on: echo, during: three, fault: refuse}]
    expect: fail_fast
`, 1},
	{"on the delay", "t2 one", `
service:
  command: '${var.program} say address ${echo} + phase one + unless ${trial} t1 ring ${trial} one + ready ok + wait'
experiments: [{name: a, inject: [{on: echo, from: one, after: 20s, for: 20s, fault: refuse}], expect: recover}]
`, 1},
	{"between restarts", "t2 dying", `
service:
  command: '${var.program} say address ${echo} + phase one + unless ${trial} t1 ring ${trial} dying + unless ${trial} t1 exit 3 + ready ok + wait'
  restart: {policy: on-failure, backoff: 20s, max_backoff: 20s}
experiments: [{name: a, inject: [{on: echo, from: start, for: 20s, fault: refuse}], expect: recover}]
`, 1},
	{"in a proof", "t2 proof", `
service:
  command: '${var.program} say address ${echo} + open a ${echo} + phase one + ready ok + wait'
readiness:
  - {name: slow, exec: {command: ['env', 'LAB=${var.mark}', 'BELL=${var.bell}', '${var.program}', ring, '${trial}', proof, +, unless, '${trial}', t1, hang]}, timeout: 20s}
experiments: [{name: a, inject: [{on: echo, from: start, fault: refuse}], expect: tolerate}]
`, 1},
	{"during the stop", "t2 stopping", `
service:
  command: '${var.program} say address ${echo} + open a ${echo} + phase one + ready ok + unless ${trial} t1 bell ${trial} stopping + unless ${trial} t1 hang + wait'
  stop: {grace: 300ms}
experiments:
  - {name: a, inject: [{on: echo, from: start, fault: refuse}], expect: tolerate}
  - {name: b, inject: [{on: echo, from: start, fault: refuse}], expect: tolerate}
`, 2}, // it had shown everything
}

func TestInterruptedInEveryStage(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			l := newLab(t)
			before := goleak.IgnoreCurrent()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var rings []string
			var mu sync.Mutex
			l.rung = func(text string) {
				mu.Lock()
				rings = append(rings, text)
				mu.Unlock()
				if text == stage.at {
					cancel(errors.New("interrupted by the test"))
				}
			}
			l.opts.Parallel = 1
			journal := filepath.Join(t.TempDir(), "journal")
			l.opts.Journal = journal
			r, err := runner.Run(ctx, l.plan(stage.text, experiments.Selection{}), l.opts)
			require.NotNil(t, r)
			assert.Contains(t, rings, stage.at)
			assert.True(t, r.Interrupted)
			if err != nil {
				assert.ErrorContains(t, err, "interrupted", "only what was interrupted is told: %v", err)
			}
			assert.NotEqual(t, reports.ExitPass, r.ExitCode())
			l.clean(r)
			goleak.VerifyNone(t, before)
			judged := 0
			for _, trial := range r.Trials {
				if trial.Verdict == contracts.Pass {
					judged++
				}
				healed(t, trial)
			}
			assert.Equal(t, stage.judged, judged, "what was judged is kept")
			if stage.judged > 0 {
				file, err := os.Open(journal)
				require.NoError(t, err)
				kept, err := reports.Read(file)
				require.NoError(t, errors.Join(err, file.Close()))
				require.NotEmpty(t, kept.Trials)
				assert.Equal(t, contracts.Pass, kept.Trials[0].Verdict)
				verdict(t, r.Trials[stage.judged], contracts.Inconclusive, "", "run it again")
				if stage.name != "during the stop" {
					verdict(t, r.Trials[stage.judged], contracts.Inconclusive, "interrupted", "interrupted")
				}
			}
		})
	}
}

// healed checks that what came on went off.
func healed(t testing.TB, trial reports.Trial) {
	t.Helper()
	on := map[string]bool{}
	for _, e := range trial.Timeline {
		switch e.Kind {
		case timeline.FaultArmed:
			on[e.Fault] = true
		case timeline.FaultLifted:
			delete(on, e.Fault)
		}
	}
	assert.Empty(t, on, show(trial))
}

// A run that is over before it began starts nothing.
func TestInterruptedBeforeTheStart(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.ctx = ctx
	r, _ := l.try("service:\n  command: '${var.program} ring me + wait'\n" + readyExperiment)
	require.NotNil(t, r)
	assert.True(t, r.Interrupted)
	for _, trial := range r.Trials {
		assert.Empty(t, trial.Timeline)
	}
}

// With several trials at a time all of them are stopped.
func TestInterruptedInParallel(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l.ctx = ctx
	var mu sync.Mutex
	waiting := 0
	l.rung = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if waiting++; waiting == 4 {
			cancel()
		}
	}
	l.opts.Parallel = 4
	r, err := l.try(`
service:
  command: '${var.program} say address ${echo} + say address 127.0.0.1:${port.http} + open a ${echo} + child at work + unless ${trial} t1 wait + ready ok + wait'
experiments:
  - name: many
    inject: [{on: echo, from: start, fault: {latency: 1ms}}]
    expect: tolerate
    repeat: 8
`)
	require.NoError(t, err)
	interrupted := 0
	for _, trial := range r.Trials {
		if len(events(trial, timeline.Interrupted)) > 0 {
			interrupted++
			verdict(t, trial, contracts.Inconclusive, "interrupted")
		}
		healed(t, trial)
	}
	assert.GreaterOrEqual(t, interrupted, 2)
}

// Ports of a finished trial are free for the next one, however many there were.
func TestNoPortIsLost(t *testing.T) {
	l := newLab(t)
	l.opts.Parallel = 4
	r := l.run(`
service:
  command: '${var.program} say address ${echo} + say address 127.0.0.1:${port.http} + say address 127.0.0.1:${port.other} + open a ${echo} + must + ready ok + wait'
experiments:
  - name: many
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
    repeat: 12
`)
	assert.Equal(t, 12, r.Experiments[0].Pass)
	seen := toldAddresses(r)
	assert.Len(t, seen, 3*13)
	for _, address := range seen {
		host, _, err := net.SplitHostPort(address)
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1", host)
	}
	assert.False(t, strings.Contains(strings.Join(seen, " "), ":0 "))
}
