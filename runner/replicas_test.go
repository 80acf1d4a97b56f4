package runner_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// Replicas run side by side against one proxy; what each says, tries and claims is its own.
func TestReplicasSideBySide(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  replicas: 3
  command: '${var.program} say I am ${replica} at ${port.http} + phase one + retry a ${echo} + phase two + ready ok + wait'
readiness:
  - {name: alive, tcp: {address: '127.0.0.1:${port.http}'}}
invariants: [stops_on_signal, {no_leaked_connections: {max: 1}}, phase_order]
experiments:
  - name: an outage for all
    inject: [{on: echo, during: one, for: 300ms, fault: refuse}]
    expect: recover
`)
	trial := only(t, r, "an outage for all")
	verdict(t, trial, contracts.Pass, "recover")
	require.Len(t, trial.Replicas, 3)
	ports := map[string]bool{}
	for n, replica := range trial.Replicas {
		assert.Equal(t, contracts.Ready, replica.Outcome.Class, show(trial))
		assert.Equal(t, "one", replica.Phases[0].Name)
		assert.True(t, replica.Readiness[0].OK)
		for _, e := range events(trial, timeline.Log) {
			var who, port int
			if _, err := fmt.Sscanf(e.Text, "I am %d at %d", &who, &port); err == nil && e.Replica == n+1 {
				assert.Equal(t, n+1, who, "its own log")
				ports[fmt.Sprint(port)] = true
			}
		}
	}
	assert.Len(t, ports, 3, "each has a port of its own")
	assert.Len(t, events(trial, timeline.FaultArmed), 1, "one fault, one state")
	for _, e := range events(trial, timeline.Connect) {
		assert.NotZero(t, e.Replica, "whose attempt it was")
	}
	for _, e := range events(trial, timeline.Accept) {
		assert.Zero(t, e.Replica)
	}
}

// A fault during a phase is on until the last replica has left the phase.
func TestFaultLastsForTheLastReplica(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	left := make(chan struct{}, 4) // the control rings too
	l.rung = func(text string) {
		switch text {
		case "in 2":
			<-left
		case "out 1":
			left <- struct{}{}
		}
	}
	r := l.run(`
service:
  replicas: 2
  command: '${var.program} phase one + open a ${echo} + ask a x + ring in ${replica} + done one + ring out ${replica} + phase two + ready ok + wait'
experiments:
  - name: slow for all
    inject: [{on: echo, during: one, fault: {latency: 1ms}}]
    expect: tolerate
`)
	trial := only(t, r, "slow for all")
	verdict(t, trial, contracts.Pass, "tolerate")
	require.Len(t, events(trial, timeline.FaultArmed), 1)
	lifts := events(trial, timeline.FaultLifted)
	require.Len(t, lifts, 1)
	assert.Equal(t, "phase", lifts[0].Source)
	for _, e := range events(trial, timeline.PhaseEnd) {
		if e.Phase == "one" {
			assert.Less(t, e.ID, lifts[0].ID, "%d leaves before the fault is lifted", e.Replica)
		}
	}
}

// One replica that fails is one too many, and is named.
func TestWorstReplicaCounts(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  replicas: 3
  command: '${var.program} phase one + open a ${echo} + ask a x + must + phase two + ready ok + wait'
experiments:
  - name: one is unlucky
    inject: [{on: echo, from: start, connections: 1, fault: reset}]
    expect: tolerate
`)
	trial := only(t, r, "one is unlucky")
	require.Equal(t, contracts.Fail, trial.Verdict, show(trial))
	failed := 0
	for _, replica := range trial.Replicas {
		if replica.Verdict == contracts.Fail {
			failed++
			assert.Equal(t, contracts.Exited, replica.Outcome.Class)
			assert.Contains(t, trial.Reasons[0].Text, fmt.Sprintf("replica %d: ", replica.Replica))
		}
	}
	assert.Equal(t, 1, failed, show(trial))
	assert.Equal(t, contracts.Exited, trial.Outcome.Class, "the worst is shown")
}
