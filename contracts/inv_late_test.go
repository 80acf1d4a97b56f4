package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// early makes an attempt one from before the claim.
func early(e timeline.Event) timeline.Event {
	e.Kind, e.Claimed = timeline.EarlyProof, false
	return e
}

func TestLateReady(t *testing.T) {
	spec := plain(Invariants{LateReady: &LateReady{Within: seconds(0.5)}})
	two := chatting()
	two.Invariants = spec.Invariants
	faulted := optional(Expectation{Degrade: &Degrade{}})
	faulted.Invariants = spec.Invariants
	asked := count(claims(1100), map[string]float64{"asked_ms": 450})
	refused := early(fails(305, "an event is stored", "refused"))
	for _, c := range []judgeCase{
		{"soon", spec, tl(exec(0), early(fails(10, thread, "x")), early(holds(250, thread)), claims(300), holds(310, thread), observed(400)), Pass, "", "every proof held for 50ms before it claimed"},
		{"late", spec, tl(exec(0), early(fails(10, thread, "x")), early(holds(300, thread)), claims(1100), holds(1110, thread), observed(1200)), Fail, "late_ready",
			"every proof held from 300ms on (`a thread is stored` was the last), and it claimed to be ready only at 1.1s: late by 800ms (allowed 500ms)"},
		{"it may have claimed in time", spec, tl(exec(0), early(holds(300, thread)), asked, holds(1110, thread), observed(1200)), Pass, "", "held for 800ms"},
		{"never", spec, tl(exec(0), early(holds(300, thread)), budget(2000), observed(2001)), Fail, "", "1.701s later, when observation ended, it had still not claimed to be ready"},
		{"it held and failed again", spec, tl(exec(0), early(holds(100, thread)), early(fails(900, thread, "x")), early(holds(1000, thread)), claims(1100), holds(1110, thread), observed(1200)), Pass, "", "for 100ms"},
		{"one of two never held", two, tl(exec(0), early(holds(100, thread)), early(fails(900, chat, "x")), claims(1100), holds(1110, thread), holds(1111, chat), observed(1200)), Pass, "", "no time in which every proof held"},
		{"the last of two counts", two, tl(exec(0), early(holds(100, thread)), early(holds(900, chat)), claims(1100), holds(1110, thread), holds(1111, chat), observed(1200)), Pass, "", "for 200ms"},
		{"nobody asked", spec, tl(up(), observed(1200)), Pass, "", "not checked: no proof was tried before"},
		{"an optional dependency excuses", faulted, tl(bitten(), early(holds(300, thread)), refused, claimsDegraded(1100), holds(1110, thread), observed(1200)), Fail, "", "late by 800ms"},
		{"after the claim was lost", spec, tl(exec(0), early(holds(250, thread)), claims(300), holds(310, thread), lost(400), early(holds(450, thread)), claims(1300), holds(1310, thread), observed(1400)), Fail, "", "from 450ms on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := Judge(c.spec, c.events)
			assert.Equal(t, c.verdict, j.Verdict, dump(j))
			assert.Contains(t, said(j, "late_ready"), c.says)
			assertSound(t, c.spec, c.events, j)
		})
	}
	none := spec
	none.Readiness = nil
	assert.Contains(t, said(Judge(none, tl(exec(0), claims(300), observed(400))), "late_ready"), "no proof of readiness is declared")
	o := Observe(spec, tl(exec(0), early(holds(300, thread)), claims(1100), observed(1200))).Outcome
	require.NotNil(t, o.LateReadyMS)
	assert.InDelta(t, 800, *o.LateReadyMS, 1e-9)
	assert.Nil(t, Observe(spec, tl(up(), observed(1200))).Outcome.LateReadyMS, "nobody asked")
}

// Attempts from before the claim prove nothing about a claim, and no readiness without one.
func TestEarlyProofsProveNoReadiness(t *testing.T) {
	spec := plain(Invariants{NoFalseReady: true})
	spec.Expect = Expectation{Readiness: "all"}
	runCases(t, []judgeCase{
		{"never claimed", spec, tl(exec(0), early(holds(300, thread)), budget(2000), observed(2001)), Fail, "readiness", "no proof could hold"},
		{"failed before the claim", spec, tl(exec(0), early(fails(300, thread, "x")), claims(400), holds(410, thread), observed(500)), Pass, "readiness", "held"},
	})
}
