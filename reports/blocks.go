package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// block is one thing that did not pass, told once: the trial that shows it, the trials that show the same, and the experiments
// that mean nothing because of it.
type block struct {
	trial        Trial
	same         []Trial // the same experiment, cell and rules, or the same failure of the harness
	consequences []Trial // inconclusive because this control did not pass
	experiment   Experiment
}

// blocks groups what did not pass, controls first: a root cause hides its consequences.
func blocks(r *Report) []*block {
	var out []*block
	byKey, experiments := map[string]*block{}, map[string]Experiment{}
	for _, e := range r.Experiments {
		experiments[e.Name] = e
	}
	for _, controls := range []bool{true, false} {
		for _, t := range r.Trials {
			if t.Verdict == contracts.Pass || t.Control != controls {
				continue
			}
			if cause := causeOf(t, byKey); cause != nil {
				cause.consequences = append(cause.consequences, t)
				continue
			}
			key := blockKey(t)
			if b := byKey[key]; b != nil {
				b.same = append(b.same, t)
				continue
			}
			b := &block{trial: t}
			if !t.Control {
				b.experiment = experiments[t.Experiment]
			}
			out, byKey[key] = append(out, b), b
			if first := "control\x00" + t.Start; t.Control && byKey[first] == nil {
				byKey[first] = b
			}
		}
	}
	return out
}

// causeOf returns the block of the control that made t inconclusive, or nil.
func causeOf(t Trial, byKey map[string]*block) *block {
	if t.Control || len(t.Reasons) != 1 || t.Reasons[0].Rule != "control" {
		return nil
	}
	return byKey["control\x00"+t.Start]
}

// blockKey is the same for trials that need to be told only once.
func blockKey(t Trial) string {
	parts := []string{string(t.Verdict)}
	for _, r := range deciding(t) {
		switch r.Rule {
		case "harness", "not_started", "interrupted":
			text := r.Text
			if r.Rule == "interrupted" {
				text = "" // it holds a time
			}
			return strings.Join([]string{string(t.Verdict), r.Rule, text}, "\x00")
		}
		if !slices.Contains(parts, r.Rule) {
			parts = append(parts, r.Rule)
		}
	}
	if t.Control {
		return strings.Join(append(parts, "control", t.Start), "\x00")
	}
	return strings.Join(append(parts, t.Experiment, cellKey(t.Cell)), "\x00")
}

const (
	maxNamed   = 6 // titles that a list names before it counts
	maxReasons = 8
)

func (p *printer) block(b *block) {
	t := b.trial
	p.line("%s  %s%s", p.style.verdict(t.Verdict, word(t.Verdict)), p.style.paint(bold, oneLine(t.Title)), b.stability())
	shown := told(t)
	for i, r := range shown {
		if i == maxReasons {
			p.line("  %-8s(and %d more; the JSON report has them all)", "", len(shown)-i)
			break
		}
		label := "why"
		if i > 0 {
			label = ""
		}
		p.line("  %-8s%s: %s", label, r.Rule, oneLine(r.Text))
	}
	p.retries(t, "  retries ")
	p.slice(t)
	for i, next := range nexts(shown) {
		label := "do"
		if i > 0 {
			label = ""
		}
		p.line("  %-8s%s", label, oneLine(next))
	}
	if text := processWords(t.Process); text != "" && p.style.Verbose {
		p.line("  %-8s%s", "process", text)
	}
	if t.Replay != "" {
		p.line("  %-8s%s", "replay", oneLine(t.Replay))
	}
	if len(b.same) > 0 {
		p.line("  %-8s%s", "same in", titles(b.same))
	}
	if n := len(b.consequences); n > 0 {
		p.line("  %-8s%s inconclusive because of it: %s", "so", verb(n), titles(b.consequences))
	}
	p.line("")
}

// stability tells of an unstable experiment how often its trials passed: this one did not.
func (b *block) stability() string {
	e := b.experiment
	if e.Verdict != contracts.Unstable {
		return ""
	}
	text := fmt.Sprintf("  (unstable: %d of %d passed", e.Pass, e.Trials)
	if e.AllowUnstable {
		text += ", which this experiment allows"
	}
	return text + ")"
}

func verb(n int) string {
	if n == 1 {
		return "1 trial is"
	}
	return fmt.Sprintf("%d trials are", n)
}

// told returns the reasons to show: those that decide first, then what else was violated or could not be decided. What held, and
// notes about what was not checked, are in the JSON report.
func told(t Trial) []contracts.Reason {
	out := deciding(t)
	first := len(out)
	for _, r := range t.Reasons {
		known := slices.ContainsFunc(out[:first], func(o contracts.Reason) bool { return o.Rule == r.Rule && o.Text == r.Text })
		if !known && r.State != contracts.Held && r.State != contracts.Note {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		out = append(out, t.Reasons...)
	}
	return out
}

func nexts(reasons []contracts.Reason) []string {
	var out []string
	for _, r := range reasons {
		if r.Next != "" && !slices.Contains(out, r.Next) {
			out = append(out, r.Next)
		}
	}
	return out
}

// titles lists trials, and only counts them beyond a few.
func titles(trials []Trial) string {
	var names []string
	for i, t := range trials {
		if i == maxNamed {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(trials)-i)
		}
		names = append(names, oneLine(t.Title))
	}
	return strings.Join(names, ", ")
}

// maxWords is the widest that an event gets in a slice.
const maxWords = 150

// slice prints the piece of the timeline that shows why: time in milliseconds in one column, the evidence marked.
func (p *printer) slice(t Trial) {
	for _, l := range sliceText(t) {
		if strings.HasPrefix(l, ">") {
			l = p.style.paint(bold, l)
		}
		p.line("  %s", l)
	}
}

// sliceText has a line for each event of the slice, and one for what was left out between two of them, unless that is only
// figures. A single event takes no more room than the line which tells that it was left out.
func sliceText(t Trial) []string {
	events := Slice(t)
	if len(events) == 0 {
		return nil
	}
	cited, shown := map[int]bool{}, map[int]bool{}
	for _, id := range Evidence(t) {
		cited[id] = true
	}
	for _, e := range events {
		shown[e.ID] = true
	}
	lines := []string{fmt.Sprintf("  %9s  %-8s", "ms", "what")}
	add := func(e timeline.Event) {
		marker := " "
		if cited[e.ID] {
			marker = ">"
		}
		text := cut(describe(e, t.Spec.Faults), maxWords)
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%s %9.1f  %-8s  %s", marker, e.MS, mark(e.Kind), text), " "))
	}
	var left []timeline.Event
	gap := func() {
		switch len(left) {
		case 0:
		case 1:
			add(left[0])
		default:
			lines = append(lines, fmt.Sprintf("  %9s  (%d events are left out)", "...", len(left)))
		}
		left = nil
	}
	for _, e := range t.Timeline {
		switch {
		case shown[e.ID]:
			gap()
			add(e)
		case weight(e) > 0:
			left = append(left, e)
		}
	}
	gap()
	return lines
}
