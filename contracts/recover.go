package contracts

import (
	"slices"

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
	ready := t.provenAt(*stands)
	soonest, took := max(0, ready.least-t.ms(lift)), max(0, ready.most-t.ms(lift))
	switch at := ready.shown; {
	case soonest > c.Within.MS():
		return merge(t.violates(rule, "", at, "it was ready with every proof only %s %s (allowed %s)", Millis(took), since, c.Within), proofs)
	case took > c.Within.MS():
		return merge(t.undecided(rule, "let the slowest proof be asked more often: a shorter timeout: or interval:", at,
			"it was ready with every proof between %s and %s %s (allowed %s): a proof that failed was under way when it came true",
			Millis(soonest), Millis(took), since, c.Within), proofs)
	case ready.most < t.ms(lift):
		return merge(t.holds(rule, append(at, lift), "it was ready at %s, before %s, and still was at the end", Millis(ready.most), t.liftAt(lift)), proofs)
	default:
		return merge(t.holds(rule, append(at, lift), "it was ready with every proof %s %s (allowed %s)", Millis(took), since, c.Within), proofs)
	}
}

// instant is when something came true: not before least, and not after most.
type instant struct {
	least, most float64
	shown       []int
}

// provenAt returns when the claim stood and every proof held for good.
func (t *trace) provenAt(c claim) instant {
	out := instant{least: t.claimedAfter(c), most: t.ms(c.at), shown: []int{c.at}}
	for _, p := range t.proofs {
		i := t.held(p)
		if i < 0 {
			continue
		}
		out.most, out.shown = max(out.most, t.heldBy(i)), append(out.shown, i)
		if n := slices.Index(p.attempts, i); n > 0 {
			out.least = max(out.least, t.cameAfter(i, p.attempts[n-1]))
		}
	}
	return out
}

// cameAfter is what attempt i shows to have come true after: the last ask that failed was begun then; bad failed before it.
func (t *trace) cameAfter(i, bad int) float64 {
	came := t.began(bad)
	if failed, ok := t.ev[i].Count["failed_ms"]; ok {
		came = max(came, min(failed, t.heldBy(i)))
	}
	return came
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
