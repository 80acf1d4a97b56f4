package experiments

import (
	"slices"
	"strings"
	"unicode"
)

// nearest returns the known name that was probably meant by got, or "" when none is near. Case, '-' and '_' count little.
func nearest(got string, known []string) string {
	best, bestDistance := "", 1<<30
	folded := fold(got)
	for _, k := range known {
		d := 2 * distance(folded, fold(k))
		if !strings.EqualFold(got, k) {
			d++
		}
		if d < bestDistance || d == bestDistance && nearerInLength(folded, k, best) {
			best, bestDistance = k, d
		}
	}
	if bestDistance > 3 { // more than a slip of a finger: perhaps the beginning of a name
		if begun := beginning(folded, known); begun != "" {
			return begun
		}
	}
	limit := max(len([]rune(got)), len([]rune(best)))/3 + 1
	if bestDistance/2 <= limit && (bestDistance/2 < len([]rune(folded)) || folded == "") && got != "" {
		return best
	}
	return containing(folded, known)
}

// nearerInLength decides between two names at the same distance: a swapped letter is likelier than a lost one.
func nearerInLength(folded, a, b string) bool {
	gap := func(name string) int {
		d := len(fold(name)) - len(folded)
		return max(d, -d)
	}
	if gap(a) != gap(b) {
		return gap(a) < gap(b)
	}
	return a < b
}

// beginning finds the one known name that begins with got.
func beginning(folded string, known []string) string {
	found := ""
	for _, k := range known {
		if len(folded) >= 3 && strings.HasPrefix(fold(k), folded) {
			if found != "" {
				return ""
			}
			found = k
		}
	}
	return found
}

// containing finds the one known name that has got as a part, or is a part of it: "timeout_ms" means "timeout".
func containing(folded string, known []string) string {
	if len(folded) < 3 {
		return ""
	}
	var found []string
	for _, k := range known {
		f := fold(k)
		if len(f) >= 3 && (strings.Contains(f, folded) || strings.Contains(folded, f)) {
			found = append(found, k)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return ""
}

// didYouMean words the nearest name as a question, or returns "".
func didYouMean(got string, known []string) string {
	if n := nearest(got, known); n != "" {
		return "did you mean `" + n + "`?"
	}
	return ""
}

// oneOf lists names for Expected, sorted as given.
func oneOf(names []string) string {
	if len(names) == 1 {
		return "`" + names[0] + "`"
	}
	return "one of " + strings.Join(names, ", ")
}

// fold takes away what people vary when they write a name.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// distance is the Damerau-Levenshtein distance (optimal string alignment: a swap of neighbours counts once).
// https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 { // names are short; do not spend time on a pasted paragraph
		return max(len(s), len(t))
	}
	var before []int
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(s); i++ {
		next := make([]int, len(t)+1)
		next[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(t)]
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
