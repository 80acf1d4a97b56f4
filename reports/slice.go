package reports

import (
	"maps"
	"slices"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// sliceLines is about how many events a slice has; the twenty log lines of a phase that never came are more evidence than that
// allows with their frame, and still fit on a screen.
const sliceLines = 25

// Slice returns the piece of a trial's timeline that proves its verdict: the events that its reasons cite, the frame (starts, phases,
// faults, claims, exits) and what happened around them, at most about 25, in their order. Where ids are not consecutive, events are left out.
func Slice(t Trial) []timeline.Event {
	position := map[int]int{}
	for i, e := range t.Timeline {
		position[e.ID] = i
	}
	var cited []int
	for _, id := range Evidence(t) {
		if i, ok := position[id]; ok {
			cited = append(cited, i)
		}
	}
	chosen := map[int]bool{}
	take := func(at []int, limit int) {
		for _, i := range at {
			if len(chosen) < limit {
				chosen[i] = true
			}
		}
	}
	take(cited, sliceLines-3)
	take(ranked(t.Timeline, cited), sliceLines)
	var out []timeline.Event
	for _, i := range slices.Sorted(maps.Keys(chosen)) {
		out = append(out, t.Timeline[i])
	}
	return out
}

// Evidence returns the ids of the events that decide the trial's verdict, the first reason's first: those that violated or undecided
// reasons cite, or, of a pass, those of what held.
func Evidence(t Trial) []int {
	var ids []int
	seen := map[int]bool{}
	for _, wanted := range [][]contracts.State{{contracts.Violated, contracts.Undecided}, {contracts.Held}} {
		for _, r := range t.Reasons {
			if !slices.Contains(wanted, r.State) {
				continue
			}
			for _, id := range r.Evidence {
				if !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		}
		if len(ids) > 0 {
			break
		}
	}
	return ids
}

// near is how many places from what is cited the ordinary events may be to be shown.
const near = 4

// weight is how much an event tells a reader beside the evidence, 0 to leave it out.
func weight(e timeline.Event) int {
	switch e.Kind {
	case timeline.FaultArmed, timeline.FaultBite, timeline.FaultLifted, timeline.Exit, timeline.ReadyClaim, timeline.Budget, timeline.Harness:
		return 40
	case timeline.ReadyLost, timeline.Restart, timeline.Escape, timeline.Kill, timeline.Interrupted, timeline.UpstreamError, timeline.Exec, timeline.Again:
		return 30
	case timeline.PhaseBegin, timeline.Stop, timeline.Survivor:
		return 20
	case timeline.Log, timeline.Proof, timeline.EarlyProof, timeline.Answer, timeline.Connect, timeline.Resolve:
		return 12
	case timeline.PhaseEnd, timeline.Accept, timeline.Denied, timeline.Close, timeline.Mark, timeline.Notify, timeline.Undeclared, timeline.UndeclaredName:
		return 6
	case timeline.LogDropped, timeline.End, timeline.TrafficBegin, timeline.Traffic, timeline.TrafficError, timeline.TrafficSummary:
		return 4
	}
	return 0
}

// ranked orders the events worth showing by how much they tell and how near they are to what is cited.
func ranked(events []timeline.Event, cited []int) []int {
	cited = slices.Sorted(slices.Values(cited))
	score := make(map[int]int, len(events))
	var order []int
	for i, e := range events {
		w := weight(e)
		d := distance(cited, i)
		if w == 0 || w < 20 && d > near {
			continue
		}
		score[i] = w - min(d, 10)
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return score[b] - score[a] })
	return order
}

// distance is how many places i is from the nearest of the sorted positions; far away when there are none.
func distance(sorted []int, i int) int {
	const far = 1 << 20
	at, found := slices.BinarySearch(sorted, i)
	if found {
		return 0
	}
	d := far
	if at < len(sorted) {
		d = sorted[at] - i
	}
	if at > 0 {
		d = min(d, i-sorted[at-1])
	}
	return d
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
