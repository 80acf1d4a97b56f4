package contracts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/chaos-startup/chaos/timeline"
)

// A trial with several instances is judged one instance after the other, each on what concerns it and what concerns all: the worst counts.
// Two things are about all of them: connections that are open at the end, and whether they retry in step.

// MaxReplicas is how many instances a trial may have.
const MaxReplicas = 64

// replicaSpec is s as one replica is judged by.
func replicaSpec(s Spec) Spec {
	if l := s.Invariants.NoLeakedConnections; l != nil {
		s.Invariants.NoLeakedConnections = &LeakedConnections{Max: l.Max * s.Replicas} // the proxies count those of all
	}
	return s
}

// views returns for each replica the events that concern it, with their ids.
func views(s Spec, events []timeline.Event) [][]timeline.Event {
	events = attributed(events)
	seen := intercepted(events)
	out := make([][]timeline.Event, min(s.Replicas, MaxReplicas))
	for r := range out {
		own := map[string]float64{}
		for _, e := range events {
			switch {
			case e.Replica != 0 && e.Replica != r+1:
				continue
			case e.Replica == 0 && (e.Kind == timeline.Accept || e.Kind == timeline.Close):
				continue // nobody knows whose
			case e.Kind == timeline.Connect:
				own[e.Dependency]++
			case e.Kind == timeline.Dependency:
				e.Count = maps.Clone(e.Count)
				delete(e.Count, "attempts")
				delete(e.Count, "refused")
				if seen && e.Count != nil {
					delete(e.Count, "accepted") // counted anew, of those that are its own
					e.Count["attempts"] = own[e.Dependency]
				}
			}
			out[r] = append(out[r], e)
		}
		if seen {
			out[r] = ownBites(s, out[r])
		}
	}
	return out
}

// intercepted reports whether connects were seen at all.
func intercepted(events []timeline.Event) bool {
	return slices.ContainsFunc(events, func(e timeline.Event) bool { return e.Kind == timeline.Connect })
}

// attributed gives what the proxies accepted to the replica whose connect it was: they accept in the order in which connects were let in.
func attributed(events []timeline.Event) []timeline.Event {
	out := slices.Clone(events)
	byDep := map[string][]int{}
	for i, e := range out {
		if e.Kind == timeline.Accept && e.Replica == 0 {
			byDep[e.Dependency] = append(byDep[e.Dependency], i)
		}
	}
	next, owner := map[string]int{}, map[string]int{}
	for _, list := range byDep {
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(out[a].Connection, out[b].Connection) })
	}
	for _, e := range out {
		if e.Kind != timeline.Connect || e.Result == "refused" || e.Result == "astray" || e.Result == "unanswered" {
			continue
		}
		list, n := byDep[e.Dependency], next[e.Dependency]
		for n < len(list) && out[list[n]].MS+1 < e.MS {
			n++
		}
		if n < len(list) {
			out[list[n]].Replica = e.Replica
			owner[e.Dependency+" "+strconv.Itoa(out[list[n]].Connection)] = e.Replica
			n++
		}
		next[e.Dependency] = n
	}
	for i, e := range out {
		if e.Kind == timeline.Close && e.Replica == 0 {
			out[i].Replica = owner[e.Dependency+" "+strconv.Itoa(e.Connection)]
		}
	}
	return out
}

// judgeReplica judges one instance. One that never tried the dependency of a fault did not meet it: what it did shows nothing about that.
func judgeReplica(s Spec, view []timeline.Event, intercepted bool) Judgment {
	j := judgeOne(s, view)
	t := newTrace(s, view)
	if s.Control || !t.started() || j.Verdict == Error || !intercepted {
		return j
	}
	for _, dep := range t.faultedNames() {
		tried := slices.ContainsFunc(t.all(timeline.Connect, 0, t.end), func(i int) bool {
			return t.ev[i].Dependency == dep && t.ms(i) <= t.liftAfter(dep, 0)
		})
		if tried || j.Verdict == Fail && provenAnyway(merge(t.invariants()...)) {
			continue
		}
		f := t.undecided("vacuous", "let the fault last longer, or start it earlier", nil, "it did not try %s before the fault on it was lifted", dep)
		return judgment(Inconclusive, f, finding{reasons: j.Reasons})
	}
	return j
}

// judgeReplicas judges every instance, and what they do together.
func judgeReplicas(s Spec, events []timeline.Event) Judgment {
	spec := replicaSpec(s)
	all := views(s, events)
	judgments := make([]Judgment, len(all))
	verdicts := make([]Verdict, 0, len(all)+1)
	for r, view := range all {
		judgments[r] = judgeReplica(spec, view, intercepted(events))
		verdicts = append(verdicts, judgments[r].Verdict)
	}
	out := Judgment{Reasons: []Reason{}}
	_, broken := newTrace(spec, events).brokenHarness()
	if retry := s.Invariants.Retry; retry != nil && retry.Lockstep != nil && !s.Control && !broken {
		f := lockstep(spec, all)
		out.Reasons = append(out.Reasons, f.reasons...)
		switch f.state {
		case Violated:
			verdicts = append(verdicts, Fail)
		case Undecided:
			verdicts = append(verdicts, Inconclusive)
		}
	}
	out.Verdict = Worst(verdicts...)
	out.Reasons = append(out.Reasons, toldTogether(judgments)...)
	weight := map[State]int{Violated: 0, Undecided: 1, Note: 2, Held: 3}
	slices.SortStableFunc(out.Reasons, func(a, b Reason) int { return cmp.Compare(weight[a.State], weight[b.State]) })
	return out
}

// toldTogether lists the reasons of all replicas, and says of whom each is: what is true of several is said once.
func toldTogether(judgments []Judgment) []Reason {
	type key struct {
		rule, text string
		state      State
	}
	whose := map[key][]string{}
	for r, j := range judgments {
		for _, reason := range j.Reasons {
			k := key{reason.Rule, reason.Text, reason.State}
			whose[k] = append(whose[k], strconv.Itoa(r+1))
		}
	}
	var out []Reason
	for _, j := range judgments {
		for _, reason := range j.Reasons {
			k := key{reason.Rule, reason.Text, reason.State}
			who := slices.Compact(whose[k])
			if len(who) == 0 {
				continue
			}
			delete(whose, k)
			switch {
			case len(who) == len(judgments):
				reason.Text = "every replica: " + reason.Text
			case len(who) == 1:
				reason.Text = fmt.Sprintf("replica %s: %s", who[0], reason.Text)
			default:
				reason.Text = fmt.Sprintf("replicas %s: %s", list(who), reason.Text)
			}
			out = append(out, reason)
		}
	}
	return out
}

// observeReplicas tells what the instance that came off worst did, what each did, and the figures of the dependencies for all.
func observeReplicas(s Spec, events []timeline.Event) Observation {
	spec := replicaSpec(s)
	var worst Observation
	var replicas []Replica
	var verdicts []Verdict
	for r, view := range views(s, events) {
		o, v := newTrace(spec, view).observe(), judgeReplica(spec, view, intercepted(events)).Verdict
		verdicts = append(verdicts, v)
		if r == 0 || Worst(verdicts...) != Worst(verdicts[:r]...) {
			worst = o
		}
		replicas = append(replicas, Replica{Replica: r + 1, Verdict: v, Outcome: o.Outcome, Phases: o.Phases, Readiness: o.Readiness})
	}
	worst.Replicas = replicas
	for name, f := range newTrace(s, events).figures() {
		f.Retries = worst.Dependencies[name].Retries
		worst.Dependencies[name] = f
	}
	return worst
}
