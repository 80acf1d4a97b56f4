package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// recovers checks that the service is ready, with every proof, within Within of the last lift.
func (t *trace) recovers(c Recover) finding {
	const rule = "recover"
	c.Within = within(c.Within, defaultWithin)
	restarts := t.all(timeline.Restart, 0, t.stop)
	if len(restarts) > c.Restarts {
		return t.violates(rule, "", restarts, "it was restarted %s (allowed %d): it %s", times(len(restarts)), c.Restarts, t.outcome().Words())
	}
	lift := t.lastLift()
	if lift < 0 {
		return t.neverLifted(rule)
	}
	since := "after " + t.liftAt(lift)
	stands := t.standing()
	if stands == nil {
		if exit := t.lastExit(); exit >= 0 && exit < lift && len(restarts) == 0 {
			return t.diedUnderFault(rule, exit)
		}
		return t.notReady(rule, t.ms(lift), since, c.Within)
	}
	proofs := t.proofsHold(rule, t.required)
	if proofs.state != Held {
		return proofs
	}
	ready, at := t.provenAt(stands.at)
	took := max(0, t.ms(ready)-t.ms(lift))
	if took > c.Within.MS() {
		return merge(t.violates(rule, "", at, "it was ready with every proof only %s %s (allowed %s)", Millis(took), since, c.Within), proofs)
	}
	if ready < lift {
		return merge(t.holds(rule, append(at, lift), "it was ready at %s, before %s, and still was at the end", Millis(t.ms(ready)), t.liftAt(lift)), proofs)
	}
	return merge(t.holds(rule, append(at, lift), "it was ready with every proof %s %s (allowed %s)", Millis(took), since, c.Within), proofs)
}

// provenAt returns the position of the instant when the claim stood and every required proof held for good, and what shows it.
func (t *trace) provenAt(claim int) (int, []int) {
	ready, at := claim, []int{claim}
	for _, p := range t.proofs {
		if i := t.held(p); i >= 0 {
			ready, at = max(ready, i), append(at, i)
		}
	}
	return ready, at
}

func (t *trace) diedUnderFault(rule string, exit int) finding {
	e := t.ev[exit]
	return t.violates(rule, "", append(t.tail(3, t.runAt(exit).first, t.runAt(exit).next), exit),
		"it %s at %s, while %s was still on", exitWords(e.Code, e.Signal), Millis(e.MS), t.faultWords())
}

// neverLifted is a recovery that could not be seen. A service that ended meanwhile did not wait for it, and that is proven.
func (t *trace) neverLifted(rule string) finding {
	const next = "add for: (for example for: 3s) to the injection, so that the fault is lifted within service.budget"
	exit := t.lastExit()
	switch {
	case t.standing() != nil:
		return t.notApplicable(rule, next+"; or expect tolerate", []int{t.standing().at},
			"it was ready at %s and %s was never lifted, so there was nothing to recover from", Millis(t.ms(t.standing().at)), t.faultWords())
	case exit >= 0 && t.first(timeline.Restart, 0, t.stop) < 0:
		return t.diedUnderFault(rule, exit)
	}
	return t.notApplicable(rule, next, []int{t.first(timeline.Budget, 0, t.stop), t.lastMoment()},
		"%s was never lifted while it was observed, so whether it recovers was not seen: it %s", t.faultWords(), t.outcome().Words())
}
