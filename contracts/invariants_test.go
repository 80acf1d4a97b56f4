package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// plain is a start without any fault that expects nothing but the invariants given and to be ready.
func plain(v Invariants) Spec {
	s := refused(Expectation{})
	s.Faults, s.Invariants = nil, v
	return s
}

const thread = "a thread is stored"

// up is a start that becomes ready in good order.
func up() []timeline.Event {
	return tl(exec(0), begin(10, "init"), begin(100, "database"), begin(200, "cache"), claims(300), holds(350, thread))
}

func TestNoFalseReady(t *testing.T) {
	spec := plain(Invariants{NoFalseReady: true})
	degrades := optional(Expectation{Tolerate: &Tolerate{}})
	degrades.Invariants.NoFalseReady = true
	both := optional(Expectation{Tolerate: &Tolerate{}})
	both.Invariants.NoFalseReady = true
	both.Readiness = []Proof{{Name: thread, Needs: []string{"postgres", "clickhouse"}}}
	both.Faults = append(both.Faults, Fault{On: "postgres", Kind: "refuse", Text: "refuse on postgres"})
	event := "an event is stored"
	early := fails(301, thread, "500")
	early.Count = map[string]float64{"took_ms": 50}
	runCases(t, []judgeCase{
		{"ready when it says so", spec, tl(up(), observed(400)), Pass, "ready", "ready at 300ms"},
		{"claims too early", spec, tl(exec(0), claims(300), fails(350, thread, "HTTP 500"), holds(800, thread), observed(900)), Fail, "no_false_ready",
			"claimed to be ready at 300ms while `a thread is stored` failed at 350ms (HTTP 500), and all proofs held only at 800ms: falsely ready for 275ms (between 50ms and 500ms)"},
		{"claims for ever", spec, tl(exec(0), claims(300), fails(350, thread, "HTTP 500"), observed(900)), Fail, "ready", "did not hold"},
		{"takes the claim back", spec, tl(exec(0), claims(300), fails(350, thread, "500"), lost(400), claims(500), holds(510, thread), observed(900)), Fail, "no_false_ready", "was not over when the claim was at 400ms: falsely ready for 100ms"},
		{"no longer claims", spec, tl(exec(0), claims(300), timeline.Event{MS: 350, Kind: timeline.Proof, Name: thread, OK: ref(false)}, lost(351), claims(500), holds(510, thread), observed(900)),
			Pass, "ready", "ready at 500ms"},
		{"an attempt from before the claim", spec, tl(exec(0), claims(300), early, holds(400, thread), observed(900)), Pass, "ready", "ready at 300ms"},
		{"an optional dependency excuses", degrades, tl(bitten(), claims(300), holds(310, thread), fails(320, event, "refused"), observed(400)), Pass, "tolerate", "ready at 300ms"},
		{"not when its fault is over", degrades, tl(bitten(), claims(300), holds(310, thread), fails(315, event, "refused"), lift(320, "f1"), fails(400, event, "refused"), observed(900)),
			Fail, "tolerate", "did not hold"},
		{"unless it still says degraded", degrades, tl(bitten(), claimsDegraded(300), holds(310, thread), lift(320, "f1"), fails(400, event, "refused"), observed(900)), Pass, "tolerate", "ready at 300ms"},
		{"not beside a required one", both, tl(bitten(), armed(120, "f2"), bite(130, "f2"), claims(300), fails(320, thread, "refused"), observed(400)), Fail, "tolerate", "did not hold"},
		{"also when no fault bit", func() Spec {
			s := refused(Expectation{FailFast: &FailFast{}})
			s.Invariants.NoFalseReady = true
			return s
		}(), tl(exec(0), begin(10, "init"), claims(300), fails(350, thread, "500"), holds(800, thread), observed(900)), Fail, "no_false_ready", "falsely ready"},
	})
}

func TestFalseReadyWindow(t *testing.T) {
	spec := plain(Invariants{})
	window := func(events []timeline.Event) float64 {
		o := Observe(spec, events).Outcome
		require.Equal(t, FalseReady, o.Class)
		return *o.FalseReadyMS
	}
	assert.InDelta(t, 275, window(tl(exec(0), claims(300), fails(350, thread, "x"), holds(800, thread), observed(900))), 1e-9, "between 50 and 500: it came true somewhere from 350 to 800")
	assert.InDelta(t, 600, window(tl(exec(0), claims(300), fails(350, thread, "x"), observed(900))), 1e-9, "to the end when never")
	assert.InDelta(t, 225, window(tl(exec(0), claims(300), holds(350, thread), fails(650, thread, "x"), holds(800, thread), observed(900))), 1e-9,
		"once proved, it began to fail somewhere from 350 to 650")
	assert.InDelta(t, 100, window(tl(exec(0), claims(300), fails(350, thread, "x"), exits(400, 1), observed(900))), 1e-9, "until it is gone")
	assert.InDelta(t, 40, window(tl(exec(0), claims(300), fails(310, thread, "x"), holds(320, thread), lost(400), claims(500), fails(510, thread, "x"), holds(540, thread), observed(900))), 1e-9,
		"windows add up")
}

func TestPhaseOrder(t *testing.T) {
	spec := plain(Invariants{PhaseOrder: true})
	spec.Readiness = nil
	rest := tl(claims(300), observed(400))
	runCases(t, []judgeCase{
		{"in order", spec, tl(up(), observed(400)), Pass, "ready", ""},
		{"swapped", spec, tl(exec(0), begin(10, "init"), begin(20, "cache"), begin(30, "database"), rest), Fail, "phase_order", "phase cache began at 20ms although database had not"},
		{"back again", spec, tl(exec(0), begin(10, "init"), begin(20, "database"), begin(30, "init"), rest), Fail, "phase_order", "after database, which comes later"},
		{"twice", spec, tl(exec(0), begin(10, "init"), begin(20, "database"), begin(30, "database"), rest), Fail, "phase_order", "began a second time"},
		{"skipped", spec, tl(exec(0), begin(10, "init"), begin(20, "cache"), rest), Fail, "phase_order", "although database had not"},
		{"undeclared", spec, tl(exec(0), begin(10, "init"), begin(20, "warmup"), rest), Fail, "phase_order", "`warmup` began at 20ms, which is not declared"},
		{"each incarnation by itself", func() Spec { s := spec; s.Restarts = true; return s }(), tl(exec(0), begin(10, "init"), begin(20, "database"), exits(30, 3), restarts(31, 2), exec(40), begin(50, "init"), begin(60, "database"), begin(70, "cache"), rest),
			Pass, "ready", ""},
		{"stopped early is no skip", plain(Invariants{PhaseOrder: true}), tl(exec(0), begin(10, "init"), exits(20, 1), observed(21)), Fail, "ready", "exited with code 1"},
		{"polled phases have no exact order", spec, tl(exec(0), begin(10, "init"), polled(20, "cache"), begin(30, "database"), rest), Pass, "phase_order", "not checked: some phases were polled"},
		{"none seen is said", spec, tl(exec(0), rest), Pass, "phase_order", "not checked: none of the declared phases was seen"},
	})
}

func TestPhaseBudgets(t *testing.T) {
	spec := plain(Invariants{PhaseBudgets: true})
	spec.Readiness = nil
	spec.Phases[1].Budget, spec.Phases[2].Budget = seconds(0.15), seconds(0.15)
	runCases(t, []judgeCase{
		{"kept", spec, tl(up(), observed(9000)), Pass, "ready", ""},
		{"a phase is slow", spec, tl(exec(0), begin(100, "database"), begin(260, "cache"), claims(300), observed(400)), Fail, "phase_budgets", "phase database took 160ms (its budget is 150ms)"},
		{"a polled one has the time of a poll more", spec, tl(exec(0), polled(100, "database"), begin(1200, "cache"), claims(1201), observed(1202)), Pass, "ready", ""},
		{"but not more than that", spec, tl(exec(0), polled(100, "database"), begin(1300, "cache"), claims(1301), observed(1302)), Fail, "phase_budgets", "took 1.2s"},
		{"an end of its own", spec, tl(exec(0), begin(100, "database"), ends(200, "database"), begin(9000, "cache"), claims(9001), observed(9002)), Pass, "ready", ""},
		{"the last one until ready", spec, tl(exec(0), begin(100, "cache"), claims(260), observed(400)), Fail, "phase_budgets", "took 160ms until it was ready"},
		{"until it is gone", spec, tl(exec(0), begin(100, "database"), exits(260, 1), observed(261)), Fail, "ready", "exited"},
		{"still going on", spec, tl(exec(0), begin(100, "database"), budget(30000), observed(30000)), Fail, "ready", "still not ready"},
		{"begun after ready, never ended", spec, tl(exec(0), claims(50), begin(100, "cache"), observed(9000)), Pass, "phase_budgets", "not checked"},
	})
	j := Judge(spec, tl(exec(0), begin(100, "database"), budget(30000), observed(30000)))
	assert.Contains(t, said(j, "phase_budgets"), "was still going on when observation ended")
	j = Judge(spec, tl(exec(0), begin(100, "database"), exits(260, 1), observed(261)))
	assert.Contains(t, said(j, "phase_budgets"), "until the service was gone")
}

func TestStartupBudget(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(60)}})
	spec.Invariants.StartupBudget, spec.Budget = true, seconds(1)
	ready := plain(Invariants{StartupBudget: true})
	ready.Budget, ready.Readiness = seconds(1), nil
	runCases(t, []judgeCase{
		{"ready in time", ready, tl(exec(0), claims(999), observed(1100)), Pass, "ready", ""},
		{"ready late", ready, tl(exec(0), budget(1000), claims(1200), observed(1300)), Fail, "startup_budget", "ready only after 1.2s (its budget is 1s)"},
		{"hung", spec, tl(bitten(), budget(1000), observed(1001)), Fail, "startup_budget", "at 1s it was neither ready nor gone"},
		{"gone in time", spec, tl(bitten(), exits(500, 3), observed(501)), Pass, "fail_fast", ""},
		{"each incarnation by itself", ready, tl(exec(0), exits(900, 1), restarts(901, 2), exec(950), claims(1500), observed(1600)), Pass, "ready", ""},
	})
}

func TestLogNever(t *testing.T) {
	spec := plain(Invariants{LogNever: []string{`(?i)password=\w`, "panic:"}})
	spec.Readiness = nil
	bad := plain(Invariants{LogNever: []string{"("}})
	bad.Readiness = nil
	runCases(t, []judgeCase{
		{"clean", spec, tl(exec(0), logs(1, "ok"), claims(2), observed(3)), Pass, "ready", ""},
		{"leaks", spec, tl(exec(0), logs(1, "dsn: PASSWORD=hunter2"), claims(2), observed(3)), Fail, "log_never", "it logged what it must never log"},
		{"while it is stopped", spec, tl(exec(0), claims(2), observed(3), stop(4), logs(5, "panic: closed"), exits(6, 2)), Fail, "log_never", "first at 5ms: panic: closed"},
		{"dropped lines did not match", spec, tl(exec(0), timeline.Event{MS: 1, Kind: timeline.LogDropped, Count: map[string]float64{"lines": 7}}, claims(2), observed(3)), Pass, "ready", ""},
		{"a bad pattern is said", bad, tl(exec(0), claims(2), observed(3)), Pass, "log_never", "not checked"},
	})
}

func TestStopsOnSignal(t *testing.T) {
	spec := plain(Invariants{StopsOnSignal: &StopsOnSignal{}})
	quick := plain(Invariants{StopsOnSignal: &StopsOnSignal{Within: seconds(1)}})
	survivor := timeline.Event{MS: 460, Kind: timeline.Survivor, PID: 7, Text: "sleep 60"}
	runCases(t, []judgeCase{
		{"stops", spec, tl(up(), observed(400), stop(401), exits(450, 0)), Pass, "ready", ""},
		{"the signal itself may end it", spec, tl(up(), observed(400), stop(401), timeline.Event{MS: 450, Kind: timeline.Exit, Signal: "SIGTERM"}), Pass, "ready", ""},
		{"ignores it", spec, tl(up(), observed(400), stop(401), kill(5401), timeline.Event{MS: 5402, Kind: timeline.Exit, Signal: "SIGKILL"}), Fail, "stops_on_signal", "did not stop on SIGTERM at 401ms and was killed at 5.401s"},
		{"too slow", quick, tl(up(), observed(400), stop(401), exits(2000, 0)), Fail, "stops_on_signal", "took 1.599s to stop on SIGTERM (allowed 1s)"},
		{"leaves a child", spec, tl(up(), observed(400), stop(401), exits(450, 0), survivor), Fail, "stops_on_signal", "left 1 child behind that had to be killed: sleep 60"},
		{"was gone before", plain(Invariants{StopsOnSignal: &StopsOnSignal{}}), tl(exec(0), exits(20, 1), observed(21)), Fail, "ready", "exited"},
		{"is not known", spec, tl(up(), observed(400), stop(401)), Pass, "stops_on_signal", "ends before it stopped"},
	})
}

func TestRetry(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	spec.Invariants.Retry = &Retry{MaxAttempts: 4, MaxRate: 3}
	end := tl(exits(5000, 3), observed(5001))
	tries := func(kind func(float64, string) timeline.Event, ms ...float64) []timeline.Event {
		var out []timeline.Event
		for _, at := range ms {
			out = append(out, kind(at, "postgres"))
		}
		return out
	}
	restarted := tl(bitten(), tries(connects, 110, 1200, 2300), exits(2400, 3), restarts(2401, 2), exec(2500), tries(connects, 2600, 3700, 4800), end)
	counted := figures(4999, "postgres", map[string]float64{"attempts": 9, "open_at_end": 0})
	runCases(t, []judgeCase{
		{"bounded", spec, tl(bitten(), tries(connects, 110, 600, 1200, 2400), end), Pass, "fail_fast", ""},
		{"too many", spec, tl(bitten(), tries(connects, 110, 1200, 2300, 3400, 4500), end), Fail, "retry", "tried postgres 5 times (at most 4)"},
		{"too fast", spec, tl(bitten(), tries(connects, 110, 210, 310, 1109), end), Fail, "retry", "4 times within one second from 110ms on (at most 3 a second)"},
		{"the second ends", spec, tl(bitten(), tries(connects, 110, 210, 310, 1110), end), Pass, "fail_fast", ""},
		{"the runner counted more", spec, tl(bitten(), tries(connects, 110), counted, end), Fail, "retry", "9 times"},
		{"accepted ones prove too many", spec, tl(bitten(), tries(accepts, 110, 1200, 2300, 3400, 4500), end), Fail, "retry", "5 times"},
		{"but not few enough", spec, tl(bitten(), tries(accepts, 110), end), Inconclusive, "retry", "attempts on postgres that are refused by the kernel can't be counted"},
		{"where the fault accepts they are all", func() Spec {
			s := spec
			s.Faults = []Fault{{On: "postgres", Kind: "blackhole", Text: "blackhole on postgres during database"}}
			return s
		}(), tl(bitten(), tries(accepts, 110), end), Pass, "fail_fast", ""},
		{"each incarnation by itself", spec, restarted, Pass, "fail_fast", ""},
	})
}

func TestNoLeakedConnections(t *testing.T) {
	spec := plain(Invariants{NoLeakedConnections: &LeakedConnections{Max: 5}})
	open := func(n float64) []timeline.Event {
		return tl(up(), observed(400), figures(401, "postgres", map[string]float64{"open_at_end": n}))
	}
	runCases(t, []judgeCase{
		{"few", spec, open(5), Pass, "ready", ""},
		{"many", spec, open(6), Fail, "no_leaked_connections", "6 connections to postgres were open when observation ended (at most 5)"},
		{"not counted", spec, tl(up(), observed(400), figures(401, "postgres", nil)), Pass, "no_leaked_connections", "were not counted"},
	})
}
