package contracts

import (
	"fmt"

	"github.com/chaos-startup/chaos/timeline"
)

// noFalseReady: while the service claims to be ready, no proof of it fails (but for what an optional dependency excuses).
func (t *trace) noFalseReady() finding {
	const rule = "no_false_ready"
	var all []finding
	for _, l := range t.lies() {
		all = append(all, t.lied(rule, l))
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
	if t.spec.echoing() {
		return t.holds(rule, at, "no proof failed while it claimed to be ready (%s), but none asks more than service.ready does", plural(attempts, "attempt"))
	}
	if excused > 0 {
		return t.holds(rule, at, "no proof failed while it claimed to be ready, but for %s that an optional dependency excuses", plural(excused, "proof"))
	}
	return t.holds(rule, at, "no proof failed while it claimed to be ready (%s)", plural(attempts, "attempt"))
}

// lied words one lie: what failed, for how long, how exact that is, and what it points at.
func (t *trace) lied(rule string, l lie) finding {
	e := t.ev[l.event]
	how := "and all proofs held only at " + Millis(l.to)
	exact := fmt.Sprintf(" (between %s and %s)", Millis(l.least), Millis(l.most))
	switch {
	case l.until < 0:
		how = "and that was not over when observation ended at " + Millis(l.to)
		exact = ""
	case t.ev[l.until].Kind != timeline.Proof:
		how = "and that was not over when the claim was at " + Millis(l.to)
	case l.again:
		how = "after it had held, and held again only at " + Millis(l.to)
	}
	at := []int{l.claim, l.event, l.until}
	text := fmt.Sprintf("it claimed to be ready at %s while `%s` failed at %s (%s), %s: falsely ready for %s%s",
		Millis(t.ms(l.claim)), e.Name, Millis(e.MS), quote(e.Error), how, Millis(l.about), exact)
	if dep, why := t.blame(t.proofs[l.proof], l.stretch); dep != "" {
		text += fmt.Sprintf("; it points at %s (%s)", dep, why)
	} else if why != "" {
		text += "; " + why
	}
	for n, s := range l.parts[1:] {
		if n == shownProofs {
			text += fmt.Sprintf("; and %d more", len(l.parts)-1-n)
			break
		}
		text += "; " + t.part(s)
		at = append(at, s.event, s.until)
	}
	return t.violates(rule, "let it claim to be ready only when it can do what the proof asks", at, "%s", text)
}

// shownProofs is how many further proofs a reason names.
const shownProofs = 5

// part words a further proof of a lie.
func (t *trace) part(s stretch) string {
	length := Millis(s.about)
	if s.until < 0 {
		length += ", and went on"
	}
	text := fmt.Sprintf("`%s` failed too (for %s)", t.proofs[s.proof].Name, length)
	if dep, _ := t.blame(t.proofs[s.proof], s); dep != "" {
		text += ", it points at " + dep
	}
	return text
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
