package contracts

import (
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// ownBites moves the first bite of each fault to when it was this replica's: the timeline shows when it met the first connection of any. A
// replica met it with its own first attempt after it came on; on connections that it had before, not earlier than in the phase that the
// fault waits for. That is never too early, so nobody is accused of what came before.
func ownBites(s Spec, view []timeline.Event) []timeline.Event {
	out := slices.Clone(view)
	for n := range s.Faults {
		t := newTrace(s, out)
		for _, span := range t.faults[n] {
			if span.bite < 0 || out[span.bite].Replica != 0 {
				continue
			}
			if at := t.ownBite(n, span); at > t.ms(span.bite) {
				out = moved(out, span.bite, at)
				break // positions have changed; a fault that comes on again bites as it did
			}
		}
	}
	return out
}

// ownBite is when a fault met the only replica of the trace.
func (t *trace) ownBite(fault int, span span) float64 {
	f := t.spec.Faults[fault]
	had := false
	for _, i := range t.all(timeline.Connect, 0, t.end) {
		switch {
		case t.ev[i].Dependency != f.On:
		case t.ms(i)+armingMS >= t.ms(span.armed):
			if had {
				return max(t.ms(span.bite), min(t.ms(i), t.beginOf(f.Phase)))
			}
			return t.ms(i)
		default:
			had = true
		}
	}
	if had {
		return max(t.ms(span.bite), t.beginOf(f.Phase))
	}
	return t.ms(span.bite)
}

// beginOf is when a phase began for the first time; 0 if it never did, or is "".
func (t *trace) beginOf(phase string) float64 {
	for _, i := range t.all(timeline.PhaseBegin, 0, t.end) {
		if phase != "" && t.ev[i].Phase == phase {
			return t.ms(i)
		}
	}
	return 0
}

// moved is events with the i-th at a later time, behind what is as old.
func moved(events []timeline.Event, i int, ms float64) []timeline.Event {
	e := events[i]
	e.MS = ms
	rest := slices.Delete(slices.Clone(events), i, i+1)
	at := i
	for at < len(rest) && rest[at].MS <= ms {
		at++
	}
	return slices.Insert(rest, at, e)
}
