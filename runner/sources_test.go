package runner_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// begins returns the event by which a phase began.
func begins(t testing.TB, trial reports.Trial, phase string) timeline.Event {
	t.Helper()
	for _, e := range events(trial, timeline.PhaseBegin) {
		if e.Phase == phase {
			return e
		}
	}
	require.Fail(t, "no phase "+phase, show(trial))
	return timeline.Event{}
}

// Each way to recognise a phase, as the moment of a fault that refuses exactly one of three connections.
func TestPhaseSources(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
phases:
  - {name: colour, begins: {log: '^LOADING 3'}, ends: {log: '^LOADED'}}
  - {name: words, begins: {notify: STATUS=warm}, ends: {notify: STATUS=hot}}
  - {name: marked, begins: {mark: late}, ends: {mark: later}}
  - {name: dialled, begins: {connect: spare}, ends: {connect: other}}
  - {name: up, begins: ready}
dependencies:
  echo: {upstream: '${var.echo}'}
  spare: {upstream: '${var.echo}'}
  other: {upstream: '${var.echo}'}
service:
  command: '${var.program} open a ${echo} + err ^[31mLOADING^[0m 3 + open b ${echo} + err LOADED + open c ${echo} + notify STATUS=warm + open d ${echo} + notify STATUS=hot + open e ${echo} + mark late + open f ${echo} + mark later + open g ${echo} + open s ${spare} + open h ${echo} + open o ${other} + open i ${echo} + ready ok + wait'
experiments:
  - name: log
    inject: [{on: echo, during: colour, fault: refuse}]
    expect: tolerate
  - name: notify
    inject: [{on: echo, during: words, fault: refuse}]
    expect: tolerate
  - name: mark
    inject: [{on: echo, during: marked, fault: refuse}]
    expect: tolerate
  - name: connect
    inject: [{on: echo, during: dialled, fault: refuse}]
    expect: tolerate
`)
	for name, refused := range map[string]string{"log": "b", "notify": "d", "mark": "f", "connect": "h"} {
		trial := only(t, r, name)
		verdict(t, trial, contracts.Pass, "tolerate")
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
			want := "ok"
			if id == refused {
				want = "ECONNREFUSED"
			}
			assert.Equal(t, want, told(t, trial, "open "+id), "%s: connection %s", name, id)
		}
		for phase, source := range map[string]string{"colour": "log", "words": "notify", "marked": "mark", "dialled": "connect", "up": "ready"} {
			e := begins(t, trial, phase)
			assert.Equal(t, source, e.Source, phase)
			assert.Equal(t, phase == "up", e.Inexact, phase)
		}
		assert.Equal(t, "204 No Content", told(t, trial, "mark late"))
		for _, e := range events(trial, timeline.Undeclared) {
			assert.NotContains(t, told(t, trial, "mark late"), e.Target, "the mark server is no stranger")
		}
	}
}

// A phase that is polled is never exact, and the report says so.
func TestPolledPhase(t *testing.T) {
	l := newLab(t)
	r := l.run(`
phases:
  - {name: cold, begins: {log: COLD}}
  - {name: warm, begins: {http: {url: 'http://127.0.0.1:${port.http}/state', json: $.phase, equals: warm, interval: 10ms}}}
  - {name: hot, begins: {http: {url: 'http://127.0.0.1:${port.http}/state', json: $.phase, equals: hot, interval: 10ms}}}
service:
  command: '${var.program} say COLD + state cold + state warm + unless ${trial} t1 until a ${echo} + state hot + retry b ${echo} + ready ok + wait'
experiments:
  - name: polled
    inject: [{on: echo, during: warm, fault: accept_close}]
    expect: tolerate
`)
	trial := only(t, r, "polled")
	verdict(t, trial, contracts.Pass, "tolerate")
	assert.True(t, begins(t, trial, "warm").Inexact)
	assert.False(t, begins(t, trial, "cold").Inexact)
	require.Len(t, trial.Phases, 3)
	assert.False(t, trial.Phases[0].Exact, "its end was polled")
	require.Len(t, r.EvidenceMissing, 2)
	assert.Contains(t, r.EvidenceMissing[0], "phase warm is polled over HTTP")
}

// A mark of another run, or of none, changes nothing; a phase that is marked late is late.
func TestNobodyElsesMarks(t *testing.T) {
	l := newLab(t)
	r := l.run(`
phases:
  - {name: marked, begins: {mark: late}}
service:
  command: '${var.program} open a ${echo} + mark ../other/late + mark early + open b ${echo} + mark late + open c ${echo} + ready ok + wait'
experiments:
  - name: marks
    inject: [{on: echo, during: marked, fault: accept_close}]
    expect: tolerate
`)
	trial := only(t, r, "marks")
	verdict(t, trial, contracts.Pass, "tolerate")
	assert.Equal(t, "404 Not Found", told(t, trial, "mark ../other/late"))
	assert.Equal(t, "204 No Content", told(t, trial, "mark early"))
	assert.Len(t, events(trial, timeline.Mark), 2)
}

// The service keeps the addresses that it knows, and is redirected.
func TestInterposeConnect(t *testing.T) {
	needsInterceptor(t)
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${var.echo} + ask a hi + phase two + open b ${echo} + phase three + open c ${var.echo} + ask c ho + ready ok + wait'
  interpose: connect
experiments:
  - name: refused
    inject: [{on: echo, during: two, fault: refuse}]
    expect: tolerate
  - name: late
    inject: [{on: echo, from: start, fault: {latency: {delay: 10ms, connect: true}}}]
    expect: tolerate
`)
	refused := only(t, r, "refused")
	verdict(t, refused, contracts.Pass, "tolerate")
	assert.Equal(t, "ok", told(t, refused, "open a"))
	assert.Equal(t, "ECONNREFUSED", told(t, refused, "open b"))
	assert.Equal(t, "ok", told(t, refused, "open c"))
	var results []string
	for _, e := range events(refused, timeline.Connect) {
		results = append(results, e.Result)
		assert.Equal(t, l.echo, e.Target)
	}
	assert.Equal(t, []string{"redirected", "refused", "redirected"}, results)
	assert.Empty(t, events(refused, timeline.Escape))
	assert.Equal(t, int64(6), refused.Dependencies["echo"].BytesUp, "what it sent went through the proxy")
	late := only(t, r, "late")
	verdict(t, late, contracts.Pass, "tolerate")
	assert.GreaterOrEqual(t, felt(t, late)["hi"], 10_000)
	assert.Equal(t, 3, late.Faults[0].ConnectionsHit, show(late))
}
