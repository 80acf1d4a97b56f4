package contracts

import (
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// proof is a proof of readiness with every attempt that was made of it during observation.
type proof struct {
	Proof
	attempts []int
}

// lie is a stretch in which the service claimed to be ready while a proof failed.
type lie struct {
	claim    int // the claim
	event    int // the first failing attempt
	until    int // all proofs hold, or the claim is gone; -1: to the end of observation
	from, to float64
}

func (t *trace) indexProofs() {
	index := map[string]int{}
	for _, p := range t.spec.Readiness {
		if _, known := index[p.Name]; !known {
			index[p.Name] = len(t.proofs)
			t.proofs = append(t.proofs, proof{Proof: p})
		}
	}
	for _, i := range t.all(timeline.Proof, 0, t.end) {
		e := t.ev[i]
		if e.OK == nil {
			continue // it says nothing
		}
		p, known := index[e.Name]
		if !known {
			p = len(t.proofs)
			index[e.Name] = p
			t.proofs = append(t.proofs, proof{Proof: Proof{Name: e.Name}})
		}
		t.proofs[p].attempts = append(t.proofs[p].attempts, i)
	}
}

// last returns the position of the last attempt of p, or -1.
func (p proof) last() int {
	if n := len(p.attempts); n > 0 {
		return p.attempts[n-1]
	}
	return -1
}

// ok reports whether attempt i held.
func (t *trace) ok(i int) bool { return i >= 0 && t.ev[i].OK != nil && *t.ev[i].OK }

// began is when attempt i was begun: the event is written when it ended.
func (t *trace) began(i int) float64 { return t.ev[i].MS - max(0, t.ev[i].Count["took_ms"]) }

// held returns the position of the attempt since which p has always held, or -1 when its last attempt failed or there is none.
func (t *trace) held(p proof) int {
	since := -1
	for _, i := range slices.Backward(p.attempts) {
		if !t.ok(i) {
			break
		}
		since = i
	}
	return since
}

// excuse names the optional dependency that excuses a failure of p at attempt i: one that p needs and that was under a fault
// meanwhile, or one whose fault is over while the service still says that it is degraded. A required dependency under a fault
// may be the cause as well, so then nothing is excused. Without an attempt (i < 0) the end of observation counts.
func (t *trace) excuse(p proof, i int, degraded bool) string {
	from, to := t.endMS(), t.endMS()
	if i >= 0 {
		from, to = t.began(i), t.ms(i)
		degraded = degraded && t.ev[i].Result != "ready" // it said so when it claimed, and does not any more
	}
	found := ""
	for _, dep := range p.Needs {
		d, known := t.spec.Dependencies[dep]
		on := t.faultOn(dep, from, to)
		switch {
		case on && (!known || d.Required):
			return ""
		case found == "" && known && !d.Required && (on || degraded && t.faultOn(dep, 0, to)):
			found = dep
		}
	}
	return found
}

// degradedAt reports whether the claim that stands at ev[i] says degraded.
func (t *trace) degradedAt(i int) bool {
	for _, c := range t.claims {
		if c.at <= i && (c.lost < 0 || i < c.lost) {
			return c.degraded
		}
	}
	return false
}

// excusedNow names what excuses the last attempt of p, when it failed.
func (t *trace) excusedNow(p proof) string {
	last := p.last()
	if last >= 0 && t.ok(last) {
		return ""
	}
	at := last
	if at < 0 {
		at = t.end
	}
	return t.excuse(p, last, t.degradedAt(at))
}

// results is the part of an observation about the proofs of readiness.
func (t *trace) results() []ProofResult {
	out := make([]ProofResult, 0, len(t.proofs))
	for _, p := range t.proofs {
		r := ProofResult{Name: p.Name, Error: "never tried", Excused: t.excusedNow(p)}
		if i := p.last(); i >= 0 {
			r.OK, r.AtMS, r.Error = t.ok(i), t.ms(i), t.ev[i].Error
		}
		out = append(out, r)
	}
	return out
}

// lies finds every stretch in which the service claimed to be ready while an unexcused proof failed.
func (t *trace) lies() []lie {
	var found []lie
	for _, c := range t.claims {
		to := c.lost
		if to < 0 || to > t.end {
			to = t.end
		}
		found = append(found, t.liesWithin(c, to)...)
	}
	return found
}

func (t *trace) liesWithin(c claim, to int) []lie {
	byName, tried := map[string]proof{}, map[string]bool{}
	for _, p := range t.proofs {
		byName[p.Name] = p
		for _, i := range p.attempts {
			tried[p.Name] = tried[p.Name] || i > c.at && i < to
		}
	}
	var found []lie
	good := map[string]bool{}
	held, open := false, -1 // every proof has held once since the claim; the lie that is going on
	for i := c.at + 1; i < to; i++ {
		e := t.ev[i]
		if e.Kind != timeline.Proof || e.OK == nil {
			continue
		}
		p := byName[e.Name]
		if *e.OK || t.excuse(p, i, c.degraded) != "" {
			good[p.Name] = true
		} else if t.counts(c, i) {
			good[p.Name] = false
			if open < 0 {
				open = len(found)
				found = append(found, t.lieFrom(c, i, held))
			}
		}
		if allGood(tried, good) {
			held = true
			if open >= 0 {
				found[open].until, found[open].to, open = i, t.ms(i), -1
			}
		}
	}
	if open >= 0 {
		found[open].to = t.endMS()
		if c.lost >= 0 {
			found[open].until, found[open].to = c.lost, t.ms(c.lost)
		}
	}
	return found
}

// counts reports whether a failed attempt speaks against claim c: the service still claimed to be ready after it, and it was
// not begun before the claim. A millisecond is allowed for the rounding of the two clocks.
func (t *trace) counts(c claim, i int) bool {
	return t.ev[i].Claimed && t.began(i) >= t.ms(c.at)-1
}

// lieFrom opens a lie: from the claim on, or, when everything had been proved since, from the failure on.
func (t *trace) lieFrom(c claim, i int, held bool) lie {
	l := lie{claim: c.at, event: i, until: -1, from: t.ms(c.at)}
	if held {
		l.from = t.began(i)
	}
	return l
}

func allGood(tried, good map[string]bool) bool {
	for name, yes := range tried {
		if yes && !good[name] {
			return false
		}
	}
	return true
}
