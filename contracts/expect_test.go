package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

func TestFailFast(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(5), Log: "(?i)postgres"}})
	code := func(c ExitCode) Spec {
		return refused(Expectation{FailFast: &FailFast{Within: seconds(5), ExitCode: c}})
	}
	named := logs(150, "dial postgres: connection refused")
	died := func(code int) []timeline.Event { return tl(bitten(), named, exits(160, code), observed(161)) }
	signalled := tl(bitten(), timeline.Event{MS: 160, Kind: timeline.Exit, Signal: "SIGSEGV"}, observed(161))
	runCases(t, []judgeCase{
		{"exits in time and says why", spec, died(3), Pass, "fail_fast", "exited with code 3 at 160ms, 50ms after the fault on postgres first bit"},
		{"the line arrives after the exit", spec, tl(bitten(), exits(160, 3), named, observed(170)), Pass, "fail_fast", "names the cause"},
		{"exit 0 is no failure", spec, died(0), Fail, "fail_fast", "expected a code other than 0"},
		{"any code will do", code("any"), died(0), Pass, "fail_fast", "code 0"},
		{"the code that was asked for", code("3"), died(3), Pass, "fail_fast", "code 3"},
		{"another code", code("3"), died(1), Fail, "fail_fast", "expected code 3"},
		{"a signal is not a code", code("3"), signalled, Fail, "fail_fast", "was ended by SIGSEGV"},
		{"a signal is a failure", code(""), signalled, Pass, "fail_fast", "SIGSEGV"},
		{"too late", spec, tl(bitten(), named, exits(5111, 3), observed(5112)), Fail, "fail_fast", "exited with code 3 only 5.001s after"},
		{"nobody learns why", spec, tl(bitten(), logs(150, "startup failed"), exits(160, 3), observed(161)), Fail, "fail_fast", "no line of its log matches"},
		{"what was dropped did not match", spec, tl(bitten(), timeline.Event{MS: 120, Kind: timeline.LogDropped, Count: map[string]float64{"lines": 9}},
			exits(160, 3), observed(161)), Fail, "fail_fast", "no line of its log matches"},
		{"ready instead", spec, tl(bitten(), claims(200), exits(300, 3), observed(301)), Fail, "fail_fast", "claimed to be ready at 200ms"},
		{"ready and alive", spec, tl(bitten(), claims(200), observed(9000), stop(9001), exits(9002, 0)), Fail, "fail_fast", "instead of ending"},
		{"hung", spec, tl(bitten(), budget(30000), observed(30001), stop(30002), exits(30010, 0)), Fail, "fail_fast", "still running 29.891s after"},
		{"stopped by us is not by itself", spec, tl(bitten(), observed(6000), stop(6001), exits(6002, 3)), Fail, "fail_fast", "still running"},
		{"watched too short", spec, tl(bitten(), budget(2000), observed(2001), stop(2002), exits(2003, 3)), Inconclusive, "fail_fast", "had not ended when observation did"},
		{"a later phase begins", spec, tl(bitten(), named, begin(155, "cache"), exits(160, 3), observed(161)), Fail, "fail_fast", "phase cache began at 155ms although"},
		{"a bad pattern accuses nobody", refused(Expectation{FailFast: &FailFast{Log: "("}}), died(3), Inconclusive, "fail_fast", "compile"},
		{"the bitten incarnation counts", spec, tl(bitten(), named, exits(160, 3), restarts(161, 2), exec(170), begin(180, "init"), claims(300), observed(400), stop(401), exits(402, 0)),
			Pass, "fail_fast", "exited with code 3 at 160ms"},
	})
}

// Observation of one that is ready does not end with its budget, and raising that would change nothing.
func TestFailFastWatchedTooShort(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	told := timeline.Event{MS: 3100, Kind: timeline.End, Text: "it is ready"}
	j := Judge(spec, tl(exec(0), begin(10, "init"), claims(50), begin(100, "database"), armed(100, "f1"), bite(110, "f1"), told, stop(3101), exits(3102, 0)))
	assert.Equal(t, Inconclusive, j.Verdict)
	assert.Equal(t, "it had not ended when observation did, 2.99s after the fault on postgres first bit at 110ms; it is allowed 10s (observation ended: it is ready)", j.Reasons[0].Text)
	assert.Contains(t, j.Reasons[0].Next, "expect fail_fast by itself")
	assert.NotContains(t, j.Reasons[0].Next, "budget")
	j = Judge(spec, tl(bitten(), budget(2000), observed(2001), stop(2002), exits(2003, 3)))
	assert.Contains(t, j.Reasons[0].Next, "raise service.budget")
}

// With two faults, what counts is the moment when everything injected has been felt.
func TestFailFastOnTheLastOfTwoFaults(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(1)}})
	spec.Faults = append(spec.Faults, Fault{On: "redis", Kind: "refuse", Text: "refuse on redis during cache", Phase: "cache"})
	runCases(t, []judgeCase{
		{"the first was survived", spec, tl(bitten(), lift(2000, "f1"), begin(2000, "cache"), armed(2000, "f2"), bite(2010, "f2"), exits(2050, 3), observed(2051)),
			Pass, "fail_fast", "40ms after"},
		{"the second never bit", spec, tl(bitten(), exits(160, 3), observed(161)), Inconclusive, "vacuous", "phase cache never came"},
	})
}

func TestGiveUp(t *testing.T) {
	spec := refused(Expectation{GiveUp: &GiveUp{After: seconds(2), Within: seconds(10)}})
	runCases(t, []judgeCase{
		{"after some retries", spec, tl(bitten(), exits(3110, 3), observed(3111)), Pass, "give_up", "3s after"},
		{"at once", spec, tl(bitten(), exits(160, 3), observed(161)), Fail, "give_up", "gave up already 50ms after"},
		{"never", spec, tl(bitten(), budget(30000), observed(30000)), Fail, "give_up", "still running"},
		{"never used", spec, tl(exec(0), begin(100, "database"), armed(100, "f1"), exits(160, 3), observed(161)), Inconclusive, "vacuous", "was not used"},
	})
}

func TestRecover(t *testing.T) {
	spec := refused(Expectation{Recover: &Recover{Within: seconds(10)}})
	once := refused(Expectation{Recover: &Recover{Within: seconds(10), Restarts: 1}})
	up := tl(bitten(), lift(3100, "f1"))
	thread := "a thread is stored"
	quiet := tl(observed(20000), stop(20001), exits(20002, 0))
	late := func(failed float64) timeline.Event { // it held at 14 s; the last ask that failed was begun at that time
		e := holds(14000, thread)
		e.Count = map[string]float64{"failed_ms": failed}
		return e
	}
	runCases(t, []judgeCase{
		{"ready with every proof", spec, tl(up, claims(3300), holds(3350, thread), quiet), Pass, "recover", "ready with every proof 250ms after the fault on postgres was lifted at 3.1s"},
		{"ready before the lift", spec, tl(bitten(), claims(200), holds(250, thread), lift(3100, "f1"), quiet), Pass, "recover", "before the fault on postgres was lifted"},
		{"still not ready", spec, tl(up, fails(8000, thread, "HTTP 503"), budget(30000), observed(30000)), Fail, "recover",
			"still not ready 26.9s after the fault on postgres was lifted at 3.1s (allowed 10s); last proof error: a thread is stored: HTTP 503"},
		{"too late", spec, tl(up, claims(3300), fails(3400, thread, "500"), late(13500), quiet), Fail, "recover", "only 10.9s after"},
		{"perhaps too late", spec, tl(up, claims(3300), fails(3400, thread, "500"), late(3500), quiet), Inconclusive, "recover", "between 400ms and 10.9s after"},
		{"a proof fails for good", spec, tl(up, claims(3300), fails(19000, thread, "HTTP 500"), quiet), Fail, "recover", "1 proof did not hold at the last attempt"},
		{"it claims to be ready, so the proofs must hold", spec, tl(up, claims(3300), fails(3400, thread, "500"), observed(4000)), Fail, "recover", "did not hold at the last attempt"},
		{"a proof was never tried", spec, tl(up, claims(3300), quiet), Inconclusive, "recover", "never tried"},
		{"watched too short", spec, tl(up, budget(5000), observed(5000)), Inconclusive, "recover", "watched for only 1.9s after"},
		{"died while the fault was on", spec, tl(bitten(), exits(160, 3), lift(3100, "f1"), observed(3200)), Fail, "recover", "while the fault on postgres was still on"},
		{"died and was never lifted", spec, tl(bitten(), exits(160, 3), observed(161), liftAtEnd(162, "f1")), Fail, "recover", "while the fault on postgres was still on"},
		{"died, and that ended the phase and the fault", spec, tl(bitten(), gone(160, 160, 160), observed(161)), Fail, "recover", "while the fault on postgres was still on"},
		{"starts again into the same fault", once, tl(bitten(), gone(160, 160, 160), restarts(161, 2), exec(170), begin(180, "init"), begin(190, "database"), armed(190, "f1"), bite(195, "f1"),
			gone(200, 200, 200), observed(30000)), Inconclusive, "recover", "was never lifted"},
		{"died after the lift", spec, tl(up, exits(3200, 3), observed(3201)), Fail, "recover", "exited with code 3 at 3.2s instead of becoming ready"},
		{"never lifted", spec, tl(bitten(), budget(30000), observed(30000), liftAtEnd(30001, "f1")), Inconclusive, "recover", "was never lifted"},
		{"ready and never lifted", spec, tl(bitten(), claims(200), holds(210, thread), observed(9000), liftAtEnd(9001, "f1")), Inconclusive, "recover", "nothing to recover from"},
		{"restarted once too often", spec, tl(bitten(), exits(160, 3), restarts(161, 2), exec(300), lift(3100, "f1"), claims(3200), holds(3201, thread), quiet), Fail, "recover", "restarted once (allowed 0)"},
		{"restarted as allowed", once, tl(bitten(), exits(160, 3), restarts(161, 2), exec(300), lift(3100, "f1"), claims(3200), holds(3201, thread), quiet), Pass, "recover", "101ms after"},
		{"restarting to the end", once, tl(up, exits(3200, 3), restarts(3201, 2), exec(3300), exits(3400, 3), observed(30000)), Fail, "recover", "was not ready at the end"},
		{"ready, then lost", spec, tl(up, claims(3300), holds(3350, thread), lost(4000), observed(20000)), Fail, "recover", "still not ready 16.9s"},
	})
}

func TestTolerate(t *testing.T) {
	spec := refused(Expectation{Tolerate: &Tolerate{Within: seconds(5)}})
	through := tl(ends(500, "database"), liftBecause(500, "phase database ended", "phase"))
	thread := "a thread is stored"
	runCases(t, []judgeCase{
		{"ready with the fault on", spec, tl(bitten(), claims(1000), holds(1100, thread), observed(2000), liftAtEnd(2001, "f1")), Pass, "tolerate", "ready at 1s (allowed 5s)"},
		{"lifted after it was ready", spec, tl(bitten(), claims(1000), holds(1100, thread), lift(1500, "f1"), observed(2000)), Pass, "tolerate", "ready at 1s"},
		{"degraded is ready", spec, tl(bitten(), claimsDegraded(1000), holds(1100, thread), observed(2000)), Pass, "tolerate", "ready at 1s"},
		{"too late", spec, tl(bitten(), claims(6000), holds(6100, thread), observed(7000)), Fail, "tolerate", "ready only at 6s"},
		{"never", spec, tl(bitten(), budget(30000), observed(30000)), Fail, "tolerate", "still not ready 30s after its start"},
		{"exits", spec, tl(bitten(), exits(160, 3), observed(161)), Fail, "tolerate", "exited with code 3"},
		{"a proof fails", spec, tl(bitten(), claims(1000), fails(1100, thread, "500"), observed(2000)), Fail, "tolerate", "did not hold"},
		{"lifted before", spec, tl(bitten(), lift(500, "f1"), claims(1000), holds(1100, thread), observed(2000)), Inconclusive, "tolerate", "nothing was left to tolerate"},
		{"it got through the phase with the fault on", spec, tl(bitten(), through, claims(1000), holds(1100, thread), observed(2000)), Pass, "tolerate", "with the fault on postgres on until its phase ended"},
		{"the same, in the words of the lift", spec, tl(bitten(), ends(500, "database"), liftBecause(500, "phase database ended", ""), claims(1000), holds(1100, thread), observed(2000)),
			Pass, "tolerate", "until its phase ended"},
		{"never used", spec, tl(exec(0), begin(100, "database"), armed(100, "f1"), claims(1000), holds(1100, thread), observed(2000)), Inconclusive, "vacuous", "not used"},
	})
}

func TestDegrade(t *testing.T) {
	spec := optional(Expectation{Degrade: &Degrade{Within: seconds(5)}})
	thread, event := "a thread is stored", "an event is stored"
	runCases(t, []judgeCase{
		{"says so, and the rest works", spec, tl(bitten(), claimsDegraded(900), holds(950, thread), fails(960, event, "refused"), observed(2000)), Pass, "degrade", "said that it is degraded"},
		{"does not say so", spec, tl(bitten(), claims(900), holds(950, thread), fails(960, event, "refused"), observed(2000)), Fail, "degrade", "without saying that it is degraded"},
		{"the rest does not work", spec, tl(bitten(), claimsDegraded(900), fails(950, thread, "500"), observed(2000)), Fail, "degrade", "did not hold"},
		{"too late", spec, tl(bitten(), claimsDegraded(5900), holds(5950, thread), observed(7000)), Fail, "degrade", "ready only at 5.9s"},
		{"blocks the start", spec, tl(bitten(), budget(30000), observed(30000)), Fail, "degrade", "still not ready"},
		{"lifted before", spec, tl(bitten(), lift(500, "f1"), claims(900), holds(950, thread), observed(2000)), Inconclusive, "degrade", "nothing was missing any more"},
		{"a required dependency", refused(Expectation{Degrade: &Degrade{}}), tl(bitten(), claimsDegraded(900), holds(950, thread), observed(2000)), Inconclusive, "degrade", "required dependency"},
		{"never used", spec, tl(exec(0), begin(100, "database"), armed(100, "f1"), claimsDegraded(900), holds(950, thread), observed(2000)), Inconclusive, "vacuous", "not used"},
	})
}

func TestWait(t *testing.T) {
	spec := refused(Expectation{Wait: &Wait{}})
	spec.Invariants.StartupBudget = true
	runCases(t, []judgeCase{
		{"waits for the lift", spec, tl(bitten(), lift(3100, "f1"), claims(3200), holds(3300, "a thread is stored"), observed(4000)), Pass, "wait", "neither ready nor gone until"},
		{"still waits at the budget", spec, tl(bitten(), budget(30000), observed(30000), liftAtEnd(30001, "f1")), Pass, "startup_budget", "asks it to wait"},
		{"ready meanwhile", spec, tl(bitten(), claims(200), lift(3100, "f1"), observed(4000)), Fail, "wait", "claimed to be ready at 200ms"},
		{"exits meanwhile", spec, tl(bitten(), exits(160, 3), observed(161), liftAtEnd(162, "f1")), Fail, "wait", "exited with code 3"},
		{"hangs after the lift", spec, tl(bitten(), lift(3100, "f1"), budget(30000), observed(30000)), Fail, "startup_budget", "neither ready nor gone"},
		{"exits, and that ends the phase and the fault", spec, tl(bitten(), gone(160, 160, 160), observed(161)), Fail, "wait", "exited with code 3"},
		{"the same, written down late", spec, tl(bitten(), gone(165, 160, 165), observed(166)), Fail, "wait", "exited with code 3"},
		{"cut short", spec, tl(bitten(), observed(500), liftAtEnd(501, "f1")), Inconclusive, "wait", "still on"},
		{"was ready before", spec, tl(exec(0), begin(10, "init"), claims(50), begin(100, "database"), armed(100, "f1"), bite(110, "f1"), lift(300, "f1"), observed(400)),
			Inconclusive, "wait", "before the fault on postgres came on"},
		{"never used", spec, tl(exec(0), begin(100, "database"), armed(100, "f1"), lift(3100, "f1"), claims(3200), observed(4000)), Inconclusive, "vacuous", "not used"},
	})
}

func TestReadinessAll(t *testing.T) {
	spec := refused(Expectation{AllOf: []Expectation{{Recover: &Recover{Within: seconds(10)}}, {Readiness: "all"}}})
	none := refused(Expectation{Readiness: "all"})
	none.Readiness = nil
	excused := optional(Expectation{Readiness: "all"})
	thread := "a thread is stored"
	runCases(t, []judgeCase{
		{"all hold", spec, tl(bitten(), lift(3100, "f1"), claims(3200), holds(3300, thread), observed(4000)), Pass, "recover", "ready with every proof"},
		{"one fails at last", spec, tl(bitten(), lift(3100, "f1"), claims(3200), fails(19000, thread, "500"), observed(20000)), Fail, "recover", "did not hold"},
		{"never ready", refused(Expectation{Readiness: "all"}), tl(bitten(), exits(160, 3), observed(161)), Fail, "readiness", "no proof could hold"},
		{"it died after all had held", excused, tl(bitten(), claims(300), holds(310, thread), holds(320, "an event is stored"), exits(900, 2), observed(901)), Fail, "readiness",
			"exited with code 2 at 900ms instead of becoming ready"},
		{"none declared", none, tl(bitten(), claims(300), observed(400)), Inconclusive, "readiness", "no proof of readiness is declared"},
		{"all means all", excused, tl(bitten(), claimsDegraded(300), holds(310, thread), fails(320, "an event is stored", "refused"), observed(400)), Fail, "readiness", "an event is stored"},
	})
}

func TestAnyOf(t *testing.T) {
	spec := refused(Expectation{AnyOf: []Expectation{
		{Name: "fails-fast", FailFast: &FailFast{Within: seconds(5)}},
		{Name: "recovers", Recover: &Recover{Within: seconds(10)}},
		{Name: "degrades", Degrade: &Degrade{}},
	}})
	thread := "a thread is stored"
	runCases(t, []judgeCase{
		{"the first holds", spec, tl(bitten(), exits(160, 3), observed(161)), Pass, "fail_fast", "fails-fast: it exited"},
		{"the second holds", spec, tl(bitten(), lift(3100, "f1"), claims(3200), holds(3300, thread), observed(4000)), Pass, "recover", "recovers: it was ready"},
		{"a hang is none of them", spec, tl(bitten(), budget(30000), observed(30000), liftAtEnd(30001, "f1")), Fail, "any_of",
			"none of fails-fast, recovers and degrades holds: it was alive and not ready at 30s"},
		{"an open one keeps the others from accusing", spec, tl(bitten(), lift(27000, "f1"), budget(30000), observed(30000)), Inconclusive, "any_of", "could be shown to hold"},
		{"all reasons are told", spec, tl(bitten(), exits(160, 0), observed(161)), Fail, "any_of", "exited with code 0"},
	})
	j := Judge(spec, tl(bitten(), exits(160, 0), observed(161)))
	for _, rule := range []string{"fail_fast", "recover", "degrade"} {
		if said(j, rule) == "" {
			t.Errorf("the reasons do not tell about %s: %s", rule, dump(j))
		}
	}
}
