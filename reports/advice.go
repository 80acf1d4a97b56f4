package reports

import (
	"fmt"

	"github.com/chaos-startup/chaos/contracts"
)

// advise says which setting of the orchestrator the slowest start of all trials needs. Trials that did not become ready, or of which nothing is
// known, need more than can be said.
func (r *Report) advise() {
	r.Advice = nil
	slowest, at := -1.0, -1
	for i, t := range r.Trials {
		if t.Spec.Orchestrator == nil || t.Verdict == contracts.Error {
			continue
		}
		for _, s := range contracts.Starts(t.Spec, t.Timeline) {
			if ms, ok := t.Spec.Orchestrator.Needs(s); ok && ms > slowest {
				slowest, at = ms, i
			}
		}
	}
	if at < 0 {
		return
	}
	t := r.Trials[at]
	if text := t.Spec.Orchestrator.Advice(slowest); text != "" {
		r.Advice = append(r.Advice, fmt.Sprintf("%s: %s (the slowest start took %s: %s)", t.Spec.Orchestrator.Name(), text, contracts.Millis(slowest), t.Title))
	}
}

// advice tells it.
func (p *printer) advice(r *Report) {
	for _, text := range r.Advice {
		p.line("%s", oneLine(text))
	}
	if len(r.Advice) > 0 {
		p.line("")
	}
}
