package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
)

const (
	maxItem   = 72 // the widest that the column of names gets
	maxCovers = 72 // and the one which tells what covers an item
	maxBare   = 3  // items that nothing covers, before they are only counted
)

// checklist shows the list where the gate is enforced, and else one line of it.
func (p *printer) checklist(r *Report) {
	g := r.Gate
	switch {
	case g == nil:
		return
	case !g.Enforced && partial(r.Checklist):
		p.line("checklist: this run was a part of the file: run all of it with --gate")
		return
	case !g.Enforced:
		p.line("checklist: %s (--gate shows the list, and blocks on it)", g.words())
		return
	}
	p.line("")
	p.items(r.Checklist)
	var bare []Item
	for _, item := range r.Checklist {
		switch {
		case !item.Required || item.Verdict == contracts.Pass:
		case len(item.CoveredBy) == 0:
			bare = append(bare, item)
		default:
			p.item(item)
		}
	}
	p.bare(bare)
	if g.Open {
		p.line("%s: %s", p.style.verdict(contracts.Pass, "gate: open"), g.words())
		return
	}
	p.line("%s: %s", p.style.verdict(contracts.Fail, "gate: BLOCKED"), g.words())
}

// partial reports whether trials that the list needs are not in the report.
func partial(list []Item) bool {
	return slices.ContainsFunc(list, func(item Item) bool {
		return slices.ContainsFunc(item.CoveredBy, func(c Cover) bool { return c.Ran < c.Trials })
	})
}

// words counts: "1 of 3 required items passes: 1 fails, 1 is not covered; 2 more are not required".
func (g *Gate) words() string {
	var parts []string
	for _, c := range []struct {
		n         int
		one, many string
	}{{g.Fail, "fails", "fail"}, {g.NotCovered, "is not covered", "are not covered"}, {g.Error, "could not be checked", "could not be checked"},
		{g.Inconclusive, "is inconclusive", "are inconclusive"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, plural(c.n, c.one, c.many)))
		}
	}
	text := fmt.Sprintf("%d of %s", g.Pass, count(g.Required, "required item")) + plural(g.Pass, " passes", " pass")
	if g.Open {
		text = fmt.Sprintf("all %s pass", count(g.Required, "required item"))
		if g.Required == 1 {
			text = "the one required item passes"
		}
	}
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if g.Optional > 0 {
		text += fmt.Sprintf("; %d more %s not required", g.Optional, plural(g.Optional, "is", "are"))
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// items is the table of the list.
func (p *printer) items(list []Item) {
	name, verdict := len("checklist"), len("verdict")
	for _, item := range list {
		name = max(name, len([]rune(cut(oneLine(item.Name), maxItem))))
		verdict = max(verdict, len(word(item.Verdict)))
	}
	pad := func(text string, width int) string {
		return text + strings.Repeat(" ", max(0, width-len([]rune(text))))
	}
	p.line("%s", p.style.paint(dim, pad("checklist", name)+"  "+pad("verdict", verdict)+"  covered by"))
	for _, item := range list {
		colour := item.Verdict
		if !item.Required && colour != contracts.Pass {
			colour = contracts.Inconclusive
		}
		p.line("%s  %s  %s", pad(cut(oneLine(item.Name), maxItem), name), p.style.verdict(colour, pad(word(item.Verdict), verdict)), item.covers())
	}
	p.line("")
}

// covers names what covers the item, on one line.
func (i Item) covers() string {
	var parts []string
	for _, c := range i.CoveredBy {
		parts = append(parts, c.String())
	}
	text := cut(oneLine(strings.Join(parts, ", ")), maxCovers)
	switch {
	case !i.Required && text == "":
		return "nothing; not required"
	case !i.Required:
		return "(not required) " + text
	case text == "":
		return "nothing"
	}
	return text
}

// item tells why one does not pass.
func (p *printer) item(item Item) {
	p.line("%s  %s", p.style.verdict(item.Verdict, word(item.Verdict)), p.style.paint(bold, oneLine(item.Name)))
	for i, l := range item.lines() {
		label := "why"
		if i > 0 {
			label = ""
		}
		p.line("  %-8s%s", label, l)
	}
	if item.Reason != "" {
		p.line("  %-8s%s", "listed", oneLine(item.Reason))
	}
	p.line("")
}

// bare tells of the items that nothing covers. The table has them all already.
func (p *printer) bare(items []Item) {
	if len(items) <= maxBare {
		for _, item := range items {
			p.item(item)
		}
		return
	}
	p.line("%s  %s", p.style.verdict(NotCovered, word(NotCovered)), p.style.paint(bold, count(len(items), "item")+" that nothing covers, told above"))
	p.line("  %-8sname under covered_by what shows each, say required: false, or take out what the service does not have", "do")
	p.line("")
}

// lines says what each cover that does not pass came to.
func (i Item) lines() []string {
	if len(i.CoveredBy) == 0 {
		return []string{"nothing covers it: name under covered_by what shows it, or say required: false"}
	}
	var out []string
	for _, c := range i.CoveredBy {
		if c.Verdict == contracts.Pass {
			continue
		}
		text := oneLine(c.String()) + ": " + c.Text
		if len(c.Failed) > 0 {
			text += ": " + oneLine(strings.Join(c.Failed[:min(len(c.Failed), maxNamed)], ", "))
			if len(c.Failed) > maxNamed {
				text += ", ..."
			}
		}
		out = append(out, text)
	}
	return out
}
