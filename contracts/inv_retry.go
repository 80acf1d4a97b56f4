package contracts

import (
	"fmt"
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// retry: the attempts on each faulted dependency are bounded, in number and in rate, for each incarnation by itself, and repeated in the
// manner that is asked for.
func (t *trace) retry() finding {
	const rule = "retry"
	limits := *t.spec.Invariants.Retry
	var all []finding
	for _, dep := range t.faultedNames() {
		if len(limits.On) > 0 && !slices.Contains(limits.On, dep) {
			continue
		}
		for r := range t.runs {
			if limits.MaxAttempts > 0 || limits.MaxRate > 0 {
				all = append(all, t.retryOf(rule, limits, dep, r))
			}
			if limits.manners() {
				all = append(all, t.mannersOf(rule, limits, dep, r))
			}
		}
	}
	if limits.Lockstep != nil && t.spec.Replicas < 2 {
		all = append(all, t.notes(rule, "not applicable: one instance alone is in step with nobody (service.replicas)"))
	}
	return merge(all...)
}

// manners reports whether r asks for more than a bound on the number and the rate of attempts.
func (r Retry) manners() bool {
	return r.Backoff != "" || r.Jitter || r.MaxParallel > 0 || r.MaxAmplification > 0 || r.GiveUpWithin > 0
}

// countElsewhere is what to do where attempts can't be seen.
const countElsewhere = "run it where connects can be intercepted (chaos doctor), or take a fault that accepts: reset, blackhole"

func (t *trace) retryOf(rule string, limits Retry, dep string, r int) finding {
	attempts, _ := t.attempts(dep, t.runs[r])
	who := ""
	if len(t.runs) > 1 {
		who = fmt.Sprintf(" in start %d", r+1)
	}
	count := len(attempts)
	if f := t.figures()[dep]; len(t.runs) == 1 && f.Attempts != nil {
		count = max(count, *f.Attempts)
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
	again := t.deniedAgain(dep, t.runs[r])
	most, _ := t.peakRate(slices.Sorted(slices.Values(slices.Concat(attempts, again))))
	switch {
	case len(all) > 0:
		return merge(all...)
	case t.truncated(dep) && (len(t.runs) > 1 || limits.MaxRate > 0):
		return t.undecided(rule, fewerAttempts, []int{t.figuresAt(dep)}, "only the first of its attempts on %s are told one by one: those%s are not known", dep, who)
	case t.unseen(dep):
		return t.undecided(rule, countElsewhere, nil,
			"attempts on %s%s that are refused by the kernel can't be counted without the connect interceptor; %s accepted", dep, who, wasWere(count))
	case len(again) > 0 && (limits.MaxAttempts > 0 && count+len(again) > limits.MaxAttempts || limits.MaxRate > 0 && float64(most) > limits.MaxRate):
		return t.undecided(rule, ownRequests, again[:min(len(again), 3)],
			"it tried %s %s%s, and its requests were turned down on open connections %s more, together up to %s within one second: too many if those are retries",
			dep, times(count), who, times(len(again)), times(most))
	}
	if len(again) > 0 {
		return t.holds(rule, nil, "it tried %s %s%s, and its requests were turned down on open connections %s more: together at most %s within one second",
			dep, times(count), who, times(len(again)), times(most))
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

// fewerAttempts is what to do where there were more attempts than a timeline holds.
const fewerAttempts = "let the fault last for a shorter time, or ask for max_attempts alone"

// truncated reports whether there were more attempts on dep than the timeline tells of.
func (t *trace) truncated(dep string) bool {
	f := t.figures()[dep]
	told := 0
	for _, r := range t.runs {
		at, _ := t.attempts(dep, r)
		told += len(at)
	}
	if f.Attempts != nil {
		return told >= maxAttemptTimes && *f.Attempts > told
	}
	return told >= maxAttemptTimes && f.Accepted > told
}

// ownRequests is what to do where a fault answers requests on open connections: they may be retries, or what a health check asked for.
const ownRequests = "raise the limit by what its health check asks for, or take a fault that ends connections: reset, refuse, cut"

// deniedAgain returns the requests of one incarnation that a fault on dep answered by itself on a connection that stayed open, but for the first on a
// connection that was opened under the fault: that one belongs to the attempt to connect. Retries are among them, and what a health check asks for.
func (t *trace) deniedAgain(dep string, r run) []int {
	accepted, _ := t.connections(dep)
	opened := map[int]float64{}
	for _, i := range accepted {
		opened[t.ev[i].Connection] = t.ms(i)
	}
	var out []int
	for i := r.first; i < min(r.next, t.end); i++ {
		e := t.ev[i]
		if e.Kind != timeline.Denied || e.Dependency != dep {
			continue
		}
		if at, ok := opened[e.Connection]; ok && t.faultOn(dep, at, at+armingMS) {
			delete(opened, e.Connection)
			continue
		}
		out = append(out, i)
	}
	return out
}

// attempts returns the attempts on dep in one incarnation, and whether they are all there were, whatever the fault. Without the connect interceptor
// only accepted connections are seen: under a fault that lets none be accepted (see unseen) enough to prove too many, not to prove few enough.
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
