package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

func TestExprContract(t *testing.T) {
	expr := func(text string) Spec {
		s := plain(Invariants{})
		s.Readiness, s.Expect = nil, Expectation{Expr: text, Message: "starts well"}
		return s
	}
	rest := tl(claims(31204), observed(31300), figures(31301, "postgres", map[string]float64{"attempts": 14, "refused": 13}))
	started := tl(up(), rest)
	either := expr("")
	either.Expect = Expectation{AnyOf: []Expectation{{FailFast: &FailFast{}}, {Expr: "trial.exit_code == 7"}}}
	both := expr("")
	both.Expect = Expectation{AllOf: []Expectation{{Readiness: "all"}, {Expr: "trial.restarts == 1"}}}
	runCases(t, []judgeCase{
		{"holds", expr(`has(trial.ready_ms) && trial.outcome == "ready"`), tl(up(), observed(400)), Pass, "expr", `trial.outcome = "ready"`},
		{"is false", expr(`trial.ready_ms < 30000 && dependency("postgres").attempts <= 12`), tl(exec(0), rest), Fail, "expr",
			"starts well: `trial.ready_ms < 30000 && dependency(\"postgres\").attempts <= 12` is false: " +
				`trial.ready_ms = 31204, dependency("postgres").attempts = 14`},
		{"asks for what was not seen", expr("trial.ready_ms < 30000"), tl(exec(0), exits(5, 3), observed(6)), Inconclusive, "expr",
			"is neither true nor false: trial.ready_ms has no value: it was not ready at the end; the service exited with code 3 at 5ms"},
		{"says what is meant then", expr("!has(trial.ready_ms) || trial.ready_ms < 30000"), tl(exec(0), exits(5, 3), observed(6)), Pass, "expr", ""},
		{"asks for what could not be counted", expr(`dependency("redis").attempts <= 12`), started, Inconclusive, "expr", "there is no connect interceptor"},
		{"asks for too much", expr("[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, " +
			"[1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, a+b+c+d+e+f > 0))))))"), started, Inconclusive, "expr", "asks for too much"},
		{"is no expression", expr("trial.redy_ms < 3"), started, Inconclusive, "expr", "is not an expression: unknown field `redy_ms` of trial"},
		{"beside another", either, tl(exec(0), claims(20), observed(30)), Inconclusive, "any_of", ""},
		{"as one of several", both, tl(exec(0), claims(20), observed(30)), Fail, "expr", "`trial.restarts == 1` is false: trial.restarts = 0"},
	})
}

func TestExprInvariant(t *testing.T) {
	spec := func(texts ...string) Spec {
		s := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
		for _, text := range texts {
			s.Invariants.Expr = append(s.Invariants.Expr, Expr{Expr: text})
		}
		return s
	}
	gone := tl(bitten(), exits(500, 3), observed(501))
	trouble := tl(exec(0), begin(100, "database"), armed(100, "f1"), bite(110, "f1"), timeline.Event{MS: 120, Kind: timeline.UpstreamError, Dependency: "redis", Error: "gone"},
		exits(500, 3), observed(501))
	runCases(t, []judgeCase{
		{"both hold", spec("trial.exit_code == 3", "trial.restarts == 0"), gone, Pass, "fail_fast", ""},
		{"one is false", spec("trial.exit_code == 3", "trial.restarts == 1"), gone, Fail, "expr", "trial.restarts = 0"},
		{"a false one counts beside an open one", spec("trial.ready_ms > 1", "trial.restarts == 1"), gone, Fail, "expr", "trial.restarts = 0"},
		{"an open one is not a pass", spec("trial.ready_ms > 1"), gone, Inconclusive, "expr", "has no value"},
		{"the times of its fault", spec("trial.exited_ms - faults[0].first_bite_ms < 100"), gone, Fail, "expr",
			"trial.exited_ms = 500, faults[0].first_bite_ms = 110"},
		{"a dependency that is really gone excuses it", spec("trial.exit_code == 4"), trouble, Inconclusive, "upstream", ""},
		{"what never bit excuses nothing", spec("trial.exit_code == 4"), tl(exec(0), exits(500, 3), observed(501)), Fail, "expr", "trial.exit_code = 3"},
	})
}

// What an expression sees is what the report says.
func TestRecordIsTheReport(t *testing.T) {
	s := refused(Expectation{})
	events := tl(bitten(), connects(105, "postgres"), connects(150, "postgres"), lift(300, "f1"), begin(310, "cache"), claims(400), holds(410, thread), observed(500),
		figures(501, "postgres", map[string]float64{"attempts": 2, "refused": 1, "accepted": 1, "open_at_end": 1, "bytes_up": 5, "bytes_down": 6}),
		timeline.Event{MS: 502, Kind: timeline.Process, Count: map[string]float64{"fds": 12}}, stop(510), exits(560, 0),
		timeline.Event{MS: 505, Kind: timeline.TrafficSummary, Result: "complete", Count: map[string]float64{"requests": 9, "ok": 8, "errors": 1, "errors_timeout": 1, "p95_ms": 41}},
		timeline.Event{MS: 505, Kind: timeline.TrafficSummary, Name: "chat", Count: map[string]float64{"requests": 4, "ok": 4}})
	for _, text := range []string{
		`trial.ready_ms == 400.0 && trial.ended_ms == 500.0 && trial.stop_ms == 50.0 && trial.budget_ms == 30000.0 && !trial.control`,
		`!has(trial.exit_code) && !has(trial.exited_ms) && !has(trial.signal) && !has(trial.false_ready_ms)`,
		`dependency("postgres").attempts == 2 && dependency("postgres").refused == 1 && dependency("postgres").open_at_end == 1`,
		`dependency("postgres").attempt_ms == [105.0, 150.0] && dependency("postgres").last_attempt_ms == 150.0`,
		`!has(dependency("redis").attempts) && dependency("redis").required && !dependency("clickhouse").required && size(dependencies) == 3`,
		`phases.map(p, p.name) == ["init", "database", "cache"] && phase("database").took_ms == 210.0 && !has(phase("cache").end_ms)`,
		`faults[0].kind == "refuse" && faults[0].on == "postgres" && faults[0].armed_ms == 100.0 && faults[0].lifted_ms == 300.0`,
		`proof("a thread is stored").ok && proof("a thread is stored").at_ms == 410.0 && !has(proof("a thread is stored").error)`,
		`traffic.result == "complete" && traffic.p95_ms == 41.0 && traffic.errors_by_kind == {"timeout": 1} && size(traffic.early) == 0`,
		`traffic_step("chat").ok == 4 && !has(traffic_step("none").ok) && size(traffic_steps) == 1`,
		`!has(dependency("postgres").retry_growth)`,
		`process.fds == 12 && !has(process.threads)`,
	} {
		s.Expect = Expectation{Expr: text}
		assert.Equal(t, Pass, Judge(s, events).Verdict, dump(Judge(s, events)))
	}
}

func TestExprSeesRetries(t *testing.T) {
	s := refused(Expectation{Expr: `dependency("postgres").retry_attempts == 9 && dependency("postgres").retry_growth == "exponential" && dependency("postgres").retry_end == "gave_up" && ` +
		`size(dependency("postgres").retry_pauses_ms) == 8`})
	j := Judge(s, tl(exec(0), armed(101, "f1"), bite(110, "f1"), retryRefusals(90, 230, 350, 990, 1450, 3700, 5200, 14100), exits(60000, 3), observed(60001)))
	assert.Equal(t, Pass, j.Verdict, dump(j))
}
