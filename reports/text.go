package reports

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/contracts"
)

// WriteText writes the report for people: a table of the experiments, then for whatever did not pass why, the piece of the timeline
// that shows it, what to do and how to run it again, and at the end one line that sums up. It is plain ASCII but for the texts of
// the experiments and the service.
func WriteText(w io.Writer, r *Report, style Style) error {
	p := &printer{style: style}
	p.table(r)
	for _, b := range blocks(r) {
		p.block(b)
	}
	if style.Verbose {
		p.passes(r)
	}
	p.loads(r)
	p.errors(r)
	p.caveats(r)
	p.advice(r)
	p.total(r)
	p.checklist(r)
	if _, err := w.Write(p.out.Bytes()); err != nil {
		return fmt.Errorf("write report as text: %w", err)
	}
	return nil
}

// printer collects the text, so that only one place can fail.
type printer struct {
	out   bytes.Buffer
	style Style
}

func (p *printer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.out.WriteString(strings.TrimRight(text, " ") + "\n")
}

// errors tells what failed outside of any trial.
func (p *printer) errors(r *Report) {
	for _, e := range r.Errors {
		p.line("%s  %s", p.style.verdict(contracts.Error, "ERROR"), clean(e))
	}
	if len(r.Errors) > 0 {
		p.line("")
	}
}

// caveats tells what the verdicts rest on.
func (p *printer) caveats(r *Report) {
	before := p.out.Len()
	for _, d := range r.Dependencies {
		if d.Standin {
			p.line("stand-in: %s was not the real thing: %s", d.Name, oneLine(firstOf(d.Version, "an embedded stand-in")))
		}
	}
	for _, text := range r.EvidenceMissing {
		p.line("evidence missing: %s", oneLine(text))
	}
	if p.out.Len() > before {
		p.line("")
	}
}

// passes tells why what passed did.
func (p *printer) passes(r *Report) {
	for _, t := range r.Trials {
		if t.Verdict != contracts.Pass {
			continue
		}
		p.line("%s  %s", p.style.verdict(t.Verdict, word(t.Verdict)), oneLine(t.Title))
		for _, reason := range t.Reasons {
			p.line("      %s: %s", reason.Rule, oneLine(reason.Text))
		}
		p.retries(t, "      retries on ")
		if text := processWords(t.Process); text != "" {
			p.line("      process: %s", text)
		}
		p.line("")
	}
}

// total is the line that sums up.
func (p *printer) total(r *Report) {
	s := r.Summary
	var parts []string
	for _, c := range []struct {
		n int
		v contracts.Verdict
	}{{s.Pass, contracts.Pass}, {s.Fail, contracts.Fail}, {s.Unstable, contracts.Unstable}, {s.Error, contracts.Error}, {s.Inconclusive, contracts.Inconclusive}} {
		if c.n > 0 {
			parts = append(parts, p.style.verdict(c.v, fmt.Sprintf("%d %s", c.n, c.v)))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing was judged")
	}
	took, after := "", ""
	if r.DurationMS > 0 { // a journal does not know
		took = " in " + contracts.Millis(r.DurationMS)
		after = fmt.Sprintf(" after %s", time.Duration(r.DurationMS*float64(time.Millisecond)).Round(time.Millisecond))
	}
	p.line("%s: %s; %s and %s%s; seed %d", count(s.Experiments, "experiment"), strings.Join(parts, ", "), count(s.Trials, "trial"),
		count(s.Controls, "control"), took, r.Seed)
	if s.ControlsNotPassed > 0 {
		p.line("%s did not pass", p.style.verdict(contracts.Fail, count(s.ControlsNotPassed, "control")))
	}
	if r.Interrupted {
		p.line("%s%s: what was judged until then is above", p.style.verdict(contracts.Inconclusive, "interrupted"), after)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
