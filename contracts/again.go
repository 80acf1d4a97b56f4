package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// starts tells the events of the trial itself from those of the start that `then_restart` asks for, which may be none.
func starts(events []timeline.Event) (first, again []timeline.Event) {
	for i, e := range events {
		if e.Kind == timeline.Again {
			return events[:i], events[i:]
		}
	}
	return events, nil
}

// again is the trace of the start that follows: nothing is injected in it, and nothing but becoming ready is expected.
func (t *trace) again(events []timeline.Event) *trace {
	s := t.spec
	s.Faults, s.Stop, s.ThenRestart, s.Expect, s.Control = nil, nil, nil, Expectation{}, false
	return newTrace(s, events)
}

// restarts checks that the service becomes ready, with every proof, when it is started again with no fault on against what it has left
// behind. Events are those of that start.
func (t *trace) restarts(events []timeline.Event) finding {
	const rule = "then_restart"
	if t.spec.ThenRestart == nil {
		return finding{state: Held}
	}
	again := t.again(events)
	exec := again.first(timeline.Exec, 0, len(events))
	if exec < 0 {
		return t.undecided(rule, "run it again", []int{t.lastMoment()}, "it was not started again")
	}
	allowed := within(t.spec.ThenRestart.Within, t.spec.Budget, defaultWithin)
	f := again.restarted(rule, exec, allowed)
	if trouble := again.upstreamTrouble(); f.state == Violated && trouble.state != Held {
		f = merge(trouble)
	}
	for i := range f.reasons {
		f.reasons[i].Text = "started again with no fault on, " + f.reasons[i].Text
	}
	return f
}

func (t *trace) restarted(rule string, exec int, allowed timeline.Duration) finding {
	const next = "undo or finish on the next start what a failed one leaves behind: locks, files, half of a migration"
	stands := t.standing()
	if stands == nil {
		f := t.notReady(rule, t.ms(exec), "after that", allowed)
		for i := range f.reasons {
			f.reasons[i].Next = firstOf(f.reasons[i].Next, next)
			f.reasons[i].Evidence = append(f.reasons[i].Evidence, t.ids(append(t.tail(10, 0, len(t.ev)), exec)...)...)
		}
		return f
	}
	took := t.ms(stands.at) - t.ms(exec)
	if took > allowed.MS() {
		return t.violates(rule, "", []int{exec, stands.at}, "it was ready only %s later (allowed %s)", Millis(took), allowed)
	}
	proofs := t.proofsHold(rule, t.required)
	if proofs.state != Held {
		proofs.reasons[0].Next = next
		return proofs
	}
	return merge(t.holds(rule, []int{exec, stands.at}, "it was ready %s later (allowed %s)", Millis(took), allowed), proofs)
}
