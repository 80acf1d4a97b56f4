package contracts

import (
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// blame names the dependency that p, failing for the stretch s, points at, as far as its needs and what was seen of them tell, and why that
// one. Without a name the second says what its needs leave open; both are "" when it needs nothing.
func (t *trace) blame(p proof, s stretch) (dependency, because string) {
	for _, sign := range []func(proof, stretch, string) string{t.underFault, t.unreachable, t.afterFault, t.namedInError, t.neverUsed} {
		for _, dep := range p.Needs {
			if why := sign(p, s, dep); why != "" {
				return dep, why
			}
		}
	}
	switch len(p.Needs) {
	case 0:
		return "", ""
	case 1:
		return p.Needs[0], "the only one that it needs, though nothing was seen to be amiss with it"
	}
	return "", "it needs " + list(p.Needs) + "; nothing was seen to be amiss with them"
}

// underFault reports a fault that was on dep while p failed.
func (t *trace) underFault(_ proof, s stretch, dep string) string {
	for f, spec := range t.spec.Faults {
		if spec.On != dep {
			continue
		}
		for _, span := range t.faults[f] {
			if t.ms(span.armed) <= s.to && (span.lift < 0 || t.ms(span.lift) >= t.began(s.event)) {
				return "it was under a fault: " + spec.Text
			}
		}
	}
	return ""
}

// unreachable reports that dep itself did not answer its proxy.
func (t *trace) unreachable(_ proof, s stretch, dep string) string {
	for _, i := range t.all(timeline.UpstreamError, 0, t.end) {
		if e := t.ev[i]; e.Dependency == dep && e.MS <= s.to {
			return fmt.Sprintf("it could not be reached itself at %s: %s", Millis(e.MS), quote(e.Error))
		}
	}
	return ""
}

// afterFault reports a fault on dep that was over when p failed: what it broke was not mended.
func (t *trace) afterFault(_ proof, s stretch, dep string) string {
	for f, spec := range t.spec.Faults {
		for _, span := range t.faults[f] {
			if spec.On == dep && span.lift >= 0 && t.ms(span.lift) < s.to {
				return fmt.Sprintf("it had been under a fault until %s: %s", Millis(t.ms(span.lift)), spec.Text)
			}
		}
	}
	return ""
}

// namedInError reports that what p was answered names dep.
func (t *trace) namedInError(_ proof, s stretch, dep string) string {
	if strings.Contains(strings.ToLower(t.ev[s.event].Error), strings.ToLower(dep)) {
		return "the error names it"
	}
	return ""
}

// neverUsed reports that the service had made no connection to dep when p first failed, though it had to others.
func (t *trace) neverUsed(_ proof, s stretch, dep string) string {
	others := false
	for _, e := range t.ev[:s.event] {
		switch {
		case e.Kind != timeline.Connect && e.Kind != timeline.Accept:
		case e.Dependency == dep:
			return ""
		default:
			others = true
		}
	}
	if !others {
		return ""
	}
	return "the service had not connected to it when the proof failed"
}
