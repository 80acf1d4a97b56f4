package contracts

import (
	"fmt"

	"github.com/chaos-startup/chaos/timeline"
)

// finding is what checking one rule came to. inapplicable refines Undecided: the trial could not show it either way, however the
// service behaved (the fault was never lifted, so nothing could recover from it); beside another alternative it does not count.
type finding struct {
	state        State
	inapplicable bool
	reasons      []Reason
}

func (t *trace) find(state State, rule, next string, at []int, text string) finding {
	return finding{state: state, reasons: []Reason{{Rule: rule, State: state, Text: text, Next: next, Evidence: t.ids(at...)}}}
}

func (t *trace) holds(rule string, at []int, format string, args ...any) finding {
	return t.find(Held, rule, "", at, fmt.Sprintf(format, args...))
}

func (t *trace) violates(rule, next string, at []int, format string, args ...any) finding {
	return t.find(Violated, rule, next, at, fmt.Sprintf(format, args...))
}

func (t *trace) undecided(rule, next string, at []int, format string, args ...any) finding {
	return t.find(Undecided, rule, next, at, fmt.Sprintf(format, args...))
}

// notApplicable says that the trial cannot show rule either way.
func (t *trace) notApplicable(rule, next string, at []int, format string, args ...any) finding {
	f := t.undecided(rule, next, at, format, args...)
	f.inapplicable = true
	return f
}

func (t *trace) notes(rule, format string, args ...any) finding {
	return t.find(Note, rule, "", nil, fmt.Sprintf(format, args...))
}

// merge takes the findings of rules which must all hold. The worst decides; the reasons that decide come first.
func merge(all ...finding) finding {
	out := finding{state: Held}
	for _, state := range []State{Violated, Undecided, Note, Held} {
		for _, f := range all {
			for _, r := range f.reasons {
				if r.State == state {
					out.reasons = append(out.reasons, r)
				}
			}
		}
	}
	decided := map[State]bool{}
	inapplicable := true
	for _, f := range all {
		decided[f.state] = true
		if f.state == Undecided && !f.inapplicable {
			inapplicable = false
		}
	}
	switch {
	case decided[Violated]:
		out.state = Violated
	case decided[Undecided]:
		out.state, out.inapplicable = Undecided, inapplicable
	}
	return out
}

// faultWords names the fault or faults of the trial for the middle of a sentence.
func (t *trace) faultWords() string {
	names := t.faultedNames()
	switch len(t.spec.Faults) {
	case 0:
		return "no fault"
	case 1:
		return "the fault on " + names[0]
	}
	return "the faults on " + list(names)
}

// biteAt and liftAt name a moment and its time.
func (t *trace) biteAt(i int) string {
	return t.faultWords() + " first bit at " + Millis(t.ms(i))
}

func (t *trace) liftAt(i int) string {
	verb := " was lifted at "
	if len(t.spec.Faults) > 1 {
		verb = " were lifted at "
	}
	return t.faultWords() + verb + Millis(t.ms(i))
}

// notReady explains that the service was not ready when observation ended, although allowed had passed since sinceMS (or says
// that too little was seen to tell). since continues the sentence: "after the fault on postgres was lifted at 3.1s".
func (t *trace) notReady(rule string, sinceMS float64, since string, allowed timeline.Duration) finding {
	o := t.outcome()
	exit := t.lastExit()
	switch {
	case o.Restarts > 0 && exit >= 0:
		return t.violates(rule, "", append(t.all(timeline.Restart, 0, t.stop), exit),
			"it was restarted %s and was not ready at the end; it last %s", times(o.Restarts), exitWords(o.ExitCode, o.Signal)+" at "+Millis(t.ms(exit)))
	case exit >= 0:
		return t.violates(rule, "", append(t.tail(3, t.runAt(exit).first, t.runAt(exit).next), exit),
			"it %s at %s instead of becoming ready", exitWords(o.ExitCode, o.Signal), Millis(t.ms(exit)))
	case t.tooShort(sinceMS, allowed):
		return t.undecided(rule, "raise service.budget, or let the fault end earlier", []int{t.first(timeline.Budget, 0, t.stop), t.lastMoment()},
			"it was watched for only %s %s, and is allowed %s", Millis(t.endMS()-sinceMS), since, allowed)
	}
	at := append([]int{t.first(timeline.Budget, 0, t.stop), t.lastMoment()}, t.lastFailures()...)
	return t.violates(rule, "", at, "it was still not ready %s %s (allowed %s)%s", Millis(t.endMS()-sinceMS), since, allowed, t.lastProofError())
}

// tooShort reports whether observation ended before allowed had passed since sinceMS.
func (t *trace) tooShort(sinceMS float64, allowed timeline.Duration) bool {
	return t.endMS()+slackMS < sinceMS+allowed.MS()
}

// lastMoment is the position of the event that ended observation, or of the last event.
func (t *trace) lastMoment() int { return min(t.end, len(t.ev)-1) }

// lastFailures returns the last attempts of the proofs that fail unexcused.
func (t *trace) lastFailures() []int {
	var at []int
	for _, p := range t.proofs {
		if i := p.last(); i >= 0 && !t.ok(i) && t.excusedNow(p) == "" {
			at = append(at, i)
		}
	}
	return at
}

// lastProofError continues a sentence with the last failing proof, if there is one.
func (t *trace) lastProofError() string {
	last := -1
	for _, i := range t.lastFailures() {
		last = max(last, i)
	}
	if last < 0 {
		return ""
	}
	return fmt.Sprintf("; last proof error: %s: %s", t.ev[last].Name, quote(t.ev[last].Error))
}

// proofsHold checks that every proof for which wanted says yes held at its last attempt. It is part of several contracts.
func (t *trace) proofsHold(rule string, wanted func(proof) bool) finding {
	var good, bad []int
	var names, failing, untried []string
	for _, p := range t.proofs {
		i := p.last()
		switch {
		case !wanted(p):
		case i < 0:
			untried = append(untried, "`"+p.Name+"`")
		case t.ok(i):
			good, names = append(good, i), append(names, "`"+p.Name+"`")
		default:
			bad = append(bad, i)
			failing = append(failing, fmt.Sprintf("`%s` (%s: %s)", p.Name, Millis(t.ms(i)), quote(t.ev[i].Error)))
		}
	}
	switch {
	case len(bad) > 0:
		return t.violates(rule, "", bad, "%s did not hold at the last attempt: %s", plural(len(bad), "proof"), list(failing))
	case len(untried) > 0:
		return t.undecided(rule, "let it be watched longer: raise service.budget", nil, "%s was never tried", list(untried))
	case len(good) > 0:
		return t.holds(rule, good, "%s held: %s", plural(len(good), "proof"), list(names))
	}
	return finding{state: Held}
}

// required wants every proof that is not excused.
func (t *trace) required(p proof) bool { return t.excusedNow(p) == "" }
