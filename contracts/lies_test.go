package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// count adds figures to an event.
func count(e timeline.Event, figures map[string]float64) timeline.Event {
	e.Count = figures
	return e
}

// chatting has a second proof, which needs two dependencies.
func chatting() Spec {
	s := plain(Invariants{NoFalseReady: true})
	s.Readiness = append(s.Readiness, Proof{Name: "a chat is answered", Needs: []string{"redis", "postgres"}})
	return s
}

const chat = "a chat is answered"

func TestFalseReadyIsAsExactAsTheAsks(t *testing.T) {
	spec := plain(Invariants{})
	within := func(parts ...any) [2]float64 {
		o := Observe(spec, tl(parts...)).Outcome
		require.NotNil(t, o.FalseReadyWithinMS)
		assert.LessOrEqual(t, o.FalseReadyWithinMS[0], *o.FalseReadyMS)
		assert.GreaterOrEqual(t, o.FalseReadyWithinMS[1], *o.FalseReadyMS)
		return *o.FalseReadyWithinMS
	}
	asked := count(claims(300), map[string]float64{"asked_ms": 290})
	failed := count(fails(310, thread, "x"), map[string]float64{"took_ms": 9})
	held := count(holds(800, thread), map[string]float64{"took_ms": 3, "failed_ms": 780})
	assert.Equal(t, [2]float64{480, 510}, within(exec(0), asked, failed, held, observed(900)),
		"it held after the last ask that failed was begun; the claim may have come since the last ask that said no")
	assert.Equal(t, [2]float64{1, 500}, within(exec(0), claims(300), failed, holds(800, thread), observed(900)), "no more is known of a report without these")
	thrice := count(holds(800, thread), map[string]float64{"took_ms": 60, "failed_ms": 730, "held_ms": 745})
	assert.Equal(t, [2]float64{430, 455}, within(exec(0), asked, failed, thrice, observed(900)), "of several in a row the first counts")
	again := count(fails(650, thread, "x"), map[string]float64{"took_ms": 10, "held_ms": 600})
	assert.Equal(t, [2]float64{130, 200}, within(exec(0), asked, holds(310, thread), again, held, observed(900)),
		"one that had held began to fail after the last ask that held was begun, and before the first that failed was over")
	assert.Equal(t, [2]float64{1, 610}, within(exec(0), asked, failed, observed(900)), "so far, when it goes on")
}

func TestFalseWindowsByProof(t *testing.T) {
	spec := chatting()
	events := tl(exec(0), accepts(50, "postgres"), claims(300), fails(305, thread, "500"), fails(306, chat, "no answer"), holds(400, thread), holds(900, chat), observed(950))
	o := Observe(spec, events)
	require.Len(t, o.FalseReady, 2)
	assert.Equal(t, FalseWindow{Proof: thread, Error: "500", FromMS: 300, ForMS: 52.5, WithinMS: [2]float64{5, 100}, Ended: "held", Dependency: "postgres",
		Because: "the only one that it needs, though nothing was seen to be amiss with it"}, o.FalseReady[0])
	assert.Equal(t, FalseWindow{Proof: chat, Error: "no answer", FromMS: 300, ForMS: 303, WithinMS: [2]float64{6, 600}, Ended: "held", Dependency: "redis",
		Because: "the service had not connected to it when the proof failed"}, o.FalseReady[1])
	assert.InDelta(t, 303, *o.Outcome.FalseReadyMS, 1e-9, "until the last one holds")
	said := said(Judge(spec, events), "no_false_ready")
	assert.Contains(t, said, "falsely ready for 303ms (between 6ms and 600ms); it points at postgres")
	assert.Contains(t, said, "`a chat is answered` failed too (for 303ms), it points at redis")
	// One that needs long and holds at its first attempt has not failed.
	slow := Observe(spec, tl(exec(0), claims(300), fails(305, thread, "500"), holds(320, thread), count(holds(5300, chat), map[string]float64{"took_ms": 5000}), observed(5400)))
	assert.InDelta(t, 12.5, *slow.Outcome.FalseReadyMS, 1e-9)
}

func TestHowAFalseWindowEnds(t *testing.T) {
	spec := plain(Invariants{})
	ended := func(parts ...any) []string {
		var out []string
		for _, w := range Observe(spec, tl(parts...)).FalseReady {
			out = append(out, w.Ended)
		}
		return out
	}
	bad := fails(310, thread, "x")
	assert.Equal(t, []string{"held"}, ended(exec(0), claims(300), bad, holds(320, thread), observed(400)))
	assert.Equal(t, []string{"lost"}, ended(exec(0), claims(300), bad, lost(320), observed(400)))
	assert.Equal(t, []string{"lost"}, ended(exec(0), claims(300), bad, exits(320, 1), observed(400)))
	assert.Equal(t, []string{"open"}, ended(exec(0), claims(300), bad, observed(400)))
	assert.Empty(t, ended(exec(0), claims(300), holds(310, thread), observed(400)))
}

func TestWhatAFalseClaimPointsAt(t *testing.T) {
	both := func(faults ...Fault) Spec {
		s := chatting()
		s.Readiness, s.Faults = s.Readiness[1:], faults
		return s
	}
	refuse := Fault{On: "postgres", Kind: "refuse", Text: "refuse on postgres during database"}
	used := tl(accepts(50, "redis"), accepts(51, "postgres"))
	bad := tl(claims(300), fails(310, chat, "HTTP 500: session store"))
	upstream := timeline.Event{MS: 120, Kind: timeline.UpstreamError, Dependency: "postgres", Error: "connection reset"}
	for name, c := range map[string]struct {
		spec    Spec
		events  []timeline.Event
		dep     string
		because string
	}{
		"a fault":            {both(refuse), tl(exec(0), used, armed(100, "f1"), bite(110, "f1"), bad, observed(400)), "postgres", "it was under a fault: refuse on postgres during database"},
		"one that is over":   {both(refuse), tl(exec(0), used, armed(100, "f1"), bite(110, "f1"), lift(200, "f1"), bad, observed(400)), "postgres", "it had been under a fault until 200ms"},
		"no answer":          {both(), tl(exec(0), used, upstream, bad, observed(400)), "postgres", "it could not be reached itself at 120ms: connection reset"},
		"its name":           {both(), tl(exec(0), used, claims(300), fails(310, chat, "HTTP 500: Postgres: no such table"), observed(400)), "postgres", "the error names it"},
		"never used":         {both(), tl(exec(0), accepts(50, "redis"), bad, observed(400)), "postgres", "the service had not connected to it when the proof failed"},
		"nothing amiss":      {both(), tl(exec(0), used, bad, observed(400)), "", "it needs redis and postgres; nothing was seen to be amiss with them"},
		"nothing seen of it": {both(), tl(exec(0), bad, observed(400)), "", "it needs redis and postgres; nothing was seen to be amiss with them"},
	} {
		t.Run(name, func(t *testing.T) {
			windows := Observe(c.spec, c.events).FalseReady
			require.Len(t, windows, 1)
			assert.Equal(t, c.dep, windows[0].Dependency)
			assert.Contains(t, windows[0].Because, c.because)
			j := Judge(c.spec, c.events)
			assert.Contains(t, said(j, "no_false_ready"), c.because)
			assertSound(t, c.spec, c.events, j)
		})
	}
}

// What a line of the log said can't be taken back when a dependency dies later; what the ready probe says can.
func TestAClaimInTheLogIsNoPromise(t *testing.T) {
	spec := plain(Invariants{NoFalseReady: true})
	spec.Faults = []Fault{{On: "postgres", Kind: "refuse", Text: "refuse on postgres"}}
	spec.Expect = Expectation{Recover: &Recover{}}
	later := tl(holds(310, thread), armed(400, "f1"), bite(401, "f1"), fails(420, thread, "refused"), lift(500, "f1"), fails(510, thread, "refused"), holds(700, thread), observed(800))
	said := claims(300)
	said.Source = "log"
	runCases(t, []judgeCase{
		{"a line of the log", spec, tl(exec(0), said, later), Pass, "recover", "ready with every proof 200ms after"},
		{"the ready probe", spec, tl(exec(0), claims(300), later), Fail, "no_false_ready", "after it had held, and held again only at 700ms"},
		{"a line of the log that was never true", spec, tl(exec(0), armed(1, "f1"), bite(2, "f1"), said, fails(320, thread, "refused"), lift(500, "f1"), holds(700, thread), observed(800)),
			Fail, "no_false_ready", "claimed to be ready at 300ms while"},
	})
}
