package contracts

import (
	"fmt"

	"github.com/chaos-startup/chaos/timeline"
)

// shownLogLines is how many of the last log lines are cited for a phase that never came.
const shownLogLines = 20

// Judge decides a trial from what was asked and what was seen, and says why. It never blames the service for the harness: what a
// fault should have caused is judged only when every fault of the trial has bitten and no connection escaped it. Invariants stand
// on their own evidence and are judged even then. The same events always give the same judgment.
func Judge(s Spec, events []timeline.Event) Judgment {
	if s.Replicas > 1 {
		return judgeReplicas(s, events)
	}
	return judgeOne(s, events)
}

func judgeOne(s Spec, events []timeline.Event) Judgment {
	if j, broken := newTrace(s, events).brokenHarness(); broken {
		return j
	}
	first, again := starts(events)
	t := newTrace(s, first)
	kept := merge(append(t.invariants(), t.restarts(again))...)
	if f := t.escaped(); f.state != Held {
		return judgment(Inconclusive, f, kept)
	}
	trouble := t.upstreamTrouble()
	if f := t.vacuous(); f.state != Held {
		switch {
		case kept.state == Violated && trouble.state != Held && !provenAnyway(kept):
			return judgment(Inconclusive, trouble, f, kept)
		case kept.state == Violated:
			return judgment(Fail, kept, f)
		}
		return judgment(Inconclusive, f, kept)
	}
	expected := t.undecided("evidence", "run it again", []int{t.lastMoment()},
		"the timeline breaks off at %s, before it shows what the service did", Millis(t.endMS()))
	if t.outcome().Class != Unknown {
		expected = t.expect(s.Expect)
	}
	both := merge(expected, kept)
	switch {
	case both.state == Violated && s.Control:
		return judgment(Fail, trouble, both)
	case both.state == Violated && trouble.state != Held && !provenAnyway(kept):
		return judgment(Inconclusive, trouble, both)
	case both.state == Violated:
		return judgment(Fail, both)
	case both.state == Undecided:
		return judgment(Inconclusive, both)
	}
	return judgment(Pass, both)
}

// provenAnyway reports whether an invariant is violated that no trouble of a dependency can excuse: those about time and attempts
// can be broken by a dependency that is really gone.
func provenAnyway(kept finding) bool {
	for _, r := range kept.reasons {
		if r.State != Violated {
			continue
		}
		switch r.Rule {
		case "startup_budget", "phase_budgets", "retry", "expr", "traffic", "then_restart", survivesRule:
		default:
			return true
		}
	}
	return false
}

// judgment lists the reasons of findings in the given order. There is always at least one.
func judgment(v Verdict, findings ...finding) Judgment {
	j := Judgment{Verdict: v, Reasons: []Reason{}}
	for _, f := range findings {
		j.Reasons = append(j.Reasons, f.reasons...)
	}
	return j
}

// brokenHarness reports a trial that shows nothing of the service: the harness failed, the run was interrupted, or the service
// was never started. What came first counts: an interruption makes other things fail.
func (t *trace) brokenHarness() (Judgment, bool) {
	failed := t.all(timeline.Harness, 0, len(t.ev))
	interrupted := t.first(timeline.Interrupted, 0, len(t.ev))
	switch {
	case interrupted >= 0 && (len(failed) == 0 || interrupted < failed[0]):
		text := "the run was interrupted before this trial began"
		if t.started() {
			text = "the run was interrupted at " + Millis(t.ms(interrupted)) + ", in the middle of this trial"
		}
		f := t.undecided("interrupted", "run it again", []int{interrupted}, "%s", text)
		return judgment(Inconclusive, f), true
	case len(failed) > 0:
		var all []finding
		for _, i := range failed {
			all = append(all, t.undecided("harness", "this says nothing about the service: remove the cause and run it again", []int{i},
				"the harness failed: %s", firstOf(t.ev[i].Error, t.ev[i].Text, "no cause was recorded")))
		}
		return judgment(Error, all...), true
	case !t.started():
		f := t.undecided("not_started", "run it again", nil, "the timeline does not show that the service was ever started")
		return judgment(Inconclusive, f), true
	}
	return Judgment{}, false
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// escaped reports connections that went around the fault: whatever the service did then, it was not under it.
func (t *trace) escaped() finding {
	var all []finding
	for _, dep := range t.faultedNames() {
		at := t.escapes(dep)
		count := len(at)
		for f, s := range t.faultSpans() {
			if t.spec.Faults[f].On == dep {
				count = max(count, s.Escaped)
			}
		}
		if count == 0 {
			continue
		}
		where := ""
		if len(at) > 0 {
			where = fmt.Sprintf(", first at %s to %s", Millis(t.ms(at[0])), firstOf(t.ev[at[0]].Target, "an unknown address"))
		}
		all = append(all, t.undecided("escaped", "give the service only ${"+dep+"} as the address of "+dep+", or set service.interpose: connect", at[:min(len(at), 5)],
			"the service reached %s around the proxy %s%s: the fault could not meet these connections", dep, times(count), where))
	}
	return merge(all...)
}

// upstreamTrouble reports that a required dependency could not be reached although no fault was on it: then a start that fails
// is not the service's fault.
func (t *trace) upstreamTrouble() finding {
	for _, i := range t.all(timeline.UpstreamError, 0, t.end) {
		e := t.ev[i]
		d, known := t.spec.Dependencies[e.Dependency]
		if known && d.Required && !t.faultOn(e.Dependency, e.MS, e.MS) {
			return t.undecided("upstream", "see why "+e.Dependency+" itself does not answer (chaos doctor)", []int{i},
				"%s itself could not be reached at %s, with no fault on it: %s", e.Dependency, Millis(e.MS), quote(e.Error))
		}
	}
	return finding{state: Held}
}
