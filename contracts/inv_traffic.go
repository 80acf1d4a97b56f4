package contracts

import (
	"fmt"
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// shownFailures is how many failed requests a reason cites.
const shownFailures = 5

// traffic checks what is asked of the load: few enough errors, and answers in time. A generator that was late decides nothing about time.
func (t *trace) traffic() finding {
	const rule = "traffic"
	f, total := t.trafficFigures(), t.trafficSummary()
	switch {
	case f == nil && len(t.claims) == 0:
		return t.notes(rule, "not checked: it never claimed to be ready")
	case f == nil:
		return t.undecided(rule, "run it again", []int{t.lastMoment()}, "the timeline does not say what the load came to")
	case f.Requests == 0 && f.Unsent == 0 && len(t.claims) == 0:
		return t.notes(rule, "no request was due after a claim to be ready: it never made one")
	case f.Result == "exited" && t.bittenBefore(t.lastExit()):
		return t.notes(rule, "not judged: the service exited under a fault, and the load ended with it: %s", f.Words())
	case f.Result == "exited":
		at := append([]int{t.lastExit()}, t.trafficFailures(true, nil)...)
		return merge(t.violates(rule, "let it survive the load that `traffic` describes", append(at, total),
			"it %s under the load (%s): %s", t.outcome().Words(), t.spec.Traffic.Text, f.Words()))
	}
	checks := []finding{t.errorShare(f, total), t.inTime(f, total)}
	if f.Result == "interrupted" {
		checks = append(checks, t.undecided(rule, "raise service.budget, so that the whole load can be seen", []int{total},
			"observation ended before the load was over: %s", f.Words()))
	}
	if all := merge(checks...); all.state != Held {
		return all
	}
	return t.holds(rule, []int{total}, "%s: %s", t.spec.Traffic.Text, f.Words())
}

// bittenBefore reports whether a fault had bitten before ev[i].
func (t *trace) bittenBefore(i int) bool {
	for f := range t.faults {
		if b := t.firstBite(f); b >= 0 && b < i {
			return true
		}
	}
	return false
}

// timed are the kinds of failure that a generator without time for its own connections may have caused itself.
var timed = []string{"hang"}

func (t *trace) errorShare(f *TrafficFigures, total int) finding {
	const rule = "traffic"
	if f.Requests == 0 {
		return finding{state: Held}
	}
	bad, proven := f.Errors, f.Errors
	for _, k := range timed {
		if t.lagged(f) {
			proven -= f.ErrorsByKind[k]
		}
	}
	share := func(n int) float64 { return float64(n) / float64(f.Requests) }
	allowed := t.spec.Traffic.Errors
	at := append(t.trafficFailures(true, nil), total)
	switch {
	case share(proven) > allowed:
		return t.violates(rule, "see the errors in the timeline; a service that needs more time must say that it is ready later", at,
			"%d of %s failed (%s), %s allowed: %s", bad, plural(f.Requests, "request"), kinds(f.ErrorsByKind), percent(allowed), t.spec.Traffic.Text)
	case share(bad) > allowed:
		return t.undecided(rule, lagNext, at, "%d of %s failed (%s), and the generator was late itself: its lag was %s (p99)",
			bad, plural(f.Requests, "request"), kinds(f.ErrorsByKind), Millis(f.LagP99MS))
	}
	return finding{state: Held}
}

const lagNext = "give the generator more of the machine (fewer trials side by side, more cores), or ask for less load"

// lagged reports whether the generator was late itself, or could not send all.
func (t *trace) lagged(f *TrafficFigures) bool {
	return f.LagP99MS > t.spec.Traffic.MaxLag.MS() || f.Unsent > 0
}

func (t *trace) inTime(f *TrafficFigures, total int) finding {
	const rule = "traffic"
	if t.lagged(f) {
		text := fmt.Sprintf("its lag was %s (p99; at most %s), up to %s", Millis(f.LagP99MS), t.spec.Traffic.MaxLag, Millis(f.LagMaxMS))
		if f.Unsent > 0 {
			text = fmt.Sprintf("%d of %d requests could not be sent", f.Unsent, f.Unsent+f.Requests+f.Early["requests"])
		}
		return t.undecided(rule, lagNext, []int{total}, "the load was not what was asked for: the generator was the bottleneck: %s", text)
	}
	var all []finding
	for _, p := range []struct {
		name  string
		got   float64
		limit timeline.Duration
	}{{"p50", f.P50MS, t.spec.Traffic.P50}, {"p95", f.P95MS, t.spec.Traffic.P95}, {"p99", f.P99MS, t.spec.Traffic.P99}} {
		switch {
		case p.limit > 0 && f.OK+f.ErrorsByKind["hang"] == 0:
			return t.undecided(rule, "see the errors in the timeline, or let the load last longer", []int{total},
				"none of %s was answered as it should, so %s is not known", plural(f.Requests, "request"), p.name)
		case p.limit > 0 && p.got > p.limit.MS():
			all = append(all, t.violates(rule, "make the first requests as fast as the later ones before claiming to be ready (warm pools and caches)",
				append(t.slowest(), total), "%s was %s, %s allowed: %s: %s", p.name, Millis(p.got), p.limit, t.spec.Traffic.Text, f.Words()))
		}
	}
	return merge(all...)
}

// earlyTraffic: whoever comes before the service is ready is told so: refused at once, or 503. Nothing else is clean.
func (t *trace) earlyTraffic() finding {
	const rule = "early_traffic"
	f, total := t.trafficFigures(), t.trafficSummary()
	if f == nil || f.Early["requests"] == 0 {
		return t.notes(rule, "no request came before it claimed to be ready")
	}
	bad, hung := f.Early["bad"], f.Early["hang"]
	met := kinds(f.Early, "requests", "bad", "ok", "refused", "unavailable", "gone")
	at := append(t.trafficFailures(false, nil), total)
	example := ""
	if at[0] != total {
		example = "; first: " + quote(t.ev[at[0]].Error)
	}
	switch {
	case bad > 0 && (bad > hung || !t.lagged(f)):
		return t.violates(rule, "refuse what comes before it is ready, at once: do not listen yet, or answer 503 with Retry-After; close no accepted WebSocket",
			at, "%d of %s before it claimed to be ready met neither a refusal nor 503: %s%s", bad, plural(f.Early["requests"], "request"), met, example)
	case bad > 0:
		return t.undecided(rule, lagNext, at, "%s before it claimed to be ready hung, and the generator was late itself: its lag was %s (p99)",
			plural(bad, "request"), Millis(f.LagP99MS))
	}
	return t.holds(rule, []int{total}, "%s before it claimed to be ready: %s", plural(f.Early["requests"], "request"), kinds(f.Early, "requests", "bad"))
}

// trafficFailures returns the positions of the failed requests that are told, after the claim or before it, of some kinds or of all.
func (t *trace) trafficFailures(claimed bool, of []string) []int {
	var at []int
	for _, i := range t.all(timeline.TrafficError, 0, len(t.ev)) {
		if e := t.ev[i]; e.Claimed == claimed && (of == nil || slices.Contains(of, e.Result)) && len(at) < shownFailures {
			at = append(at, i)
		}
	}
	return at
}

// slowest returns the position of the stretch of the load that had the slowest answer.
func (t *trace) slowest() []int {
	worst := -1
	for _, i := range t.all(timeline.Traffic, 0, len(t.ev)) {
		if worst < 0 || t.ev[i].Count["max_ms"] > t.ev[worst].Count["max_ms"] {
			worst = i
		}
	}
	if worst < 0 {
		return nil
	}
	return []int{worst}
}

func percent(share float64) string {
	if share == 0 {
		return "none"
	}
	return trim(100*share, 2) + " %"
}
