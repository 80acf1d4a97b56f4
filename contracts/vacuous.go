package contracts

import (
	"fmt"
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// vacuous reports the faults that met nothing: a trial without them in force shows nothing about them. Every fault must bite.
func (t *trace) vacuous() finding {
	all := []finding{t.neverAsked()}
	for f, spec := range t.spec.Faults {
		switch {
		case t.firstBite(f) >= 0:
		case len(t.faults[f]) > 0:
			all = append(all, t.neverBit(f))
		case spec.Phase != "" && t.first(timeline.PhaseBegin, 0, t.end) < 0:
			all = append(all, t.noPhase(spec, "no phase was seen at all",
				"check the patterns under phases: against the service's log lines in the timeline"))
		case spec.Phase != "" && !t.sawPhase(spec.Phase):
			all = append(all, t.noPhase(spec, "phases seen: "+list(t.seenPhases()),
				"see the last log lines: either the service stopped before, or the pattern of that phase under phases: does not match"))
		default:
			all = append(all, t.undecided("vacuous", "check its trigger against the timeline", t.tail(shownLogLines, 0, len(t.ev)),
				"`%s` never came on: the moment it waits for never came; the service %s", spec.Text, t.outcome().Words()))
		}
	}
	return merge(all...)
}

func (t *trace) sawPhase(name string) bool {
	for _, i := range t.all(timeline.PhaseBegin, 0, t.end) {
		if t.ev[i].Phase == name {
			return true
		}
	}
	return false
}

// noPhase says plainly that a phase never came, which ones did, and cites the last log lines.
func (t *trace) noPhase(spec Fault, seen, next string) finding {
	at := append(t.all(timeline.PhaseBegin, 0, t.end), t.tail(shownLogLines, 0, len(t.ev))...)
	return t.undecided("vacuous", next, at, "phase %s never came, so `%s` never came on; %s; the service %s",
		spec.Phase, spec.Text, seen, t.outcome().Words())
}

// neverBit says that a fault was on and met nothing, and where the service did use the dependency.
func (t *trace) neverBit(f int) finding {
	spec, spans := t.spec.Faults[f], t.faults[f]
	var at []int
	for _, s := range spans {
		at = append(at, s.armed, s.lift)
	}
	when := "from " + Millis(t.ms(spans[0].armed)) + " on"
	if last := spans[len(spans)-1]; last.lift >= 0 {
		when = fmt.Sprintf("from %s to %s", Millis(t.ms(spans[0].armed)), Millis(t.ms(last.lift)))
	}
	late := t.bitLate(f)
	if asked := t.asked(); late >= 0 && asked >= 0 {
		return t.undecided("vacuous", "give the fault its time: a longer `after` under `stop`", append(at, asked, late),
			"`%s` came on at %s and bit only at %s, after the service had been asked to stop at %s: how it stops under the fault was not seen",
			spec.Text, Millis(t.ms(spans[0].armed)), Millis(t.ms(late)), Millis(t.ms(asked)))
	}
	if spec.Kind == naming {
		return t.neverLookedUp(f, when, at)
	}
	if met := t.madeUnder(f); len(met) > 0 {
		return t.spared(f, when, at, met)
	}
	used, uses := t.usedIn(spec.On, timeline.Connect, timeline.Accept)
	next := "the service was not seen to use " + spec.On + " at all: is its address given as ${" + spec.On + "}?"
	then := ""
	switch {
	case len(uses) > 0:
		next = fmt.Sprintf("let it come on when %s is used: connections to it began %s", spec.On, used)
		at = append(at, uses[:min(len(uses), 5)]...)
	case late >= 0:
		next = "the service used " + spec.On + " only when it was stopped: let it come on before, or use it while it starts"
		then, at = ", only at "+Millis(t.ms(late))+", when observation was over", append(at, late)
	case t.asked() >= 0:
		next = "give the fault its time: a longer `after` under `stop`; if the service should have used " + spec.On + " by then: is its address given as ${" + spec.On + "}?"
	}
	return t.undecided("vacuous", next, at, "`%s` was on %s but met no connection and no byte: %s was not used in that time%s", spec.Text, when, spec.On, then)
}

// bitLate returns the position of a first bite that came only when observation was over, or -1.
func (t *trace) bitLate(f int) int {
	for _, i := range t.all(timeline.FaultBite, t.end, len(t.ev)) {
		if t.faultIndex(t.ev[i].Fault) == f {
			return i
		}
	}
	return -1
}

// madeUnder returns the connections, or lookups, that were made while fault f was on.
func (t *trace) madeUnder(f int) []int {
	kinds := []timeline.Kind{timeline.Accept, timeline.Connect}
	if t.spec.Faults[f].Kind == naming {
		kinds = []timeline.Kind{timeline.Resolve}
	}
	var most []int
	for _, kind := range kinds { // one connection is seen as both
		var made []int
		for _, s := range t.faults[f] {
			to := t.end
			if s.lift >= 0 {
				to = min(to, s.lift)
			}
			for _, i := range t.all(kind, s.armed, to) {
				if t.ev[i].Dependency == t.spec.Faults[f].On && t.ev[i].Result != "refused" {
					made = append(made, i)
				}
			}
		}
		if len(made) > len(most) {
			most = made
		}
	}
	return most
}

// spared says that a fault was on while its dependency was used, and met none of it.
func (t *trace) spared(f int, when string, at, made []int) finding {
	spec := t.spec.Faults[f]
	what := "connection"
	if spec.Kind == naming {
		what = "lookup"
	}
	shown := append(at, made[:min(len(made), 5)]...)
	if spec.Toxicity > 0 && spec.Toxicity < 1 {
		return t.undecided("vacuous", "raise toxicity, let more come under the fault, or repeat the experiment: each repeat draws anew", shown,
			"`%s` was on %s and spared what came in that time (%s): its toxicity is %g, and the draw chose none", spec.Text, when, plural(len(made), what), spec.Toxicity)
	}
	return t.undecided("vacuous", "let it come on earlier, or take a fault that acts on what passes then", shown,
		"`%s` was on %s but bit on nothing: %s was used in that time (%s), and nothing passed that it acts on", spec.Text, when, spec.On, plural(len(made), what))
}

// naming is the kind of fault that meets lookups and not connections.
const naming = "dns"

// neverLookedUp is neverBit for a fault that meets lookups of names.
func (t *trace) neverLookedUp(f int, when string, at []int) finding {
	spec := t.spec.Faults[f]
	if made := t.madeUnder(f); len(made) > 0 {
		return t.spared(f, when, at, made)
	}
	asked, asks := t.usedIn(spec.On, timeline.Resolve)
	next := "none of its names was looked up through the resolver of chaos: is the service given one of `names`, is it not in /etc/hosts, and does " +
		"the service ask DNS for it?"
	if len(asks) > 0 {
		next = fmt.Sprintf("let it come on when its name is looked up: that was %s; a name that is known already is not asked for again", asked)
		at = append(at, asks[:min(len(asks), 5)]...)
	}
	return t.undecided("vacuous", next, at, "`%s` was on %s but met no query: no name of %s was looked up in that time", spec.Text, when, spec.On)
}

// usedIn says in which phases dep was used, by events of these kinds, with the positions that show it.
func (t *trace) usedIn(dep string, kinds ...timeline.Kind) (words string, at []int) {
	var names []string
	seen := map[string]bool{}
	for i := range t.ev[:t.end] {
		e := t.ev[i]
		if e.Dependency != dep || !slices.Contains(kinds, e.Kind) {
			continue
		}
		at = append(at, i)
		name := "outside of any phase, at " + Millis(e.MS)
		if p := t.phaseAt(i); p != "" {
			name = "in phase " + p
		}
		if key := t.phaseAt(i); !seen[key] {
			seen[key] = true
			names = append(names, name)
		}
	}
	return list(names), at
}
