package contracts

import (
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// defaultLate is how long every proof may hold before the service says that it is ready, unless the file says otherwise.
const defaultLate = timeline.Duration(500_000_000)

// late is a wait for the claim at whose end every proof held.
type late struct {
	last     string  // the proof that was the last to hold
	at       int     // the attempt at which it was seen to
	claim    int     // -1: it never came
	from     float64 // every proof was seen to hold
	to       float64 // it claimed to be ready, or was observed no longer
	earliest float64 // the claim can have been true since then
}

// ms is how long every proof was seen to hold before the claim was seen.
func (l late) ms() float64 { return max(0, l.to-l.from) }

// lateness finds the longest wait for a claim at whose end every proof that nothing excuses held. asked is false when no such wait was seen.
func (t *trace) lateness() (longest late, asked bool) {
	for _, w := range t.waits() {
		if l, ok := t.lateIn(w); ok && (!asked || l.ms() > longest.ms()) {
			longest, asked = l, true
		}
	}
	return longest, asked
}

// waits are the stretches in which it was started and did not claim to be ready, each as a claim from its end: at is where it ends, lost where it began.
func (t *trace) waits() []claim {
	var out []claim
	for n, r := range t.runs {
		from := r.first
		for _, c := range t.claims {
			if c.at < r.first || c.at >= r.next {
				continue
			}
			out = append(out, claim{at: c.at, lost: from})
			if from = c.lost; from < 0 {
				break
			}
		}
		if from >= 0 && r.exit < 0 && n == len(t.runs)-1 && from < t.end {
			out = append(out, claim{at: -1, lost: from})
		}
	}
	return out
}

func (t *trace) lateIn(w claim) (late, bool) {
	l := late{at: -1, claim: w.at, to: t.endMS(), earliest: t.endMS()}
	end := t.end
	if w.at >= 0 {
		end, l.to, l.earliest = w.at, t.ms(w.at), t.claimedAfter(claim{at: w.at})
	}
	early := t.all(timeline.EarlyProof, w.lost, end)
	for _, p := range t.proofs {
		if p.Alone {
			continue
		}
		held, tried := -1, -1
		for _, i := range slices.Backward(early) {
			if t.ev[i].Name != p.Name {
				continue
			}
			tried = max(tried, i)
			if !t.ok(i) {
				break
			}
			held = i
		}
		switch {
		case tried < 0:
			return late{}, false
		case held < 0 && t.excuse(p, tried, false) != "":
		case held < 0:
			return late{}, false
		case l.at < 0 || t.heldBy(held) > l.from:
			l.last, l.at, l.from = p.Name, held, t.heldBy(held)
		}
	}
	return l, l.at >= 0
}

// lateReady: the service says that it is ready soon after every proof holds.
func (t *trace) lateReady() finding {
	const rule = "late_ready"
	allowed := within(t.spec.Invariants.LateReady.Within, defaultLate)
	l, asked := t.lateness()
	switch {
	case len(t.spec.Readiness) == 0:
		return t.notes(rule, "not checked: no proof of readiness is declared")
	case !asked && t.first(timeline.EarlyProof, 0, t.end) < 0:
		return t.notes(rule, "not checked: no proof was tried before it claimed to be ready")
	case !asked:
		return t.holds(rule, nil, "there was no time in which every proof held and it did not claim to be ready")
	case l.claim < 0 && l.earliest-l.from > allowed.MS():
		return t.violates(rule, "let it say that it is ready as soon as it can do what the proofs ask", []int{l.at, t.lastMoment()},
			"every proof held from %s on (`%s` was the last), and %s later, when observation ended, it had still not claimed to be ready (allowed %s)",
			Millis(l.from), l.last, Millis(l.ms()), allowed)
	case l.claim >= 0 && l.earliest-l.from > allowed.MS():
		return t.violates(rule, "let it say that it is ready as soon as it can do what the proofs ask", []int{l.at, l.claim},
			"every proof held from %s on (`%s` was the last), and it claimed to be ready only at %s: late by %s (allowed %s)",
			Millis(l.from), l.last, Millis(l.to), Millis(l.ms()), allowed)
	}
	return t.holds(rule, []int{l.at, l.claim}, "every proof held for %s before it claimed to be ready (allowed %s)", Millis(l.ms()), allowed)
}
