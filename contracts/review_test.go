package contracts

import (
	"testing"

	"github.com/chaos-startup/chaos/timeline"
)

// A dependency that is really gone excuses what only takes time also where the fault met nothing.
func TestTroubleExcusesAlsoWhereNothingBit(t *testing.T) {
	spec := refused(Expectation{Recover: &Recover{Within: seconds(1)}})
	spec.Invariants.StartupBudget = true
	trouble := timeline.Event{MS: 100, Kind: timeline.UpstreamError, Dependency: "postgres", Error: "connection refused"}
	lying := spec
	lying.Invariants.NoFalseReady = true
	runCases(t, []judgeCase{
		{"hung on it", spec, tl(exec(0), trouble, budget(30000), observed(30000)), Inconclusive, "upstream", "postgres itself could not be reached"},
		{"hung by itself", spec, tl(exec(0), budget(30000), observed(30000)), Fail, "startup_budget", ""},
		{"a lie is still a lie", lying, tl(exec(0), trouble, claims(200), fails(210, thread, "x"), observed(300)), Fail, "no_false_ready", ""},
	})
}

// A proxy may notice that a fault met a connection when its service has exited already: that is no service which did not end.
func TestExitBeforeTheBite(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(1)}})
	runCases(t, []judgeCase{
		{"exit, then bite", spec, tl(exec(0), armed(1, "f1"), exits(20, 1), bite(20.1, "f1"), observed(21)), Inconclusive, "fail_fast", "before"},
		{"exit, then bite, then a restart", spec, tl(exec(0), armed(1, "f1"), exits(20, 1), bite(20.1, "f1"), restarts(21, 2), exec(30), exits(1200, 1), observed(1500)),
			Inconclusive, "fail_fast", "before"},
		{"bite, then exit", spec, tl(exec(0), armed(1, "f1"), bite(20, "f1"), exits(20.1, 1), observed(21)), Pass, "fail_fast", ""},
	})
}

// A service that was degraded and says that it is not any more has no excuse left once the fault is over.
func TestNoExcuseForWhoIsNoLongerDegraded(t *testing.T) {
	spec := optional(Expectation{Recover: &Recover{Within: seconds(5)}})
	spec.Invariants.NoFalseReady = true
	spec.Readiness = append(spec.Readiness, Proof{Name: "counts", Needs: []string{"clickhouse"}})
	after := fails(900, "counts", "no table")
	events := func(says string) []timeline.Event {
		after.Result = says
		return tl(exec(0), armed(1, "f1"), bite(20, "f1"), claimsDegraded(300), holds(310, thread), fails(320, "counts", "refused"), lift(500, "f1"), holds(890, thread), after, observed(2000))
	}
	runCases(t, []judgeCase{
		{"still degraded", spec, events("degraded"), Pass, "recover", ""},
		{"it does not say", spec, events(""), Pass, "recover", ""},
		{"says ready", spec, events("ready"), Fail, "recover", "counts"},
	})
}
