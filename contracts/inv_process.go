package contracts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// The values of Source in the events about the service's processes.
const (
	usageReady   = "ready"
	usageEnd     = "end"
	usageMissing = "process"
)

// noLeakedFDs: when observation ends, few more descriptors are open than the service needs, which the control trial shows, or the
// moment when it claimed to be ready.
func (t *trace) noLeakedFDs() finding {
	const rule = "no_leaked_fds"
	limit := t.spec.Invariants.NoLeakedFDs.Growth
	end := t.usageAt(usageEnd, "fds")
	if end < 0 {
		return t.notLookedAt(rule, "descriptors")
	}
	base, than := t.reference("fds", "fds")
	if base < 0 {
		return t.incomparable(rule, "descriptors")
	}
	now, was := whole(t.ev[end].Count["fds"]), whole(t.ev[base].Count["fds"])
	if now-was > limit {
		return t.violates(rule, "close whatever a failed attempt has opened before the next one", []int{base, end},
			"%s were open when observation ended, %d more than %s (at most %d more)%s", plural(now, "descriptor"), now-was, than, limit, t.grown(base, end))
	}
	return t.holds(rule, []int{base, end}, "%s were open when observation ended, and %d %s (at most %d more)", plural(now, "descriptor"), was, than, limit)
}

// grown names what there is more of at ev[end] than at ev[base], the largest difference first: ": 12 more sockets to redis ...".
func (t *trace) grown(base, end int) string {
	was, now := t.ev[base].Count, t.ev[end].Count
	type growth struct {
		what string
		by   int
	}
	var all []growth
	for _, key := range slices.Sorted(maps.Keys(now)) {
		what := descriptors(key)
		by := whole(now[key]) - whole(was[key])
		if what == "" || by <= 0 {
			continue
		}
		if dep, to := strings.CutPrefix(key, "sockets_to."); to {
			if shut := whole(now["close_wait."+dep]) - whole(was["close_wait."+dep]); shut > 0 {
				what += fmt.Sprintf(" (%d of them closed by the other side only: CLOSE_WAIT)", min(shut, by))
			}
		}
		all = append(all, growth{what, by})
	}
	slices.SortStableFunc(all, func(a, b growth) int { return b.by - a.by })
	var words []string
	for _, g := range all {
		words = append(words, trim(float64(g.by), 0)+" more "+g.what)
	}
	if len(words) == 0 {
		return ""
	}
	return ": " + list(words)
}

// descriptors names a kind of descriptor by its key in the count of a timeline.Process event; "" for what is none.
func descriptors(key string) string {
	if dep, ok := strings.CutPrefix(key, "sockets_to."); ok {
		return "sockets to " + dep
	}
	return map[string]string{
		"files": "files", "pipes": "pipes", "fds_other": "of other kinds", "sockets_accepted": "accepted sockets",
		"sockets_listening": "listening sockets", "sockets_other": "other sockets",
	}[key]
}

// memory: the resident set stays below its bounds.
func (t *trace) memory() finding {
	const rule = "memory"
	const next = "bound what it keeps while it waits: buffers, queues and what each attempt allocates"
	limits := *t.spec.Invariants.Memory
	peak := t.peakOf("max_rss_bytes", 0)
	if peak < 0 {
		return t.notLookedAt(rule, "memory")
	}
	most := Size(t.ev[peak].Count["max_rss_bytes"])
	all := []finding{t.partlyLookedAt(rule, "memory")}
	switch {
	case limits.Max > 0 && most > limits.Max:
		all = append(all, t.violates(rule, next, []int{peak}, "its resident set was %s large (at most %s)", most, limits.Max))
	case limits.Max > 0:
		all = append(all, t.holds(rule, []int{peak}, "its resident set was never seen larger than %s (at most %s)", most, limits.Max))
	}
	if limits.Growth > 0 {
		all = append(all, t.growth(rule, next, "max_rss_bytes", "rss_bytes", float64(limits.Growth), func(v float64) string { return Size(v).String() }))
	}
	return merge(all...)
}

// threads: there are never more threads than allowed.
func (t *trace) threads() finding {
	const rule = "threads"
	const next = "bound how much it does at a time: what blocks in the kernel takes a thread"
	limits := *t.spec.Invariants.Threads
	peak := t.peakOf("threads", 0)
	if peak < 0 {
		return t.notLookedAt(rule, "threads")
	}
	most := whole(t.ev[peak].Count["threads"])
	all := []finding{t.partlyLookedAt(rule, "threads")}
	switch {
	case limits.Max > 0 && most > limits.Max:
		all = append(all, t.violates(rule, next, []int{peak}, "it had %s at %s (at most %d)", plural(most, "thread"), Millis(t.ms(peak)), limits.Max))
	case limits.Max > 0:
		all = append(all, t.holds(rule, []int{peak}, "it was never seen with more than %s (at most %d)", plural(most, "thread"), limits.Max))
	}
	if limits.Growth > 0 {
		all = append(all, t.growth(rule, next, "threads", "threads", float64(limits.Growth), func(v float64) string { return plural(int(v), "thread") }))
	}
	return merge(all...)
}

// growth compares the most that there ever was of key with the control trial's most; without a control, the most there was of
// sinceReady after the claim to be ready with what there was then.
func (t *trace) growth(rule, next, key, sinceReady string, limit float64, words func(float64) string) finding {
	base, than := t.reference(key, sinceReady)
	if base < 0 {
		return t.incomparable(rule, rule)
	}
	from := 0
	if t.ev[base].Kind != timeline.Control {
		key, from = sinceReady, base
	}
	peak := t.peakOf(key, from)
	most, was := t.ev[peak].Count[key], t.ev[base].Count[key]
	if most-was > limit {
		return t.violates(rule, next, []int{base, peak}, "it had %s at %s, %s more than %s (at most %s more)",
			words(most), Millis(t.ms(peak)), words(most-was), than, words(limit))
	}
	return t.holds(rule, []int{base, peak}, "it had %s at most, and %s %s (at most %s more)", words(most), words(was), than, words(limit))
}

// reference returns the position of what a figure is compared with, and words for it: the control's key, or what there was of
// sinceReady at the last claim to be ready; -1 without either.
func (t *trace) reference(key, sinceReady string) (int, string) {
	for _, i := range t.all(timeline.Control, 0, len(t.ev)) {
		if _, has := t.ev[i].Count[key]; has {
			return i, "in the control trial"
		}
	}
	return t.usageAt(usageReady, sinceReady), "when it claimed to be ready"
}

// usageAt returns the position of the last figures of one source that have key, or -1.
func (t *trace) usageAt(source, key string) int {
	for _, i := range slices.Backward(t.all(timeline.Process, 0, len(t.ev))) {
		if _, has := t.ev[i].Count[key]; has && t.ev[i].Source == source {
			return i
		}
	}
	return -1
}

// peakOf returns the position of the largest figure of key in ev[from:], or -1.
func (t *trace) peakOf(key string, from int) int {
	peak := -1
	for _, i := range t.all(timeline.Process, from, len(t.ev)) {
		if v, has := t.ev[i].Count[key]; has && (peak < 0 || v > t.ev[peak].Count[key]) {
			peak = i
		}
	}
	return peak
}

// unreadable returns the position of the event that says that figures of the processes could not be read, or -1.
func (t *trace) unreadable() int {
	for _, i := range t.all(timeline.MissingEvidence, 0, len(t.ev)) {
		if t.ev[i].Source == usageMissing {
			return i
		}
	}
	return -1
}

// notLookedAt says why there are no figures. A service that was gone, or on its way, has none: that is no gap in the evidence.
func (t *trace) notLookedAt(rule, what string) finding {
	switch at := t.unreadable(); {
	case at >= 0:
		return t.undecided(rule, "run it on Linux, as a user who may read /proc of the service", []int{at}, "its %s could not be read: %s", what, quote(t.ev[at].Text))
	case t.lastRun().exit >= 0:
		return t.notes(rule, "not checked: it was gone before anybody looked at its %s", what)
	case t.asked() >= 0:
		return t.notes(rule, "not checked: it was asked to stop before anybody looked at its %s", what)
	}
	return t.undecided(rule, "run it again", nil, "nobody looked at its %s", what)
}

// partlyLookedAt keeps a rule open when some of the figures could not be read: more may have been there.
func (t *trace) partlyLookedAt(rule, what string) finding {
	if t.unreadable() >= 0 {
		return t.notLookedAt(rule, what)
	}
	return finding{state: Held}
}

// incomparable says that there is nothing to compare a figure with.
func (t *trace) incomparable(rule, what string) finding {
	if t.unreadable() >= 0 || len(t.spec.Faults) > 0 {
		return t.undecided(rule, "see why the control trial has no figures", nil, "its %s can't be compared: neither a control trial nor a claim to be ready shows any", what)
	}
	return t.notes(rule, "not checked: it was never ready, and there is no control trial to compare its %s with", what)
}

// Baseline returns the figures of a control trial that others are compared with: those at its end, the largest resident set and the
// most threads that it ever had. It is empty when nothing was looked at.
func Baseline(events []timeline.Event) map[string]float64 {
	first, _ := starts(events)
	t := newTrace(Spec{}, first)
	out := map[string]float64{}
	if end := t.usageAt(usageEnd, "fds"); end >= 0 {
		maps.Copy(out, t.ev[end].Count)
	}
	for _, key := range []string{"max_rss_bytes", "threads"} {
		if peak := t.peakOf(key, 0); peak >= 0 {
			out[key] = t.ev[peak].Count[key]
		}
	}
	return out
}
