package contracts

import (
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// logNever: no line of the service's log matches any of the patterns. Lines that match are never left out of a timeline.
func (t *trace) logNever() finding {
	const rule = "log_never"
	var all []finding
	for _, pattern := range t.spec.Invariants.LogNever {
		matches, err := matcher(pattern)
		if err != nil {
			all = append(all, t.notes(rule, "not checked: %v", err))
			continue
		}
		var hits []int
		for _, i := range t.all(timeline.Log, 0, len(t.ev)) {
			if matches(t.ev[i].Text) || slices.Contains(t.ev[i].Matched, pattern) {
				hits = append(hits, i)
			}
		}
		if len(hits) > 0 {
			all = append(all, t.violates(rule, "", hits[:min(len(hits), 5)], "it logged what it must never log (/%s/), %s; first at %s: %s",
				pattern, times(len(hits)), Millis(t.ms(hits[0])), quote(t.ev[hits[0]].Text)))
		}
	}
	if len(all) > 0 {
		return merge(all...)
	}
	return t.holds(rule, nil, "no log line matches /%s/", strings.Join(t.spec.Invariants.LogNever, "/, /"))
}
