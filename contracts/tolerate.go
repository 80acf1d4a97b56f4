package contracts

import "slices"

// tolerate checks that the service is ready within Within of its start while a fault is still on. A fault that lasts for a phase
// was tolerated when the service got through that phase: it was the service that ended it.
func (t *trace) tolerate(c Tolerate) finding {
	const rule = "tolerate"
	allowed := within(c.Within, t.spec.Budget, defaultWithin)
	stands := t.standing()
	if stands == nil {
		return t.notReady(rule, 0, "after its start", allowed)
	}
	ready := t.ms(stands.at)
	if ready > allowed.MS() {
		return t.violates(rule, "", []int{stands.at}, "it was ready only at %s (allowed %s) with %s on", Millis(ready), allowed, t.faultWords())
	}
	with := t.faultWords() + " on"
	if lift := t.lastLift(); lift >= 0 && lift < stands.at && t.throughPhase() {
		with += " until its phase ended"
	} else if lift >= 0 && lift < stands.at {
		return t.notApplicable(rule, "expect recover, or keep the fault on (until: ready)", []int{lift, stands.at},
			"%s, before it was ready at %s: nothing was left to tolerate", t.liftAt(lift), Millis(ready))
	}
	return merge(t.holds(rule, []int{stands.at}, "it was ready at %s (allowed %s) with %s", Millis(ready), allowed, with),
		t.proofsHold(rule, t.required))
}

// degrade checks that the service goes on without an optional dependency, says so, and that the rest of it works.
func (t *trace) degrade(c Degrade) finding {
	const rule = "degrade"
	allowed := within(c.Within, t.spec.Budget, defaultWithin)
	for _, dep := range t.faultedNames() {
		if t.spec.Dependencies[dep].Required {
			return t.notApplicable(rule, "set required: false on dependencies."+dep+" if the service may go on without it", nil,
				"%s is a required dependency: the service may not go on without it", dep)
		}
	}
	stands := t.standing()
	if stands == nil {
		return t.notReady(rule, 0, "after its start", allowed)
	}
	ready := t.ms(stands.at)
	lift := t.lastLift()
	switch {
	case ready > allowed.MS():
		return t.violates(rule, "", []int{stands.at}, "it was ready only at %s (allowed %s) without %s", Millis(ready), allowed, list(t.faultedNames()))
	case !stands.degraded && lift >= 0 && lift < stands.at:
		return t.notApplicable(rule, "keep the fault on (until: ready)", []int{lift, stands.at},
			"%s, before it was ready at %s: nothing was missing any more", t.liftAt(lift), Millis(ready))
	case !stands.degraded:
		return t.violates(rule, "let the ready answer say degraded (see service.ready.degraded)", []int{stands.at},
			"it claimed at %s to be ready without saying that it is degraded, although %s could not be used", Millis(ready), list(t.faultedNames()))
	}
	untouched := func(p proof) bool {
		return !slices.ContainsFunc(p.Needs, t.faulted)
	}
	return merge(t.holds(rule, []int{stands.at}, "it was ready at %s (allowed %s) and said that it is degraded", Millis(ready), allowed),
		t.proofsHold(rule, untouched))
}
