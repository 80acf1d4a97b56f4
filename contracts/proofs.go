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
		if i := t.held(p); i >= 0 {
			r.HeldMS = ref(t.heldBy(i))
		}
		out = append(out, r)
	}
	return out
}
