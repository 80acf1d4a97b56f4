package bench

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// missing stands where there is no figure.
const missing = "-"

// figures are what one turn of one peer gave, by name.
type figures map[string]float64

// String lists the figures by name.
func (f figures) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, name+"="+number(f[name]))
	}
	return strings.Join(parts, " ")
}

// results are the figures of all peers, by round. A peer without any is not installed.
type results struct {
	peers  []string
	rounds map[string][]figures
	best   bool // the best round of each counts, and not the middle one
}

// median returns the middle of a peer's figures of all rounds; NaN if it has none.
func (r results) median(peer, name string) float64 {
	var all []float64
	for _, f := range r.rounds[peer] {
		if v, ok := f[name]; ok {
			all = append(all, v)
		}
	}
	if r.best && len(all) > 0 {
		if strings.HasPrefix(name, "rate") {
			return slices.Max(all)
		}
		return slices.Min(all)
	}
	return quantile(all, 0.5)
}

// how says what the figures are of the rounds.
func (r results) how() string {
	most := 0
	for _, all := range r.rounds {
		most = max(most, len(all))
	}
	if r.best {
		return fmt.Sprintf("The best of %d rounds each.", most)
	}
	return fmt.Sprintf("Medians of %d rounds.", most)
}

// ratio returns the middle of the ratios to another peer's figure of the same round.
func (r results) ratio(peer, to, name string) float64 {
	if r.best {
		return r.median(peer, name) / r.median(to, name)
	}
	var all []float64
	for i, f := range r.rounds[peer] {
		if i < len(r.rounds[to]) {
			all = append(all, f[name]/r.rounds[to][i][name])
		}
	}
	return quantile(all, 0.5)
}

// added returns the middle of what a peer's figure is more than the direct one of the same round.
func (r results) added(peer, name string) float64 {
	if r.best {
		return r.median(peer, name) - r.median("direct", name)
	}
	var all []float64
	for i, f := range r.rounds[peer] {
		if i < len(r.rounds["direct"]) {
			all = append(all, f[name]-r.rounds["direct"][i][name])
		}
	}
	return quantile(all, 0.5)
}

// quantile returns the value below which that share of all lies; NaN if there are none.
func quantile(all []float64, share float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(all))
	if share == 0.5 && len(sorted)%2 == 0 {
		return (sorted[len(sorted)/2-1] + sorted[len(sorted)/2]) / 2
	}
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// number writes a figure with four digits, or what stands for none.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return missing
	case a >= 1000 || v == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(v, 'f', max(0, min(4, 3-int(math.Floor(math.Log10(a))))), 64)
	}
}

// times writes a ratio.
func times(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return missing
	}
	return fmt.Sprintf("%.2fx", v)
}

// table is what is printed: a row's first cell is its name.
type table struct {
	head  []string
	rows  [][]string
	notes string // sentences below it
	how   string // rounds became figures
}

// column is one column of a table with a row for each peer.
type column struct {
	head string
	cell func(r results, peer string) string
}

// plain is the column of the medians of a figure.
func plain(head, name string) column {
	return column{head, func(r results, peer string) string { return number(r.median(peer, name)) }}
}

// versus is the column of the ratios to another peer.
func versus(to, name string) column {
	return column{"of " + to, func(r results, peer string) string { return times(r.ratio(peer, to, name)) }}
}

// more is the column of what is added to the direct figure, and beyond the column of its ratio to HAProxy's.
func more(head, name string) []column {
	return []column{
		{head, func(r results, peer string) string {
			if peer == "direct" {
				return "(" + number(r.median(peer, name)) + ")"
			}
			return number(r.added(peer, name))
		}},
		{"of haproxy", func(r results, peer string) string {
			if peer == "direct" {
				return ""
			}
			theirs := r.added("haproxy", name)
			if theirs <= 0 {
				return missing // the machine was too busy to see it
			}
			return times(r.added(peer, name) / theirs)
		}},
	}
}

// tabulate makes the table of the columns. Those that compare with a peer that was not asked for are left out.
func tabulate(r results, columns ...column) table {
	made := table{head: []string{""}, how: r.how()}
	kept := slices.DeleteFunc(columns, func(c column) bool {
		to, compares := strings.CutPrefix(c.head, "of ")
		return compares && !slices.Contains(r.peers, to)
	})
	for _, c := range kept {
		made.head = append(made.head, c.head)
	}
	for _, peer := range r.peers {
		row := []string{peer}
		for _, c := range kept {
			cell := "not installed"
			if len(r.rounds[peer]) > 0 {
				cell = c.cell(r, peer)
			}
			row = append(row, cell)
		}
		made.rows = append(made.rows, row)
	}
	return made
}

// markdown writes the table as docs/performance.md has it.
func (m table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(m.head)
	b.WriteString("|---|" + strings.Repeat("---:|", len(m.head)-1) + "\n")
	for _, row := range m.rows {
		line(row)
	}
	b.WriteString("\n" + strings.TrimSpace(m.how+" "+m.notes) + "\n")
	return b.String()
}
