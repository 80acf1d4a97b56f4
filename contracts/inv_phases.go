package contracts

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// phaseOrder: within one incarnation the declared phases begin in their order, each once, none skipped, and no others. Phases that
// are polled are seen late or not at all, so their order is not checked.
func (t *trace) phaseOrder() finding {
	const rule = "phase_order"
	const next = "see phases.order and the patterns that name the phases"
	var all []finding
	var shown []int
	var names []string
	run, last, lastAt := -1, -1, -1
	seen := t.phases()
	if slices.ContainsFunc(seen, func(p phase) bool { return !p.Exact }) {
		return t.notes(rule, "not checked: some phases were polled, which is not exact")
	}
	for _, p := range seen {
		if p.run != run {
			run, last, lastAt = p.run, -1, -1
		}
		place := t.order(p.Name)
		text := ""
		switch {
		case place < 0:
			text = fmt.Sprintf("phase `%s` began at %s, which is not declared", p.Name, Millis(p.BeginMS))
		case place == last:
			text = fmt.Sprintf("phase %s began a second time at %s", p.Name, Millis(p.BeginMS))
		case place < last:
			text = fmt.Sprintf("phase %s began at %s, after %s, which comes later in the declared order", p.Name, Millis(p.BeginMS), t.spec.Phases[last].Name)
		case place > last+1:
			text = fmt.Sprintf("phase %s began at %s although %s had not", p.Name, Millis(p.BeginMS), list(t.phaseNames(last+1, place)))
		}
		if text != "" {
			all = append(all, t.violates(rule, next, []int{lastAt, p.begin}, "%s", text))
		}
		shown, names = append(shown, p.begin), append(names, p.Name)
		if place >= 0 {
			last, lastAt = max(last, place), p.begin
		}
	}
	switch {
	case len(all) > 0:
		return merge(all...)
	case len(shown) == 0:
		return t.notes(rule, "not checked: none of the declared phases was seen (%s)", strings.Join(t.phaseNames(0, len(t.spec.Phases)), ", "))
	}
	return t.holds(rule, shown, "the phases came in their order: %s", strings.Join(names, ", "))
}

func (t *trace) phaseNames(from, to int) []string {
	var names []string
	for _, p := range t.spec.Phases[from:to] {
		names = append(names, p.Name)
	}
	return names
}

func (t *trace) hasPhaseBudgets() bool {
	for _, p := range t.spec.Phases {
		if p.Budget > 0 {
			return true
		}
	}
	return false
}

// inexactMS is how much later than it began or ended a polled phase may be seen to: the time limit of one poll.
const inexactMS = 1000

// phaseBudgets: no phase takes longer than its budget. A phase without an end lasts until the service is ready or gone, or until
// now; a later claim to be ready ends the start, and with it the last phase.
func (t *trace) phaseBudgets() finding {
	const rule = "phase_budgets"
	var all []finding
	var shown []int
	var words []string
	for _, p := range t.phases() {
		place := t.order(p.Name)
		if place < 0 || t.spec.Phases[place].Budget <= 0 {
			continue
		}
		budget := t.spec.Phases[place].Budget
		until, how := t.phaseOver(p)
		if until < 0 {
			continue
		}
		took := t.ms(until) - p.BeginMS
		if p.Exact && took > budget.MS() || took > budget.MS()+inexactMS {
			all = append(all, t.violates(rule, "", []int{p.begin, until}, "phase %s took %s%s (its budget is %s)", p.Name, Millis(took), how, budget))
			continue
		}
		shown = append(shown, p.begin, until)
		words = append(words, fmt.Sprintf("%s %s of %s", p.Name, Millis(took), budget))
	}
	switch {
	case len(all) > 0:
		return merge(all...)
	case len(words) == 0:
		return t.notes(rule, "not checked: no phase with a budget was seen")
	}
	return t.holds(rule, shown, "phases kept to their budgets: %s", strings.Join(words, ", "))
}

// phaseOver returns the position at which a phase was over or last seen to go on, and words for how; -1 when the phase began after
// the service was ready and has no end: then nobody knows how long it took.
func (t *trace) phaseOver(p phase) (int, string) {
	if p.end >= 0 {
		return p.end, ""
	}
	r := t.runs[p.run]
	if claimed := t.first(timeline.ReadyClaim, p.begin, min(r.next, t.end)); claimed >= 0 {
		return claimed, " until it was ready"
	}
	for _, c := range t.claims {
		if c.at < p.begin && (c.lost < 0 || c.lost > p.begin) {
			return -1, ""
		}
	}
	if r.exit >= 0 {
		return r.exit, " until the service was gone"
	}
	return max(p.begin, min(t.end, r.next-1, len(t.ev)-1)), " and was still going on when observation ended"
}
