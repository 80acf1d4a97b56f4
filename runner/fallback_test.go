package runner_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// inner is set in the environment of a test process whose connects are intercepted already: there can be only one interceptor, so
// that the runner in it has none.
const inner = "CHAOS_TEST_WITHOUT_INTERCEPTOR"

// Where connects can't be intercepted, the rest still works, and the report says what is missing.
func TestWithoutTheInterceptor(t *testing.T) {
	needsInterceptor(t)
	var mu sync.Mutex
	var lines []string
	p, err := process.Start(process.Spec{
		Argv: []string{os.Args[0], "-test.run", "^TestInner", "-test.v", "-test.timeout", "5m"}, Env: append(os.Environ(), inner+"=1"),
		Decide: func(process.Attempt) process.Answer { return process.Answer{} },
		Line: func(_ process.Stream, line string) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, line)
		},
	})
	require.NoError(t, err)
	<-p.Done()
	require.NoError(t, p.Close())
	said := strings.Join(lines, "\n")
	require.True(t, p.Exit().OK(), said)
	assert.Contains(t, said, "--- PASS: TestInnerWithoutTheInterceptor")
}

func TestInnerWithoutTheInterceptor(t *testing.T) {
	if os.Getenv(inner) == "" {
		t.Skip("it is run by TestWithoutTheInterceptor")
	}
	require.Error(t, process.Intercepting())
	l := newLab(t)
	l.vars["repeat"] = "40"
	// What does not need it is as exact as ever.
	assert.Equal(t, tally{trials: 40, hit: 40}, exactOpen(t, exactly(t, openConnection, 40, 4)))
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${echo} + ask a one + phase two + open b ${echo} + ask b two + phase three + open c ${echo} + ask c three + ready ok + wait'
experiments:
  - name: closed in its phase
    inject: [{on: echo, during: two, fault: accept_close}]
    expect: tolerate
    repeat: 20
  - name: refused
    service: {command: '${var.program} open a ${echo} + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
  - name: its manners are not seen
    service: {command: '${var.program} open a ${echo} + open a ${echo} + open a ${echo} + open a ${echo} + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
    invariants: [{retry: {backoff: exponential}}]
  - name: replicas
    service: {replicas: 2, command: '${var.program} open a ${echo} + ask a ${replica} + ready ok + wait'}
    inject: [{on: echo, from: start, fault: {latency: 1ms}}]
    expect: tolerate
  - name: around the proxy
    service: {command: '${var.program} open a ${var.echo} + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: tolerate
  - name: redirected
    service: {command: '${var.program} open a ${var.echo} + must + ready ok + wait', interpose: connect}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
`)
	for _, trial := range trials(r, "closed in its phase") {
		verdict(t, trial, contracts.Pass, "tolerate")
		assert.Equal(t, "one !two three", asked(trial), show(trial))
	}
	refused := only(t, r, "refused")
	assert.Equal(t, "ECONNREFUSED", told(t, refused, "open a"))
	assert.NotEqual(t, contracts.Fail, refused.Verdict, "that nobody was seen to connect is not held against the service")
	unseen := only(t, r, "its manners are not seen")
	assert.Equal(t, contracts.Inconclusive, unseen.Verdict, show(unseen))
	assert.Contains(t, show(unseen), "attempts on echo that are refused by the kernel can't be seen")
	verdict(t, only(t, r, "replicas"), contracts.Pass, "tolerate")
	for _, trial := range r.Trials {
		for _, f := range trial.Dependencies {
			assert.Nil(t, f.Attempts, "they were not counted")
			assert.Nil(t, f.Refused)
		}
	}
	verdict(t, only(t, r, "around the proxy"), contracts.Inconclusive, "vacuous", "${echo}")
	redirected := trials(r, "")
	last := redirected[len(redirected)-1]
	verdict(t, last, contracts.Error, "harness", "interpose: connect", "interceptor", "interpose: address")
	require.NotEmpty(t, r.EvidenceMissing)
	assert.Contains(t, strings.Join(r.EvidenceMissing, "\n"), "no connect interceptor")
	assert.NotEmpty(t, events(refused, timeline.MissingEvidence))
	assert.Equal(t, reports.ExitHarness, r.ExitCode())
}
