package experiments

import (
	"fmt"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
)

// retryRules are the fields of retry that ask for something; one is needed.
var retryRules = []string{"max_attempts", "max_rate", "backoff", "jitter", "max_parallel", "max_amplification", "give_up_within", "lockstep"}

func retrySection() section {
	return section{
		name: "invariants.retry", title: "retry", of: reflect.TypeFor[contracts.Retry](),
		doc: "At least one rule. `max_attempts` and `max_rate` count every attempt on a dependency with a fault; the others judge the attempts that " +
			"fail one after the other while a fault is on, from the timeline alone. Too few attempts to tell make a trial inconclusive, unless the " +
			"service itself gave up after them. docs/retries.md tells how each is measured.",
		fields: []entry{
			{name: "on", format: formatLines, doc: "Only these dependencies; without it every dependency with a fault.", example: "[redis]"},
			{name: "max_attempts", min: bounds(1), max: bounds(1_000_000), doc: "Attempts in a trial.", example: "50"},
			{name: "max_rate", min: bounds(0), max: bounds(1_000_000), doc: "Attempts in any one second: a number, or text such as `20/s`.", example: "20/s",
				kind: "rate"},
			{name: "backoff", enum: []string{contracts.BackoffExponential, contracts.BackoffGrowing},
				doc: "How the pauses between attempts grow: by a factor, or (`growing`) at all. A limit to the growth is fine.", example: "exponential"},
			{name: "jitter", doc: "The pauses vary by more than the measurement does.", example: "true"},
			{name: "max_parallel", min: bounds(1), max: bounds(1_000_000), doc: "Attempts on one dependency that are under way together.", example: "1"},
			{name: "max_amplification", min: bounds(1), max: bounds(1_000_000),
				doc: "Attempts for each intended one: a retry inside of a retry, or many workers, multiply them.", example: "2"},
			{name: "give_up_within", doc: "It does not try any more this long after the first attempt failed.", example: "20s"},
			{name: "lockstep", doc: "`false`: replicas of the service do not retry together. Needs `service.replicas`.", example: "false"},
		},
	}
}

// checkRetry wants a rule, and of the rules that are either on or off that they are on.
func checkRetry(d *decoder, n *yaml.Node, r contracts.Retry, path string) {
	asks := slices.ContainsFunc(retryRules, func(name string) bool { return child(n, name) != nil })
	if !asks && (isNull(n) || n.Kind == yaml.MappingNode) {
		d.add(n, "`retry` bounds nothing", "{max_attempts: 50}, {max_rate: 20/s} or {backoff: exponential, jitter: true}", "")
	}
	if d.has(path+".jitter") && !r.Jitter {
		d.addFirst(d.at(path+".jitter"), "`jitter: false` asks for nothing", "jitter: true, or leave it out", "")
	}
	if r.Lockstep != nil && *r.Lockstep {
		d.addFirst(d.at(path+".lockstep"), "`lockstep: true` is nothing to ask for", "lockstep: false, or leave it out", "")
	}
	if d.has(path+".give_up_within") && r.GiveUpWithin == 0 {
		d.addFirst(d.at(path+".give_up_within"), "it can't give up within 0", "how long it may try", "")
	}
}

// validateRetry wants the dependencies that retry names to exist.
func (l *loader) validateRetry(d *decoder, at string, r *contracts.Retry) {
	if r == nil {
		return
	}
	for k, name := range r.On {
		l.knownDependency(d, fmt.Sprintf("%s.retry.on[%d]", at, k), name)
	}
}
