package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

func TestInvariantNames(t *testing.T) {
	assert.Empty(t, Invariants{}.Names())
	v := Invariants{NoFalseReady: true, Retry: &Retry{MaxAttempts: 3}, LogNever: []string{"x"}}
	assert.Equal(t, []string{"no_false_ready", "log_never", "retry"}, v.Names())
}

func TestDemands(t *testing.T) {
	named := func(name string) Expectation { return Expectation{Name: name, Wait: &Wait{}} }
	e := Expectation{Name: "both", AllOf: []Expectation{named("a"), {AnyOf: []Expectation{named("b"), named("c")}}}}
	for name, want := range map[string]bool{"both": true, "a": true, "b": false, "c": false, "d": false} {
		assert.Equal(t, want, e.Demands(name), name)
	}
}

func TestCoverIn(t *testing.T) {
	s := Spec{Expect: Expectation{Name: "dies"}, Readiness: []Proof{{Name: "p"}}, Invariants: Invariants{PhaseOrder: true}, Traffic: &Traffic{}}
	for _, c := range []struct {
		cover Cover
		want  bool
	}{
		{Cover{CoverExperiment, "e"}, true}, {Cover{CoverExperiment, "f"}, false},
		{Cover{CoverContract, "dies"}, true}, {Cover{CoverContract, "e"}, false},
		{Cover{CoverProof, "p"}, true}, {Cover{CoverProof, "q"}, false},
		{Cover{CoverInvariant, "phase_order"}, true}, {Cover{CoverInvariant, "retry"}, false}, {Cover{"other", "e"}, false},
		{Cover{CoverTraffic, "traffic"}, true}, {Cover{CoverTraffic, "early_traffic"}, false},
	} {
		assert.Equal(t, c.want, c.cover.In("e", s), "%s", c.cover)
	}
}

func TestShown(t *testing.T) {
	no, yes := false, true
	events := []timeline.Event{{ID: 0, Kind: timeline.Proof, Name: "p", OK: &no}, {ID: 1, Kind: timeline.Proof, Name: "p", OK: &yes}, {ID: 2, Kind: timeline.Proof, Name: "q", OK: &no}}
	proof, order := Cover{CoverProof, "p"}, Cover{CoverInvariant, "phase_order"}
	ok := Observation{Readiness: []ProofResult{{Name: "p", OK: true}}}
	gone := Observation{Outcome: Outcome{Class: Exited}, Readiness: []ProofResult{{Name: "p"}}}
	failing := Observation{Outcome: Outcome{Class: Hung}, Readiness: []ProofResult{{Name: "p", AtMS: 90}}}
	because := func(v Verdict, rule string, s State, evidence ...int) Judgment {
		return Judgment{Verdict: v, Reasons: []Reason{{Rule: "startup_budget", State: Held}, {Rule: rule, State: s, Evidence: evidence}}}
	}
	for name, c := range map[string]struct {
		cover Cover
		j     Judgment
		o     Observation
		want  Verdict
	}{
		"a reason cites its failure":             {proof, because(Fail, "no_false_ready", Violated, 0), ok, Fail},
		"a reason cites its success only":        {proof, because(Fail, "recover", Violated, 1), ok, Pass},
		"a reason cites another proof":           {proof, because(Fail, "recover", Violated, 2), Observation{}, ""},
		"a reason that held cites its failure":   {proof, because(Pass, "wait", Held, 0), Observation{}, ""},
		"a dependency was gone":                  {proof, because(Inconclusive, "recover", Violated, 0), ok, Inconclusive},
		"it held although no fault ever bit":     {proof, because(Inconclusive, "vacuous", Undecided), ok, Pass},
		"the trial was lost":                     {proof, because(Error, "harness", Undecided), Observation{}, Inconclusive},
		"it was not asked, and no matter why":    {proof, because(Inconclusive, "control", Undecided), gone, ""},
		"it failed, and who knows why":           {proof, because(Inconclusive, "escaped", Undecided), failing, Inconclusive},
		"the service was to exit":                {proof, because(Pass, "fail_fast", Held), Observation{}, ""},
		"the invariant is violated":              {order, because(Fail, "phase_order", Violated), ok, Fail},
		"the invariant held":                     {order, because(Fail, "phase_order", Held), ok, Pass},
		"the invariant could not be decided":     {order, because(Inconclusive, "phase_order", Undecided), ok, Inconclusive},
		"the invariant was not checked":          {order, because(Pass, "phase_order", Note), ok, ""},
		"the load was not answered in time":      {Cover{CoverTraffic, "traffic"}, because(Fail, "traffic", Violated), ok, Fail},
		"the load was answered":                  {Cover{CoverTraffic, "traffic"}, because(Pass, "traffic", Held), ok, Pass},
		"the generator was late":                 {Cover{CoverTraffic, "traffic"}, because(Inconclusive, "traffic", Undecided), ok, Inconclusive},
		"another one is violated":                {order, because(Fail, "retry", Violated), ok, ""},
		"the trial was lost, and its invariants": {order, because(Inconclusive, "control", Undecided), ok, Inconclusive},
	} {
		assert.Equal(t, c.want, c.cover.Shown(c.j, c.o, events), name)
	}
}

// Proofs that ask only what service.ready asks, or none, don't show that ready means ready.
func TestBlind(t *testing.T) {
	echo, work := Proof{Name: "p", Echo: true}, Proof{Name: "q"}
	truth, late := Cover{CoverInvariant, "no_false_ready"}, Cover{CoverInvariant, "late_ready"}
	assert.True(t, truth.Blind(Spec{}))
	assert.True(t, truth.Blind(Spec{Readiness: []Proof{echo}}))
	assert.True(t, late.Blind(Spec{Readiness: []Proof{echo}}))
	assert.False(t, truth.Blind(Spec{Readiness: []Proof{echo, work}}))
	assert.False(t, Cover{CoverInvariant, "startup_budget"}.Blind(Spec{}))
	assert.False(t, Cover{CoverProof, "p"}.Blind(Spec{Readiness: []Proof{echo}}))
}
