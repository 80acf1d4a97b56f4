package contracts

import (
	"slices"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// span is one stretch in which a fault was on. A fault may come on again, for example in the next incarnation.
type span struct {
	armed, bite, lift int
	cause             cause
}

// cause says why a fault was lifted.
type cause int

const (
	byItself cause = iota // its time was over, or its until came
	byPhase               // the service got through the phase that the fault lasts for
	byExit                // the service was gone, and with it the phase
	byTheEnd              // the trial was over
)

// sourceExit is the Source of a phase's end, and of a lift, that only the service's exit caused.
const sourceExit = "exit"

// faultIndex turns "f2" into 1; -1 when the spec has no such fault.
func (t *trace) faultIndex(name string) int {
	digits, ok := strings.CutPrefix(name, "f")
	if !ok {
		return -1
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > len(t.spec.Faults) {
		return -1
	}
	return n - 1
}

func (t *trace) indexFaults() {
	t.faults = make([][]span, len(t.spec.Faults))
	for i, e := range t.ev {
		f := t.faultIndex(e.Fault)
		if f < 0 {
			continue
		}
		switch e.Kind {
		case timeline.FaultArmed:
			if t.openSpan(f) == nil {
				t.faults[f] = append(t.faults[f], span{armed: i, bite: -1, lift: -1})
			}
		case timeline.FaultBite:
			t.bitten(f, i)
		case timeline.FaultLifted:
			if s := t.openSpan(f); s != nil {
				s.lift, s.cause = i, t.liftCause(f, i)
			}
		}
	}
}

// liftCause tells why ev[i] lifted fault f. A lift without a source may still say in words that its phase ended.
func (t *trace) liftCause(f, i int) cause {
	switch e, phase := t.ev[i], t.spec.Faults[f].Phase; {
	case e.Source == "end":
		return byTheEnd
	case e.Source == sourceExit:
		return byExit
	case e.Source == "phase" || phase != "" && e.Text == "phase "+phase+" ended":
		for _, end := range slices.Backward(t.all(timeline.PhaseEnd, 0, i+1)) {
			if t.ev[end].Phase == phase {
				if t.ev[end].Source == sourceExit {
					return byExit
				}
				break
			}
		}
		return byPhase
	}
	return byItself
}

func (t *trace) openSpan(f int) *span {
	if n := len(t.faults[f]); n > 0 && t.faults[f][n-1].lift < 0 {
		return &t.faults[f][n-1]
	}
	return nil
}

// bitten notes a first bite. What meets the fault while the service is being stopped shows nothing about its start.
func (t *trace) bitten(f, i int) {
	if i > t.end {
		return
	}
	n := len(t.faults[f])
	if n == 0 { // a bite proves that it was on
		t.faults[f] = append(t.faults[f], span{armed: i, bite: i, lift: -1})
		return
	}
	if s := &t.faults[f][n-1]; s.bite < 0 {
		s.bite = i
	}
}

// firstBite returns the position of the first bite of fault f, or -1.
func (t *trace) firstBite(f int) int {
	for _, s := range t.faults[f] {
		if s.bite >= 0 {
			return s.bite
		}
	}
	return -1
}

// lastFirstBite returns the first bite of the fault that bit last: only then has everything that was injected been felt. -1
// when a fault never bit.
func (t *trace) lastFirstBite() int {
	last := -1
	for f := range t.faults {
		b := t.firstBite(f)
		if b < 0 {
			return -1
		}
		last = max(last, b)
	}
	return last
}

// lifted returns the position of the last lift of fault f when it really was lifted during observation and stayed off, else -1.
// A fault that went off only because the service was gone was not lifted for that service.
func (t *trace) lifted(f int) int {
	n := len(t.faults[f])
	if n == 0 {
		return -1
	}
	if s := t.faults[f][n-1]; s.lift >= 0 && s.cause != byTheEnd && s.cause != byExit && s.lift < t.end {
		return s.lift
	}
	return -1
}

// lastLift returns the position of the last lift once every fault was lifted; -1 when one was still on at the end.
func (t *trace) lastLift() int {
	last := -1
	for f := range t.faults {
		l := t.lifted(f)
		if l < 0 {
			return -1
		}
		last = max(last, l)
	}
	return last
}

// throughPhase reports whether every fault that was lifted was lifted because the service got through its phase.
func (t *trace) throughPhase() bool {
	for f := range t.faults {
		for _, s := range t.faults[f] {
			if s.lift >= 0 && s.lift < t.end && s.cause != byPhase {
				return false
			}
		}
	}
	return true
}

// faultOn reports whether a fault was on dependency dep at some time from..to (ms).
func (t *trace) faultOn(dep string, from, to float64) bool {
	for f, spans := range t.faults {
		if t.spec.Faults[f].On != dep {
			continue
		}
		for _, s := range spans {
			if t.ms(s.armed) <= to && (s.lift < 0 || t.ms(s.lift) >= from) {
				return true
			}
		}
	}
	return false
}

// anyFaultOn reports whether some fault was on at ms.
func (t *trace) anyFaultOn(ms float64) bool {
	for _, dep := range t.faultedNames() {
		if t.faultOn(dep, ms, ms) {
			return true
		}
	}
	return false
}

// faulted reports whether the spec puts a fault on dep.
func (t *trace) faulted(dep string) bool {
	for _, f := range t.spec.Faults {
		if f.On == dep {
			return true
		}
	}
	return false
}

// faultedNames returns the dependencies under fault, each once, in the order of inject.
func (t *trace) faultedNames() []string {
	var names []string
	seen := map[string]bool{}
	for _, f := range t.spec.Faults {
		if !seen[f.On] {
			seen[f.On] = true
			names = append(names, f.On)
		}
	}
	return names
}

// faultSpans is the part of an observation about faults.
func (t *trace) faultSpans() []FaultSpan {
	out := make([]FaultSpan, len(t.spec.Faults))
	for f, spec := range t.spec.Faults {
		out[f] = FaultSpan{On: spec.On, Kind: spec.Kind, Text: spec.Text}
		spans := t.faults[f]
		if len(spans) == 0 {
			continue
		}
		out[f].ArmedMS = ref(t.ms(spans[0].armed))
		if b := t.firstBite(f); b >= 0 {
			out[f].FirstBiteMS = ref(t.ms(b))
		}
		if last := spans[len(spans)-1]; last.lift >= 0 {
			out[f].LiftedMS, out[f].LiftedAtEnd = ref(t.ms(last.lift)), last.cause == byTheEnd
		}
	}
	for _, e := range t.ev {
		if f := t.faultIndex(e.Fault); f >= 0 && e.Kind == timeline.FaultSummary {
			out[f].ConnectionsHit = whole(e.Count["connections_hit"])
			out[f].BytesHit = int64(whole(e.Count["bytes_hit"]))
			out[f].Escaped = whole(e.Count["escaped"])
		}
	}
	for f := range out {
		out[f].Escaped = max(out[f].Escaped, len(t.escapes(out[f].On)))
	}
	return out
}

// escapes returns the positions of the connections that went around the proxy of dep before observation ended.
func (t *trace) escapes(dep string) []int {
	var found []int
	for _, i := range t.all(timeline.Escape, 0, t.end) {
		if t.ev[i].Dependency == dep {
			found = append(found, i)
		}
	}
	return found
}

// whole turns a count into an int; what is out of range (only in a damaged report) becomes the nearest bound.
func whole(v float64) int { return int(max(0, min(v, 1<<53))) }

func ref[T any](v T) *T { return &v }
