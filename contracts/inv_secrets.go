package contracts

import (
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// noSecrets is the Source of a MissingEvidence event that says that the service was given no secret to look for.
const noSecrets = "secrets"

// noSecretsInLogs: no line of the service's log holds a secret. The runner has looked before the lines were masked, and names only what
// it was that it found.
func (t *trace) noSecretsInLogs() finding {
	const rule = "no_secrets_in_logs"
	for _, i := range t.all(timeline.MissingEvidence, 0, len(t.ev)) {
		if t.ev[i].Source == noSecrets {
			return t.notes(rule, "not checked: %s", t.ev[i].Text)
		}
	}
	var hits []int
	var names []string
	for _, i := range t.all(timeline.Log, 0, len(t.ev)) {
		if len(t.ev[i].Secret) == 0 {
			continue
		}
		hits = append(hits, i)
		for _, name := range t.ev[i].Secret {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(hits) > 0 {
		return t.violates(rule, "mask it before it is logged, or do not log it", hits[:min(len(hits), 5)], "it logged %s, in %s; first at %s: %s",
			list(names), plural(len(hits), "line"), Millis(t.ms(hits[0])), quote(t.ev[hits[0]].Text))
	}
	return t.holds(rule, nil, "no log line holds a secret")
}
