package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
)

// The widest that the columns of names and of notes get.
const (
	maxName = 64
	maxNote = 60
)

// row is a line of the summary table.
type row struct {
	name, verdict, passed, time, note string
	colour                            contracts.Verdict
}

func (p *printer) table(r *Report) {
	rows := tableRows(r)
	if len(rows) == 0 {
		return
	}
	width := map[string]int{"name": len("experiment"), "verdict": len("verdict"), "passed": len("passed"), "time": len("time")}
	for _, x := range rows {
		for column, text := range map[string]string{"name": x.name, "verdict": x.verdict, "passed": x.passed, "time": x.time} {
			width[column] = max(width[column], len([]rune(text)))
		}
	}
	pad := func(text, column string) string {
		return text + strings.Repeat(" ", max(0, width[column]-len([]rune(text))))
	}
	p.line("%s", p.style.paint(dim, strings.Join([]string{pad("experiment", "name"), pad("verdict", "verdict"), pad("passed", "passed"), pad("time", "time"), "note"}, "  ")))
	for _, x := range rows {
		p.line("%s  %s  %s  %s  %s", pad(x.name, "name"), p.style.verdict(x.colour, pad(x.verdict, "verdict")), pad(x.passed, "passed"), pad(x.time, "time"), x.note)
	}
	p.line("")
}

// tableRows has the controls that did not pass, then every experiment; below one with a matrix, its cells that did not pass.
func tableRows(r *Report) []row {
	var rows []row
	byCell := map[string][]Trial{}
	for _, t := range r.Trials {
		if t.Control {
			if t.Verdict != contracts.Pass {
				rows = append(rows, newRow(oneLine(t.Title), t.Verdict, Counts{Trials: 1, Fail: 1}, []Trial{t}))
			}
			continue
		}
		byCell[t.Experiment] = append(byCell[t.Experiment], t)
		if key := cellKey(t.Cell); key != "" {
			byCell[t.Experiment+"\x00"+key] = append(byCell[t.Experiment+"\x00"+key], t)
		}
	}
	for _, e := range r.Experiments {
		x := newRow(oneLine(e.Name), e.Verdict, e.Counts, byCell[e.Name])
		if e.Verdict == contracts.Unstable && e.AllowUnstable {
			x.note = strings.TrimSuffix("allowed to be; "+x.note, "; ")
			x.colour = contracts.Pass
		}
		rows = append(rows, x)
		if len(e.Cells) < 2 || x.note == "control" { // the control's own row tells it
			continue
		}
		for _, c := range e.Cells {
			if c.Verdict != contracts.Pass {
				key := cellKey(c.Cell)
				rows = append(rows, newRow("  "+oneLine(key), c.Verdict, c.Counts, byCell[e.Name+"\x00"+key]))
			}
		}
	}
	return rows
}

func newRow(name string, v contracts.Verdict, c Counts, trials []Trial) row {
	return row{
		name: cut(name, maxName), verdict: word(v), colour: v, passed: fmt.Sprintf("%d of %d", c.Pass, c.Trials),
		time: timeOf(trials), note: cut(noteOf(v, c, trials), maxNote),
	}
}

// timeOf says what the trials' services did and when: "ready at 812ms", "exit 3 at 1.2s", a range for several, counts where they differ.
func timeOf(trials []Trial) string {
	byWhat := map[string][]float64{}
	var order []string
	for _, t := range trials {
		what, at := doing(t.Outcome)
		if what == "" {
			continue
		}
		if _, known := byWhat[what]; !known {
			order = append(order, what)
		}
		byWhat[what] = append(byWhat[what], at)
	}
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(len(byWhat[b]), len(byWhat[a])) })
	var parts []string
	for i, what := range order {
		if i == 3 {
			parts = append(parts, "...")
			break
		}
		if len(order) > 1 {
			parts = append(parts, fmt.Sprintf("%dx %s", len(byWhat[what]), what))
			continue
		}
		lo, hi := contracts.Millis(slices.Min(byWhat[what])), contracts.Millis(slices.Max(byWhat[what]))
		if lo != hi {
			hi = lo + ".." + hi
		}
		parts = append(parts, what+" at "+hi)
	}
	return strings.Join(parts, ", ")
}

func doing(o contracts.Outcome) (string, float64) {
	switch o.Class {
	case contracts.Exited:
		if o.Signal != "" {
			return "ended by " + o.Signal, o.AtMS
		}
		if o.ExitCode != nil {
			return fmt.Sprintf("exit %d", *o.ExitCode), o.AtMS
		}
		return "exit", o.AtMS
	case contracts.FalseReady:
		return "false ready", o.AtMS
	case contracts.Unknown, "":
		return "", 0
	}
	return string(o.Class), o.AtMS
}

// noteOf names the rules behind a verdict that is not pass; of an unstable one, also the interval.
func noteOf(v contracts.Verdict, c Counts, trials []Trial) string {
	var notes []string
	if v == contracts.Unstable {
		notes = append(notes, fmt.Sprintf("95%% interval %.0f%%..%.0f%%", 100*c.Wilson95[0], 100*c.Wilson95[1]))
	}
	if v == contracts.Pass {
		return ""
	}
	var rules []string
	for _, t := range trials {
		for _, r := range deciding(t) {
			if !slices.Contains(rules, r.Rule) {
				rules = append(rules, r.Rule)
			}
		}
	}
	if len(rules) > 0 {
		notes = append(notes, strings.Join(rules, ", "))
	}
	return strings.Join(notes, "; ")
}

// deciding returns the reasons that decide a verdict which is not pass: those of the state of the first.
func deciding(t Trial) []contracts.Reason {
	if t.Verdict == contracts.Pass {
		return nil
	}
	wanted := contracts.Undecided
	if t.Verdict == contracts.Fail {
		wanted = contracts.Violated
	}
	var out []contracts.Reason
	for _, r := range t.Reasons {
		if r.State == wanted {
			out = append(out, r)
		}
	}
	return out
}
