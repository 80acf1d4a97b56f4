package contracts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

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
