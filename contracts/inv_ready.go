package contracts

import "github.com/chaos-startup/chaos/timeline"

// noFalseReady: while the service claims to be ready, no proof of it fails (but for what an optional dependency excuses).
func (t *trace) noFalseReady() finding {
	const rule = "no_false_ready"
	var all []finding
	for _, l := range t.lies() {
		e := t.ev[l.event]
		how := "and all proofs held only at " + Millis(l.to)
		switch {
		case l.until < 0:
			how = "and that was not over when observation ended at " + Millis(l.to)
		case t.ev[l.until].Kind != timeline.Proof:
			how = "and that was not over when the claim was at " + Millis(l.to)
		}
		all = append(all, t.violates(rule, "let it claim to be ready only when it can do what the proof asks", []int{l.claim, l.event, l.until},
			"it claimed to be ready at %s while `%s` failed at %s (%s), %s: falsely ready for %s",
			Millis(t.ms(l.claim)), e.Name, Millis(e.MS), quote(e.Error), how, Millis(l.to-l.from)))
	}
	switch {
	case len(all) > 0:
		return merge(all...)
	case len(t.claims) == 0:
		return t.holds(rule, nil, "it never claimed to be ready")
	}
	var attempts, excused int
	for _, p := range t.proofs {
		attempts += len(p.attempts)
		if t.excusedNow(p) != "" {
			excused++
		}
	}
	if attempts == 0 {
		return t.notes(rule, "not checked: no proof of readiness was tried while it claimed to be ready")
	}
	at := []int{t.claims[0].at}
	if excused > 0 {
		return t.holds(rule, at, "no proof failed while it claimed to be ready, but for %s that an optional dependency excuses", plural(excused, "proof"))
	}
	return t.holds(rule, at, "no proof failed while it claimed to be ready (%s)", plural(attempts, "attempt"))
}

// startupBudget: the service is ready within its budget, or gone. Where waiting was asked for, waiting is no violation.
func (t *trace) startupBudget() finding {
	const rule = "startup_budget"
	budget := t.spec.Budget
	over := t.first(timeline.Budget, 0, t.stop)
	for _, c := range t.claims {
		began := t.first(timeline.Exec, t.runAt(c.at).first, c.at)
		if took := t.ms(c.at) - t.ms(began); took > budget.MS() {
			return t.violates(rule, "", []int{began, over, c.at}, "it was ready only after %s (its budget is %s)", Millis(took), budget)
		}
	}
	switch {
	case over >= 0 && t.spec.Expect.asksToWait() && t.anyFaultOn(t.ms(over)):
		return t.notes(rule, "not counted: the experiment asks it to wait, and at %s it still did", Millis(t.ms(over)))
	case over >= 0:
		return t.violates(rule, "", []int{over}, "at %s it was neither ready nor gone (its budget is %s)", Millis(t.ms(over)), budget)
	case len(t.claims) > 0:
		return t.holds(rule, []int{t.claims[0].at}, "it was ready at %s (its budget is %s)", Millis(t.ms(t.claims[0].at)), budget)
	}
	return t.holds(rule, []int{t.lastExit()}, "it did not use up its budget of %s: it %s", budget, t.outcome().Words())
}
