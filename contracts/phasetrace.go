package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// phase is a phase that was seen, with the positions that show it.
type phase struct {
	PhaseSpan
	run        int // index of the incarnation
	begin, end int // end -1: it never ended
}

// phases returns the phases of every incarnation in the order in which they began. A phase ends when its end is seen or the
// next one begins; a service that exits leaves its phase unended.
func (t *trace) phases() []phase {
	var out []phase
	open := -1
	finish := func(i int) {
		if open >= 0 {
			out[open].end, out[open].EndMS, open = i, ref(t.ms(i)), -1
		}
	}
	for r, incarnation := range t.runs {
		open = -1
		for i := incarnation.first; i < min(incarnation.next, t.stop); i++ {
			e := t.ev[i]
			switch {
			case e.Kind == timeline.PhaseBegin:
				finish(i)
				open = len(out)
				out = append(out, phase{PhaseSpan: PhaseSpan{Name: e.Phase, BeginMS: e.MS, Exact: !e.Inexact}, run: r, begin: i, end: -1})
			case e.Kind == timeline.PhaseEnd && e.Source != sourceExit && open >= 0 && out[open].Name == e.Phase:
				out[open].Exact = out[open].Exact && !e.Inexact
				finish(i)
			}
		}
	}
	return out
}

// order returns the place of a phase in the declared order, or -1.
func (t *trace) order(name string) int {
	for i, p := range t.spec.Phases {
		if p.Name == name {
			return i
		}
	}
	return -1
}

// phaseAt returns the last phase that began at or before ev[i] in its incarnation, or "".
func (t *trace) phaseAt(i int) string {
	name := ""
	for _, b := range t.all(timeline.PhaseBegin, t.runAt(i).first, i+1) {
		name = t.ev[b].Phase
	}
	return name
}

// seenPhases names the phases that began, each once, in order of appearance.
func (t *trace) seenPhases() []string {
	var names []string
	seen := map[string]bool{}
	for _, i := range t.all(timeline.PhaseBegin, 0, t.end) {
		if name := t.ev[i].Phase; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
