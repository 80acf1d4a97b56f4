package runner_test

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/runner"
	"github.com/chaos-startup/chaos/timeline"
)

// loadTarget is what the load of a test is sent to, in place of the service: it says how often it was asked.
func loadTarget(t *testing.T, l *lab, answer http.HandlerFunc) *atomic.Int64 {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var asked atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answer(w, r)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	l.vars["target"] = "http://" + listener.Addr().String() + "/"
	return &asked
}

func fine(http.ResponseWriter, *http.Request) {}

// loadFile is a service that is ready at once, and a load.
func loadFile(traffic string) string {
	return `
service:
  command: '${var.program} say address ${echo} + open a ${echo} + ask a hi + ready ok + wait'
traffic: ` + traffic + `
experiments: [{name: plain, expect: {tolerate: {within: 10s}}, inject: [{on: echo, from: start, fault: {latency: 1ms}}]}]
`
}

func TestLoadInEveryTrial(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	asked := loadTarget(t, l, fine)
	r := l.run(loadFile(`{rate: 100/s, for: 200ms, stampede: 7, steps: [{name: get, http: {url: '${var.target}'}, timeout: 20s}], max_lag: 10s}`))
	require.Len(t, r.Trials, 2)
	for _, trial := range r.Trials { // the control, too
		verdict(t, trial, contracts.Pass, "traffic", "27 requests, no error")
		require.NotNil(t, trial.Traffic)
		assert.Equal(t, 27, trial.Traffic.OK)
		assert.Equal(t, "complete", trial.Traffic.Result)
	}
	assert.EqualValues(t, 54, asked.Load())
}

// The generator is always later than a microsecond: then nothing is decided.
func TestLaggingLoadIsInconclusive(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	loadTarget(t, l, fine)
	r := l.run(loadFile(`{stampede: 50, steps: [{http: {url: '${var.target}'}, timeout: 20s}], sla: {p50: 1us}, max_lag: 1us}`))
	for _, trial := range r.Trials {
		verdict(t, trial, contracts.Inconclusive, "traffic", "the generator was the bottleneck")
	}
}

func TestLoadMeetsErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	var n atomic.Int64
	loadTarget(t, l, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%4 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := l.run(loadFile(`{stampede: 20, steps: [{http: {url: '${var.target}'}, timeout: 20s}], sla: {errors: 0.2}, max_lag: 10s}`))
	for _, trial := range r.Trials {
		verdict(t, trial, contracts.Fail, "traffic", "5 of 20 requests failed (5 status), 20 % allowed")
		shown := events(trial, timeline.TrafficError)
		require.Len(t, shown, 3, "some of each sort")
		assert.EqualValues(t, 500, shown[0].Count["status"])
		assert.Contains(t, shown[0].Error, "got 500")
	}
}

// A secret of the file that comes back in an answer is not in the report.
func TestLoadErrorsAreMasked(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	loadTarget(t, l, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("no user hunter2hunter2"))
	})
	l.vars["token"] = "hunter2hunter2"
	r := l.run("secrets: [token]\n" + loadFile(`{stampede: 2, steps: [{http: {url: '${var.target}', body: '${var.token}'}, timeout: 20s}], max_lag: 10s}`))
	for _, trial := range r.Trials {
		for _, e := range events(trial, timeline.TrafficError) {
			assert.NotContains(t, e.Error, "hunter2")
		}
		require.NotEmpty(t, events(trial, timeline.TrafficError))
		verdict(t, trial, contracts.Fail, "traffic", "2 of 2 requests failed")
	}
}

// Ctrl-C ends a load at once, whatever its requests wait for, and what it had sent is in the timeline.
func TestInterruptEndsTheLoad(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	ctx, interrupt := context.WithCancel(t.Context())
	come := make(chan struct{}, 1000)
	loadTarget(t, l, func(_ http.ResponseWriter, r *http.Request) {
		come <- struct{}{}
		<-r.Context().Done()
	})
	go func() {
		for range 20 {
			<-come
		}
		interrupt()
	}()
	began := time.Now()
	r, err := runner.Run(ctx, l.plan(loadFile(`{rate: 200/s, for: 10m, steps: [{http: {url: '${var.target}'}, timeout: 10m}]}`), experiments.Selection{}), l.opts)
	require.NoError(t, err)
	l.clean(r)
	assert.Less(t, time.Since(began), time.Minute)
	require.NotEmpty(t, r.Trials)
	verdict(t, r.Trials[0], contracts.Inconclusive, "interrupted")
	require.NotNil(t, r.Trials[0].Traffic)
	assert.Equal(t, "interrupted", r.Trials[0].Traffic.Result)
	assert.Zero(t, r.Trials[0].Traffic.Errors, "what was cut off is no error of the service")
}

// Nobody waits for a load that never began: it is for services that are ready.
func TestNoClaimNoLoad(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	asked := loadTarget(t, l, fine)
	r := l.run(`
service:
  command: '${var.program} say address ${echo} + open a ${echo} + unless ${trial} t1 must + unless ${trial} t1 exit 3 + ready ok + wait'
traffic: {stampede: 3, steps: [{http: {url: '${var.target}'}, timeout: 20s}], max_lag: 10s}
experiments: [{name: dies, expect: {fail_fast: {within: 10s}}, inject: [{on: echo, from: start, fault: refuse}]}]
`)
	dies := only(t, r, "dies")
	verdict(t, dies, contracts.Pass, "fail_fast")
	assert.Nil(t, dies.Traffic)
	assert.EqualValues(t, 3, asked.Load(), "those of the control")
}

// The same seed sends the same kinds in the same order.
func TestLoadIsSeeded(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	orders := make(chan string, 1000)
	loadTarget(t, l, func(_ http.ResponseWriter, r *http.Request) { orders <- r.URL.RawQuery })
	text := loadFile(`{rate: 40/s, for: 500ms, steps: [{name: a, http: {url: '${var.target}?a'}, timeout: 20s}, {name: b, weight: 3, http: {url: '${var.target}?b'}, timeout: 20s}], max_lag: 10s}`)
	counts := map[string][]string{}
	for range 2 {
		for _, trial := range l.run(text).Trials {
			var parts []string
			for _, s := range trial.Traffic.Steps {
				parts = append(parts, s.Name+"="+strconv.Itoa(s.Requests))
			}
			counts[trial.Title] = append(counts[trial.Title], strings.Join(parts, " "))
		}
	}
	for title, both := range counts {
		require.Len(t, both, 2, title)
		assert.Equal(t, both[0], both[1], title)
	}
}
