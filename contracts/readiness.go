package contracts

// readinessAll checks that every proof held at its last attempt; no failure is excused.
func (t *trace) readinessAll() finding {
	const rule = "readiness"
	if len(t.spec.Readiness) == 0 {
		return t.notApplicable(rule, "declare proofs under readiness:", nil, "no proof of readiness is declared")
	}
	held := t.proofsHold(rule, func(proof) bool { return true })
	if o := t.outcome(); held.state == Undecided && (o.Class == Exited || o.Class == Hung || o.Class == Restarting) {
		return t.violates(rule, "", []int{t.outcomeAt()}, "no proof could hold: it %s", o.Words())
	}
	if held.state == Held && t.standing() == nil {
		return merge(t.notReady(rule, 0, "after its start", t.spec.Budget), held)
	}
	return held
}

// becomesReady is what a trial must do that expects nothing else, and every control: ready, with every proof that is not excused.
func (t *trace) becomesReady() finding {
	rule, next := "ready", ""
	if t.spec.Control {
		rule = "control"
		next = "make the service start without any fault first: see its last log lines, its env: and its dependencies"
	}
	stands := t.standing()
	if stands == nil {
		f := t.notReady(rule, 0, "after its start", t.spec.Budget)
		for i := range f.reasons {
			f.reasons[i].Next = next
			f.reasons[i].Evidence = append(f.reasons[i].Evidence, t.ids(t.tail(10, 0, len(t.ev))...)...)
		}
		return f
	}
	proofs := t.proofsHold(rule, t.required)
	if proofs.state != Held {
		if t.spec.Control && proofs.state == Violated { // it did start: its env: and its dependencies are not what to look at
			next = "it claims to be ready, with nothing injected, and is not: mend the service, or correct what the proof asks"
		}
		proofs.reasons[0].Next = next
		return proofs
	}
	how := ""
	if stands.degraded {
		how = " (degraded, by its own word)"
	}
	return merge(t.holds(rule, []int{stands.at}, "it was ready at %s%s", Millis(t.ms(stands.at)), how), proofs)
}
