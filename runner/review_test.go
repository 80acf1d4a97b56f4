package runner_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// A service that was ready when its budget was over, and is started again later, has no budget left: the trial must end all the same.
func TestRestartAfterTheBudgetEnds(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: ['sh', '-c', 'if [ -e "$0/$CHAOS_TRIAL" ]; then exec sleep 1000; fi; touch "$0/$CHAOS_TRIAL"; echo READY; sleep 0.5; exit 1', '${var.lab}']
  ready: {log: '^READY'}
  budget: 300ms
  restart: {policy: on-failure, max: 3, backoff: 1ms}
experiments:
  - name: late
    inject: [{on: echo, from: ready, for: 1s, fault: refuse}]
    expect: tolerate
`)
	trial := only(t, r, "late")
	assert.NotEqual(t, contracts.Pass, trial.Verdict)
	assert.Len(t, events(trial, timeline.Exec), 2, show(trial))
	assert.Len(t, events(trial, timeline.Budget), 1, show(trial))
}

// What a child prints after the service is gone is no claim of the next incarnation, and no phase of it.
func TestTheLastWordsOfAnOrphan(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: ['sh', '-c', 'if [ -e "$0/$CHAOS_TRIAL" ]; then exec sleep 1000; fi; touch "$0/$CHAOS_TRIAL"; (sleep 0.05; echo PHASE one; echo READY) & exit 1', '${var.lab}']
  ready: {log: '^READY'}
  budget: 1s
  restart: {policy: on-failure, max: 1, backoff: 1ms}
experiments:
  - name: plain
    expect: {expr: 'trial.outcome == "ready"'}
`)
	trial := r.Trials[0]
	assert.Contains(t, logged(trial), "READY", "it was heard")
	assert.Empty(t, events(trial, timeline.ReadyClaim))
	assert.Empty(t, events(trial, timeline.PhaseBegin))
	assert.Len(t, events(trial, timeline.Budget), 1, show(trial))
}

// A proof that looks for a log line must find it in what this incarnation printed.
func TestALogProofOfTheFormerIncarnationProvesNothing(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: ['sh', '-c', 'if [ -e "$0/$CHAOS_TRIAL" ]; then echo READY; exec sleep 1000; fi; touch "$0/$CHAOS_TRIAL"; echo migrated; exit 1', '${var.lab}']
  ready: {log: '^READY'}
  restart: {policy: on-failure, max: 1, backoff: 1ms}
readiness:
  - name: it has migrated
    log: '^migrated'
experiments:
  - name: plain
    expect: {readiness: all}
`)
	verdict(t, r.Trials[0], contracts.Fail, "", "it has migrated")
}

// A fault that holds connect(2) lets go when it is lifted.
func TestAHeldConnectEndsWithItsFault(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + ask a one + serve + ready ok + wait'
experiments:
  - name: late
    inject: [{on: echo, from: start, for: 200ms, fault: {latency: {delay: 1h, connect: true}}}]
    expect: recover
`)
	verdict(t, only(t, r, "late"), contracts.Pass, "recover")
}

// A dependency that dies in the middle of a trial is nobody's fault but the harness': the service must not be accused.
func TestADependencyThatDiesAccusesNobody(t *testing.T) {
	l := newLab(t)
	address, kill := mortal(t)
	l.echo = address
	rung := 0
	l.rung = func(string) {
		if rung++; rung == 2 {
			kill()
		}
	}
	l.opts.Parallel = 1
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + ask a one + ring die + ask a two + must + serve + ready ok + wait'
experiments:
  - name: dies
    inject: [{on: echo, from: start, fault: {latency: 1ms}}]
    expect: tolerate
`)
	verdict(t, only(t, r, ""), contracts.Pass, "")
	verdict(t, only(t, r, "dies"), contracts.Error, "harness", "echo")
}

// mortal is an echo server that can be killed with all its connections.
func mortal(t testing.TB) (address string, kill func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var open []net.Conn
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			work.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	kill = func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	}
	t.Cleanup(func() {
		kill()
		work.Wait()
	})
	return listener.Addr().String(), kill
}

// However often a service changes its phase, the timeline stays small, and says that it is not whole.
func TestAStormOfPhasesIsBounded(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: ['sh', '-c', 'i=0; while [ $i -lt 3000 ]; do echo PHASE one; echo PHASE two; i=$((i+1)); done; echo READY; exec sleep 1000']
  ready: {log: '^READY'}
experiments:
  - name: storm
    inject: [{on: echo, during: two, fault: refuse}]
    expect: tolerate
`)
	for _, trial := range r.Trials {
		assert.Less(t, len(trial.Timeline), 8000, trial.Title)
		assert.NotEmpty(t, events(trial, timeline.ReadyClaim), trial.Title)
		assert.Contains(t, fmt.Sprint(r.EvidenceMissing), "phase.begin", trial.Title)
	}
}

// A connection that was made before the phase is an open one in it, however late the proxy gets round to accept it.
func TestAConnectionMadeJustBeforeThePhaseIsOpenInIt(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + phase two + open a ${echo} + phase three + ask a three + open b ${echo} + ask b three + phase four + ready ok + wait'
experiments:
  - name: refuse
    inject: [{on: echo, during: three, fault: refuse}]
    expect: tolerate
    repeat: 20
  - name: accept_close
    inject: [{on: echo, during: three, fault: accept_close}]
    expect: tolerate
    repeat: 20
`)
	for _, name := range []string{"refuse", "accept_close"} {
		for _, trial := range trials(r, name) {
			verdict(t, trial, contracts.Pass, "")
			assert.Contains(t, told(t, trial, "ask a three"), "ok", show(trial))
			assert.NotContains(t, told(t, trial, "ask b three"), "ok", show(trial))
		}
	}
}
