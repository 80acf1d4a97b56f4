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

// tried is how often a dependency was tried in one incarnation.
type tried struct {
	at, again []int // the attempts, and the requests that a fault turned down on open connections besides
	count     int   // of the attempts, also of those that the timeline does not tell one by one
	own       int   // of them, certainly the service's own doing
	all       int   // the most within one second, with the requests that were turned down
	ownRate   int   // the most within one second that are certainly its own
	during    []int // the attempts within that second
}

func (t *trace) triedIn(dep string, r run) tried {
	var out tried
	out.at, _ = t.attempts(dep, r)
	out.again = t.deniedAgain(dep, r)
	out.count, out.own = t.counted(dep, out.at)
	out.all = t.peakRate(slices.Sorted(slices.Values(slices.Concat(out.at, out.again))))
	out.ownRate, out.during = t.ownRate(out.at)
	return out
}

// counted returns how many attempts on dep there were where the timeline tells of those at ev[at...], and how many of them are certainly the service's own.
func (t *trace) counted(dep string, at []int) (count, own int) {
	count = len(at)
	if f := t.figures()[dep]; len(t.runs) == 1 && f.Attempts != nil {
		count = max(count, *f.Attempts)
	}
	if n := t.byAnything(at); n > 0 {
		return count, len(at) - n
	}
	return count, count
}

// words completes "it tried redis ".
func (n tried) words(who string) string {
	text := times(n.count) + who
	if asked := n.count - n.own; asked > 0 {
		text += fmt.Sprintf(", %d of them while chaos asked something of it (proofs, load, its ready probe)", asked)
	}
	if len(n.again) > 0 {
		text += ", and its requests were turned down on open connections " + times(len(n.again)) + " more"
	}
	return text
}

func (t *trace) retryOf(rule string, limits Retry, dep string, r int) finding {
	who := ""
	if len(t.runs) > 1 {
		who = fmt.Sprintf(" in start %d", r+1)
	}
	n := t.triedIn(dep, t.runs[r])
	var all []finding
	if limits.MaxAttempts > 0 && n.own > limits.MaxAttempts {
		show := n.at[min(len(n.at), limits.MaxAttempts):]
		show = append(slices.Clone(show[:min(len(show), 3)]), t.figuresAt(dep))
		all = append(all, t.violates(rule, "bound its retries and let them back off", show,
			"it tried %s %s (at most %d)", dep, n.words(who), limits.MaxAttempts))
	}
	if limits.MaxRate > 0 && float64(n.ownRate) > limits.MaxRate {
		all = append(all, t.violates(rule, "let its retries back off", n.during[:min(n.ownRate, 3)],
			"it tried %s %s within one second from %s on%s (at most %s a second)", dep, times(n.ownRate), Millis(t.ms(n.during[0])), who, trim(limits.MaxRate, 3)))
	}
	beyond := limits.MaxAttempts > 0 && n.count+len(n.again) > limits.MaxAttempts || limits.MaxRate > 0 && float64(n.all) > limits.MaxRate
	switch {
	case len(all) > 0:
		return merge(all...)
	case t.truncated(dep) && (len(t.runs) > 1 || limits.MaxRate > 0):
		return t.undecided(rule, fewerAttempts, []int{t.figuresAt(dep)}, "only the first of its attempts on %s are told one by one: those%s are not known", dep, who)
	case t.unseen(dep):
		return t.undecided(rule, countElsewhere, nil,
			"attempts on %s%s that are refused by the kernel can't be counted without the connect interceptor; %s accepted", dep, who, wasWere(n.count))
	case beyond:
		return t.undecided(rule, ownRequests, slices.Concat(n.again[:min(len(n.again), 3)], n.at[:min(len(n.at), 3)]),
			"it tried %s %s: together up to %s within one second, which is too much if those were retries", dep, n.words(who), times(n.all))
	}
	return t.holds(rule, nil, "it tried %s %s: at most %s within one second", dep, n.words(who), times(n.all))
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

// ownRequests is what to do where attempts may be retries, or what a health check, a proof or the load made the service do.
const ownRequests = "raise the limit by what proofs, load and its ready probe make the service do, or judge retry where the fault is over before it claims to be ready"

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

// peakRate returns the largest number of attempts within any one second.
func (t *trace) peakRate(at []int) (most int) {
	first := 0
	for i := range at {
		for t.ms(at[i])-t.ms(at[first]) >= 1000 {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
