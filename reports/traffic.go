package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// maxLoads is how many experiments the text shows the load of.
const maxLoads = 12

// loads tells, for each experiment whose trials had a load, what it came to: of the trial in which it went worst.
func (p *printer) loads(r *Report) {
	var names []string
	worst, of := map[string]contracts.TrafficFigures{}, map[string]int{}
	for _, t := range r.Trials {
		if t.Traffic == nil {
			continue
		}
		name := t.Experiment
		if t.Control {
			name = t.Title
		}
		if of[name]++; of[name] == 1 {
			names = append(names, name)
		}
		if have, ok := worst[name]; !ok || worse(*t.Traffic, have) > 0 {
			worst[name] = *t.Traffic
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return worse(worst[b], worst[a]) })
	for i, name := range names {
		if i == maxLoads {
			p.line("traffic: (and of %d more; the JSON report has them all)", len(names)-i)
			break
		}
		trials := ""
		if of[name] > 1 {
			trials = fmt.Sprintf(" (the worst of %d trials)", of[name])
		}
		p.line("traffic: %s%s: %s", oneLine(name), trials, worst[name].Words())
		for _, s := range worst[name].Steps {
			p.line("         %s: %s", oneLine(s.Name), s.Words())
		}
	}
	if len(names) > 0 {
		p.line("")
	}
}

// worse compares two loads: by errors, by early requests that met no refusal, then by their slow answers.
func worse(a, b contracts.TrafficFigures) int {
	return cmp.Or(cmp.Compare(a.Errors, b.Errors), cmp.Compare(a.Early["bad"], b.Early["bad"]), cmp.Compare(a.P95MS, b.P95MS))
}

// trafficWords words an event of a load.
func trafficWords(e timeline.Event) string {
	c := e.Count
	switch e.Kind {
	case timeline.TrafficBegin:
		return "begins: " + e.Text
	case timeline.TrafficError:
		when := "after the claim"
		if !e.Claimed {
			when = "early"
		}
		return fmt.Sprintf("%s (%s), after %s: %s: %s", e.Name, when, contracts.Millis(c["took_ms"]), e.Result, e.Error)
	case timeline.Traffic:
		return fmt.Sprintf("%.0f requests, %.0f as they should be, %.0f errors, the slowest %s", c["requests"], c["ok"], c["errors"], contracts.Millis(c["max_ms"]))
	}
	text := fmt.Sprintf("%.0f requests after the claim, %.0f errors, p50 %s, p95 %s, p99 %s, max %s", c["requests"], c["errors"],
		contracts.Millis(c["p50_ms"]), contracts.Millis(c["p95_ms"]), contracts.Millis(c["p99_ms"]), contracts.Millis(c["max_ms"]))
	if n := c["early_requests"]; n > 0 {
		text += fmt.Sprintf("; %.0f early ones, %.0f not refused properly", n, c["early_bad"])
	}
	return strings.TrimPrefix(e.Name+": ", ": ") + text
}
