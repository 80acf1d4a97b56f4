package contracts

import (
	"cmp"
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// stretch is one proof that failed while the service claimed to be ready, from its first failure on until it held.
type stretch struct {
	proof       int // of trace.proofs
	claim       int
	event       int     // the first failing attempt
	until       int     // it held or was excused, or the claim was gone; -1: to the end of observation
	from, to    float64 // from the claim, or, when it had held since, from the failure on
	least, most float64 // what to-from can really have been
	about       float64 // the best estimate: the middle, where it was seen to end
	again       bool    // it had held since the claim
}

// lie is a time in which the service claimed to be ready while proofs failed: stretches that overlap are one.
type lie struct {
	stretch
	parts []stretch // by the order in which they failed
}

// lies finds every time in which the service claimed to be ready while an unexcused proof failed.
func (t *trace) lies() []lie {
	var found []lie
	for _, c := range t.claims {
		to := c.lost
		if to < 0 || to > t.end {
			to = t.end
		}
		found = append(found, together(t.stretches(c, to))...)
	}
	return found
}

func (t *trace) stretches(c claim, to int) []stretch {
	var all []stretch
	for p := range t.proofs {
		all = append(all, t.stretchesOf(p, c, to)...)
	}
	slices.SortStableFunc(all, func(a, b stretch) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.event, b.event)) })
	return all
}

// together makes one lie of the stretches that overlap. They come in the order of their beginnings.
func together(all []stretch) []lie {
	var found []lie
	for _, s := range all {
		n := len(found)
		if n == 0 || s.from > found[n-1].to {
			found = append(found, lie{stretch: s, parts: []stretch{s}})
			continue
		}
		l := &found[n-1]
		l.parts = append(l.parts, s)
		l.least, l.most = max(l.least, s.least+s.from-l.from), max(l.most, s.most+s.from-l.from)
		l.about = max(l.about, s.about+s.from-l.from)
		if s.to > l.to || s.to == l.to && s.until < 0 {
			l.to, l.until = s.to, s.until
		}
	}
	return found
}

// stretchesOf finds when proof p failed under claim c, which stands until ev[to].
func (t *trace) stretchesOf(p int, c claim, to int) []stretch {
	var found []stretch
	good, bad, open := -1, -1, false // its last attempt that held, its last that failed; it fails
	for _, i := range t.proofs[p].attempts {
		if i <= c.at || i >= to {
			continue
		}
		if t.ok(i) || t.excuse(t.proofs[p], i, c.degraded) != "" || good >= 0 && t.speechless(t.proofs[p], c, i) {
			if open {
				t.shut(&found[len(found)-1], i, bad)
			}
			good, open = i, false
			continue
		}
		if !t.counts(c, i) {
			continue
		}
		if bad = i; !open {
			open = true
			found = append(found, t.opened(p, c, i, good))
		}
	}
	if open {
		t.leave(&found[len(found)-1], c, bad)
	}
	return found
}

// counts reports whether a failed attempt speaks against claim c: the service still claimed to be ready after it, and it was
// not begun before the claim. A millisecond is allowed for the rounding of the two clocks.
func (t *trace) counts(c claim, i int) bool {
	return t.ev[i].Claimed && t.began(i) >= t.ms(c.at)-1
}

// speechless reports whether p, which had held since the claim, fails at attempt i after a fault on something it needs, and the claim is one
// that can't be taken back: a line in the log was true when it was written, and says nothing about later.
func (t *trace) speechless(p proof, c claim, i int) bool {
	return t.ev[c.at].Source == "log" && slices.ContainsFunc(p.Needs, func(dep string) bool { return t.faultOn(dep, t.ms(c.at), t.ms(i)) })
}

// opened begins a stretch with attempt i: from the claim on, or, when it had held since (at attempt good), from the failure on.
func (t *trace) opened(p int, c claim, i, good int) stretch {
	s := stretch{proof: p, claim: c.at, event: i, until: -1, from: t.ms(c.at), again: good >= 0}
	before := t.claimedAfter(c)
	if s.again {
		s.from = t.began(i)
		before = t.began(good)
		if held, ok := t.ev[i].Count["held_ms"]; ok {
			before = max(before, held)
		}
	}
	s.most = max(0, s.from-before) // so much earlier it may have begun; its end is added later
	return s
}

// claimedAfter is when the claim can have been true at the earliest: when the ready probe was asked the last time that it said no.
func (t *trace) claimedAfter(c claim) float64 {
	if asked, ok := t.ev[c.at].Count["asked_ms"]; ok {
		return min(asked, t.ms(c.at))
	}
	return t.ms(c.at)
}

// shut ends a stretch with attempt i, which held; bad failed before it.
func (t *trace) shut(s *stretch, i, bad int) {
	s.until, s.to = i, t.heldBy(i)
	s.close(t.surely(s), t.cameAfter(i, bad))
	s.about = (s.least + s.most) / 2
}

// heldBy is when attempt i was seen to hold: of one that must hold several times in a row, the first of them.
func (t *trace) heldBy(i int) float64 {
	if held, ok := t.ev[i].Count["held_ms"]; ok {
		return max(t.began(i), min(held, t.ms(i)))
	}
	return t.ms(i)
}

// leave ends a stretch that went on as long as its claim, or as long as it was observed.
func (t *trace) leave(s *stretch, c claim, bad int) {
	s.to = t.endMS()
	if c.lost >= 0 {
		s.until, s.to = c.lost, t.ms(c.lost)
	}
	s.close(t.surely(s), t.began(bad))
	s.about = max(0, s.to-s.from)
}

// surely is when s had begun for certain: at the claim, or when the attempt that failed was over.
func (t *trace) surely(s *stretch) float64 {
	if s.again {
		return t.ms(s.event)
	}
	return s.from
}

func (s *stretch) close(surely, came float64) {
	s.least = max(0, came-surely)
	s.most = max(s.least, s.most+s.to-s.from)
}

// falseWindows is the part of an observation about false readiness.
func (t *trace) falseWindows() []FalseWindow {
	var out []FalseWindow
	for _, l := range t.lies() {
		for _, s := range l.parts {
			w := FalseWindow{
				Proof: t.proofs[s.proof].Name, Error: t.ev[s.event].Error, FromMS: s.from, ForMS: s.about,
				WithinMS: [2]float64{s.least, s.most}, Ended: t.endOf(s.until), Again: s.again,
			}
			w.Dependency, w.Because = t.blame(t.proofs[s.proof], s)
			out = append(out, w)
		}
	}
	return out
}

func (t *trace) endOf(until int) string {
	switch {
	case until < 0:
		return "open"
	case t.ev[until].Kind != timeline.Proof:
		return "lost"
	case t.ok(until):
		return "held"
	}
	return "excused"
}
