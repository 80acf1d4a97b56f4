package contracts

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// loaded is a spec with a load: 5 s, p95 300 ms, no error.
func loaded(change func(*Traffic)) Spec {
	s := plain(Invariants{})
	s.Traffic = &Traffic{Text: "10 users", P95: timeline.Duration(300 * time.Millisecond), MaxLag: timeline.Duration(50 * time.Millisecond)}
	if change != nil {
		change(s.Traffic)
	}
	return s
}

func loadSummary(result string, count map[string]float64) []timeline.Event {
	return []timeline.Event{{MS: 5000, Kind: timeline.TrafficSummary, Result: result, Count: count}}
}

func failedRequest(kind string, claimed bool) timeline.Event {
	return timeline.Event{MS: 310, Kind: timeline.TrafficError, Name: "http", Result: kind, Claimed: claimed, Error: "GET: expected status 200, got " + kind}
}

// judgeLoad judges a service that is ready at 300 ms and under load until 5 s.
func judgeLoad(s Spec, count map[string]float64, more ...timeline.Event) Judgment {
	return Judge(s, tl(up(), more, loadSummary("complete", count), observed(5100)))
}

func TestTraffic(t *testing.T) {
	good := map[string]float64{"requests": 50, "ok": 50, "p50_ms": 10, "p95_ms": 200, "p99_ms": 280, "max_ms": 290, "lag_p99_ms": 2, "lag_max_ms": 4}
	with := func(over map[string]float64) map[string]float64 {
		out := map[string]float64{}
		for _, m := range []map[string]float64{good, over} {
			for k, v := range m {
				out[k] = v
			}
		}
		return out
	}
	none := func(tr *Traffic) { tr.P95 = 0 }
	some := func(tr *Traffic) { tr.Errors = 0.1 }
	for _, c := range []struct {
		name  string
		spec  Spec
		count map[string]float64
		want  Verdict
		text  string
	}{
		{"fine", loaded(nil), good, Pass, "50 requests, no error; p50 10ms, p95 200ms, p99 280ms, max 290ms; lag p99 2ms"},
		{"too slow", loaded(nil), with(map[string]float64{"p95_ms": 301}), Fail, "p95 was 301ms, 300ms allowed"},
		{"slow, and nobody asks", loaded(none), with(map[string]float64{"p95_ms": 3000}), Pass, "p95 3s"},
		{"an error", loaded(nil), with(map[string]float64{"ok": 49, "errors": 1, "errors_reset": 1}), Fail, "1 of 50 requests failed (1 reset), none allowed"},
		{"errors within the share", loaded(some), with(map[string]float64{"ok": 45, "errors": 5, "errors_reset": 5}), Pass, "5 errors (5 reset)"},
		{"errors beyond the share", loaded(some), with(map[string]float64{"ok": 44, "errors": 6, "errors_status": 6}), Fail, "10 % allowed"},
		{"the generator was late", loaded(nil), with(map[string]float64{"lag_p99_ms": 51}), Inconclusive, "the generator was the bottleneck: its lag was 51ms"},
		{"late, and slow", loaded(nil), with(map[string]float64{"lag_p99_ms": 51, "p95_ms": 999}), Inconclusive, "bottleneck"},
		{"not all sent", loaded(nil), with(map[string]float64{"unsent": 3}), Inconclusive, "3 of 53 requests could not be sent"},
		{"late, but a 500 is a 500", loaded(nil), with(map[string]float64{"lag_p99_ms": 51, "ok": 49, "errors": 1, "errors_status": 1}), Fail, "1 of 50"},
		{"nothing was answered in time to be measured", loaded(func(tr *Traffic) { tr.Errors = 1 }), map[string]float64{"requests": 50, "errors": 50, "errors_status": 50, "lag_p99_ms": 2},
			Inconclusive, "none of 50 requests was answered as it should, so p95 is not known"},
		{"late, and some hang", loaded(nil), with(map[string]float64{"lag_p99_ms": 51, "ok": 49, "errors": 1, "errors_hang": 1}), Inconclusive, "the generator was late itself"},
		{"in time, and some hang", loaded(nil), with(map[string]float64{"ok": 49, "errors": 1, "errors_hang": 1}), Fail, "1 hang"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := judgeLoad(c.spec, c.count, failedRequest("status", true))
			assert.Equal(t, c.want, j.Verdict, "%+v", j.Reasons)
			reason := reasonOf(t, j, "traffic")
			assert.Contains(t, reason.Text, c.text)
			assert.NotEmpty(t, reason.Evidence)
		})
	}
}

func reasonOf(t *testing.T, j Judgment, rule string) Reason {
	t.Helper()
	for _, r := range j.Reasons {
		if r.Rule == rule {
			return r
		}
	}
	require.Fail(t, "no reason of rule "+rule, "%+v", j.Reasons)
	return Reason{}
}

func TestTrafficThatEndedEarly(t *testing.T) {
	count := map[string]float64{"requests": 50, "ok": 40, "errors": 10, "errors_gone": 10}
	died := tl(up(), exits(900, 2), loadSummary("exited", count), observed(5100))
	j := Judge(loaded(nil), died)
	assert.Equal(t, Fail, j.Verdict)
	assert.Contains(t, reasonOf(t, j, "traffic").Text, "it exited with code 2 at 900ms under the load (10 users)")

	bitten := refused(Expectation{FailFast: &FailFast{}})
	bitten.Traffic = loaded(nil).Traffic
	j = Judge(bitten, tl(up(), armed(400, "f1"), bite(410, "f1"), exits(900, 2), loadSummary("exited", count), observed(5100)))
	assert.Equal(t, Note, reasonOf(t, j, "traffic").State, "it is the fault that ended it")

	j = Judge(loaded(nil), tl(up(), loadSummary("interrupted", map[string]float64{"requests": 5, "ok": 5}), observed(5100)))
	assert.Equal(t, Inconclusive, j.Verdict)

	j = Judge(loaded(nil), tl(up(), observed(5100)))
	assert.Equal(t, Inconclusive, j.Verdict, "no figures at all")

	j = Judge(loaded(nil), tl(exec(0), exits(100, 1), observed(101)))
	assert.Equal(t, Note, reasonOf(t, j, "traffic").State, "never ready, so no load")
}

func TestEarlyTraffic(t *testing.T) {
	spec := loaded(func(tr *Traffic) { tr.FromStart = true })
	base := map[string]float64{"requests": 50, "ok": 50, "early_requests": 20, "early_bad": 0, "early_refused": 12, "early_unavailable": 8}
	j := judgeLoad(spec, base)
	assert.Equal(t, Pass, j.Verdict)
	assert.Equal(t, "20 requests before it claimed to be ready: 12 refused, 8 unavailable", reasonOf(t, j, "early_traffic").Text)
	for _, kind := range []string{"status", "hang", "reset", "closed", "dropped", "wrong"} {
		count := map[string]float64{"requests": 50, "ok": 50, "early_requests": 21, "early_bad": 1, "early_" + kind: 1, "early_refused": 20}
		j = judgeLoad(spec, count, failedRequest(kind, false))
		assert.Equal(t, Fail, j.Verdict, kind)
		assert.Contains(t, reasonOf(t, j, "early_traffic").Text,
			"1 of 21 requests before it claimed to be ready met neither a refusal nor 503: 1 "+kind+"; first: GET: expected status 200, got "+kind)
	}
	count := map[string]float64{"requests": 50, "ok": 50, "early_requests": 21, "early_bad": 1, "early_hang": 1, "lag_p99_ms": 60}
	assert.Equal(t, Undecided, reasonOf(t, judgeLoad(spec, count), "early_traffic").State, "a generator that was late may have hung itself")
	j = judgeLoad(loaded(nil), map[string]float64{"requests": 50, "ok": 50})
	for _, r := range j.Reasons {
		assert.NotEqual(t, "early_traffic", r.Rule, "nobody came early")
	}
}

// Errors under trouble of a dependency that no fault is on are not the service's.
func TestTrafficUnderUpstreamTrouble(t *testing.T) {
	trouble := timeline.Event{MS: 305, Kind: timeline.UpstreamError, Dependency: "postgres", Error: "connection refused"}
	j := judgeLoad(loaded(nil), map[string]float64{"requests": 50, "ok": 49, "errors": 1, "errors_unavailable": 1}, trouble)
	assert.Equal(t, Inconclusive, j.Verdict)
}

func TestTrafficFigures(t *testing.T) {
	steps := []timeline.Event{{MS: 5000, Kind: timeline.TrafficSummary, Name: "chat", Count: map[string]float64{"requests": 2, "ok": 1, "errors": 1, "errors_dropped": 1, "p95_ms": 7}}}
	events := tl(up(), steps, loadSummary("complete", map[string]float64{"requests": 2, "ok": 1, "errors": 1, "errors_dropped": 1, "early_ok": 3, "early_requests": 3}), observed(5100))
	f := Observe(loaded(nil), events).Traffic
	require.NotNil(t, f)
	assert.Equal(t, map[string]int{"dropped": 1}, f.ErrorsByKind)
	assert.Equal(t, map[string]int{"ok": 3, "requests": 3}, f.Early)
	assert.Equal(t, "chat", f.Steps[0].Name)
	data, err := json.Marshal(f)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"lag_p99_ms":0`)
	assert.Nil(t, Observe(plain(Invariants{}), tl(up(), observed(400))).Traffic)
}

// A control whose load could not be decided spoils nothing: the service did start.
func TestAnUndecidedLoadSpoilsNothing(t *testing.T) {
	spec := loaded(nil)
	spec.Control = true
	late := Judge(spec, tl(up(), loadSummary("complete", map[string]float64{"requests": 5, "ok": 5, "lag_p99_ms": 99}), observed(5100)))
	require.Equal(t, Inconclusive, late.Verdict)
	assert.False(t, late.Spoils())
	never := Judge(spec, tl(exec(0), exits(100, 1), observed(101)))
	assert.True(t, never.Spoils())
}

func TestTrafficInExpressions(t *testing.T) {
	spec := loaded(nil)
	spec.Expect = Expectation{Expr: "traffic.p95_ms < 150 && traffic.errors == 0"}
	count := map[string]float64{"requests": 50, "ok": 50, "p95_ms": 200, "lag_p99_ms": 2}
	assert.Contains(t, reasonOf(t, judgeLoad(spec, count), "expr").Text, "200")
	assert.Equal(t, Fail, judgeLoad(spec, count).Verdict)
	count["lag_p99_ms"] = 60
	assert.Equal(t, Undecided, reasonOf(t, judgeLoad(spec, count), "expr").State, "a generator that was late decides nothing about time")
	none := plain(Invariants{})
	none.Expect = Expectation{Expr: "traffic.requests > 0"}
	assert.Equal(t, Inconclusive, Judge(none, tl(up(), observed(400))).Verdict)
}
