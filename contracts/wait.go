package contracts

import "github.com/chaos-startup/chaos/timeline"

// wait checks that the service is neither ready nor gone while a fault is on. To be still waiting when the budget is over, with
// the fault on, is waiting too.
func (t *trace) wait() finding {
	const rule = "wait"
	var shown []int
	for f := range t.faults {
		for _, s := range t.faults[f] {
			to := t.end
			if s.lift >= 0 && s.lift < to {
				to = s.lift
			}
			if found := t.waited(rule, s, to); found.state != Held {
				return found
			}
			shown = append(shown, s.armed, s.lift)
		}
	}
	if lift := t.lastLift(); lift >= 0 {
		return t.holds(rule, shown, "it was neither ready nor gone until %s", t.liftAt(lift))
	}
	if budget := t.first(timeline.Budget, 0, t.stop); budget >= 0 {
		return t.holds(rule, append(shown, budget), "it was still waiting when its budget was over at %s, with %s on", Millis(t.ms(budget)), t.faultWords())
	}
	return t.undecided(rule, "add for: to the injection, so that the end of the wait is seen", []int{t.lastMoment()},
		"observation ended at %s with %s still on", Millis(t.endMS()), t.faultWords())
}

// waited checks one stretch ev[s.armed:to].
func (t *trace) waited(rule string, s span, to int) finding {
	for i := s.armed + 1; i < t.stop; i++ {
		e := t.ev[i]
		if i >= to && (s.cause != byExit || e.Kind != timeline.Exit) {
			continue // where its exit lifted the fault, the exit may be written down after the lift
		}
		switch e.Kind {
		case timeline.ReadyClaim:
			return t.violates(rule, "", []int{s.armed, i}, "it claimed to be ready at %s while %s was on since %s", Millis(e.MS), t.faultWords(), Millis(t.ms(s.armed)))
		case timeline.Exit:
			return t.violates(rule, "", []int{s.armed, i}, "it %s at %s while %s was on since %s", exitWords(e.Code, e.Signal), Millis(e.MS), t.faultWords(), Millis(t.ms(s.armed)))
		}
	}
	for _, c := range t.claims {
		if c.at < s.armed && (c.lost < 0 || c.lost > s.armed) {
			return t.notApplicable(rule, "let the fault come on before the service is ready", []int{c.at, s.armed},
				"it was ready at %s, before %s came on at %s", Millis(t.ms(c.at)), t.faultWords(), Millis(t.ms(s.armed)))
		}
	}
	return finding{state: Held}
}
