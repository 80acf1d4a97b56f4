package faults

import "strings"

// nearestKind is nearest for kinds; it also knows what other tools call them.
func nearestKind(got string) string {
	switch strings.ToLower(strings.ReplaceAll(got, "-", "_")) {
	case "reset_peer", "rst":
		return "reset"
	case "down", "kill":
		return "cut"
	case "drop", "partition", "freeze":
		return "blackhole"
	case "delay", "slow", "lag":
		return "latency"
	case "fin":
		return "accept_close"
	}
	return nearest(got, names())
}

// nearest returns the known name that got was probably meant to be, or nothing when none is near enough to be of help.
func nearest(got string, known []string) string {
	const longest = 64 // a longer text is no misspelt name, and comparing it is wasted time
	if got == "" || len(got) > longest {
		return ""
	}
	got = strings.ToLower(strings.ReplaceAll(got, "-", "_"))
	best, fewest := "", 2+len(got)/3
	for _, name := range known {
		if n := edits(got, strings.ToLower(name)); n < fewest && n < len(got) {
			best, fewest = name, n
		}
	}
	if best != "" || len(got) < 2 {
		return best
	}
	for _, name := range known { // "up" is short for upstream, "timeout_ms" is timeout
		if lower := strings.ToLower(name); strings.HasPrefix(lower, got) || strings.HasPrefix(got, lower) {
			return name
		}
	}
	return ""
}

// edits counts the insertions, deletions and replacements between two texts, a swap of neighbours being one (optimal string alignment).
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
