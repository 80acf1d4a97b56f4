package contracts

import (
	"strings"
)

// expect checks an expectation. Call it only when every fault of the trial has bitten.
func (t *trace) expect(e Expectation) finding {
	switch {
	case len(e.AnyOf) > 0:
		return t.anyOf(e)
	case len(e.AllOf) > 0:
		all := make([]finding, len(e.AllOf))
		for i, sub := range e.AllOf {
			all[i] = t.expect(sub)
		}
		return merge(all...)
	case e.FailFast != nil:
		return t.failFast(*e.FailFast)
	case e.GiveUp != nil:
		return t.giveUp(*e.GiveUp)
	case e.Recover != nil:
		return t.recovers(*e.Recover)
	case e.Tolerate != nil:
		return t.tolerate(*e.Tolerate)
	case e.Degrade != nil:
		return t.degrade(*e.Degrade)
	case e.Wait != nil:
		return t.wait()
	case e.Stop != nil:
		return t.stops(*e.Stop)
	case e.Readiness != "":
		return t.readinessAll()
	case e.Expr != "":
		return t.expr(Expr{Expr: e.Expr, Message: e.Message})
	case e.Survives != nil:
		return t.survives()
	}
	return t.becomesReady()
}

// anyOf holds when one alternative does. One that could not be decided keeps the others from accusing the service; one that
// does not apply to this trial is set aside.
func (t *trace) anyOf(e Expectation) finding {
	out := finding{state: Undecided, inapplicable: true}
	var labels []string
	for _, sub := range e.AnyOf {
		f := t.expect(sub)
		label := sub.label()
		labels = append(labels, label)
		for i := range f.reasons {
			f.reasons[i].Text = label + ": " + f.reasons[i].Text
		}
		switch {
		case f.state == Held:
			return f
		case f.inapplicable:
		case f.state == Undecided:
			out.state, out.inapplicable = Undecided, false
		case out.inapplicable:
			out.state, out.inapplicable = Violated, false
		}
		out.reasons = append(out.reasons, f.reasons...)
	}
	how := " holds: it "
	if out.state == Undecided {
		how = " could be shown to hold: it "
		for i := range out.reasons { // one that fails accuses nobody while another is open
			out.reasons[i].State = Undecided
		}
	}
	head := t.find(out.state, "any_of", "", []int{t.outcomeAt()}, "none of "+list(labels)+how+t.outcome().Words())
	out.reasons = append(head.reasons, out.reasons...)
	return out
}

// label is what the file calls an expectation, or what it is.
func (e Expectation) label() string {
	subs := func(all []Expectation) string {
		names := make([]string, len(all))
		for i, sub := range all {
			names[i] = sub.label()
		}
		return strings.Join(names, "+")
	}
	switch {
	case e.Name != "":
		return e.Name
	case len(e.AnyOf) > 0:
		return "any_of"
	case len(e.AllOf) > 0:
		return subs(e.AllOf)
	case e.FailFast != nil:
		return "fail_fast"
	case e.GiveUp != nil:
		return "give_up"
	case e.Recover != nil:
		return "recover"
	case e.Tolerate != nil:
		return "tolerate"
	case e.Degrade != nil:
		return "degrade"
	case e.Wait != nil:
		return "wait"
	case e.Stop != nil:
		return "stop"
	case e.Readiness != "":
		return "readiness"
	case e.Expr != "":
		return "expr"
	case e.Survives != nil:
		return survivesRule
	}
	return "ready"
}

// asksToWait reports whether e asks, anywhere, to wait while the fault is on.
func (e Expectation) asksToWait() bool {
	for _, sub := range append(append([]Expectation{}, e.AnyOf...), e.AllOf...) {
		if sub.asksToWait() {
			return true
		}
	}
	return e.Wait != nil
}
