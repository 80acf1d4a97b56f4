package contracts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// retry: the attempts on each faulted dependency are bounded, in number and in rate, for each incarnation by itself.
func (t *trace) retry() finding {
	const rule = "retry"
	limits := *t.spec.Invariants.Retry
	var all []finding
	for _, dep := range t.faultedNames() {
		for r := range t.runs {
			all = append(all, t.retryOf(rule, limits, dep, r))
		}
	}
	return merge(all...)
}

func (t *trace) retryOf(rule string, limits Retry, dep string, r int) finding {
	attempts, complete := t.attempts(dep, t.runs[r])
	who := ""
	if len(t.runs) > 1 {
		who = fmt.Sprintf(" in start %d", r+1)
	}
	count := len(attempts)
	if f := t.figures()[dep]; len(t.runs) == 1 && f.Attempts != nil {
		count, complete = max(count, *f.Attempts), true
	}
	var all []finding
	if limits.MaxAttempts > 0 && count > limits.MaxAttempts {
		show := attempts[min(len(attempts), limits.MaxAttempts):]
		show = append(slices.Clone(show[:min(len(show), 3)]), t.figuresAt(dep))
		all = append(all, t.violates(rule, "bound its retries and let them back off", show,
			"it tried %s %s%s (at most %d)", dep, times(count), who, limits.MaxAttempts))
	}
	rate, from := t.peakRate(attempts)
	if limits.MaxRate > 0 && float64(rate) > limits.MaxRate {
		all = append(all, t.violates(rule, "let its retries back off", attempts[from:from+min(rate, 3)],
			"it tried %s %s within one second from %s on%s (at most %s a second)", dep, times(rate), Millis(t.ms(attempts[from])), who, trim(limits.MaxRate, 3)))
	}
	switch {
	case len(all) > 0:
		return merge(all...)
	case !complete:
		return t.notes(rule, "not checked%s: refused attempts on %s could not be counted here; %s accepted", who, dep, wasWere(count))
	}
	return t.holds(rule, nil, "it tried %s %s%s, at most %s within one second", dep, times(count), who, times(rate))
}

// figuresAt returns the position of the runner's figures of dep, or -1.
func (t *trace) figuresAt(dep string) int {
	for _, i := range t.all(timeline.Dependency, 0, len(t.ev)) {
		if t.ev[i].Dependency == dep {
			return i
		}
	}
	return -1
}

func wasWere(n int) string {
	if n == 1 {
		return "1 was"
	}
	return fmt.Sprintf("%d were", n)
}

// attempts returns the attempts on dep in one incarnation, and whether they are all there were. Without the connect interceptor
// only accepted connections are seen: fewer than were tried, so enough to prove too many, not to prove few enough.
func (t *trace) attempts(dep string, r run) (at []int, complete bool) {
	var accepted []int
	for i := r.first; i < min(r.next, t.end); i++ {
		switch e := t.ev[i]; {
		case e.Dependency != dep:
		case e.Kind == timeline.Connect:
			at = append(at, i)
		case e.Kind == timeline.Accept:
			accepted = append(accepted, i)
		}
	}
	if t.first(timeline.Connect, 0, t.end) >= 0 {
		return at, true
	}
	return accepted, false
}

// peakRate returns the largest number of attempts within any one second and the index in at of the first of them.
func (t *trace) peakRate(at []int) (most, from int) {
	first := 0
	for i := range at {
		for t.ms(at[i])-t.ms(at[first]) >= 1000 {
			first++
		}
		if n := i - first + 1; n > most {
			most, from = n, first
		}
	}
	return most, from
}

// noLeakedConnections: when observation ends, no dependency has more open connections than allowed.
func (t *trace) noLeakedConnections() finding {
	const rule = "no_leaked_connections"
	limit := t.spec.Invariants.NoLeakedConnections.Max
	open := map[string]int{} // the event with the figure, by dependency
	for _, i := range t.all(timeline.Dependency, 0, len(t.ev)) {
		if _, ok := t.ev[i].Count["open_at_end"]; ok {
			open[t.ev[i].Dependency] = i
		}
	}
	var all []finding
	var words []string
	for _, dep := range slices.Sorted(maps.Keys(open)) {
		n := whole(t.ev[open[dep]].Count["open_at_end"])
		words = append(words, fmt.Sprintf("%s %d", dep, n))
		if n > limit {
			all = append(all, t.violates(rule, "close a connection that failed before opening the next", []int{open[dep]},
				"%s to %s were open when observation ended (at most %d)", plural(n, "connection"), dep, limit))
		}
	}
	switch {
	case len(all) > 0:
		return merge(all...)
	case len(open) == 0:
		return t.notes(rule, "not checked: open connections were not counted")
	}
	return t.holds(rule, nil, "open connections at the end: %s (at most %d)", strings.Join(words, ", "), limit)
}
