package experiments

import (
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// Spec is what judging the trial needs to know of it.
func (t Trial) Spec() contracts.Spec {
	s := contracts.Spec{
		Title: t.Title(), Control: t.Control, Budget: t.Service.Budget, Grace: t.Service.Stop.Grace, StopSignal: t.Service.Stop.Signal,
		Restarts: t.Service.Restart.Policy != "" && t.Service.Restart.Policy != "never",
		Replicas: t.replicas(),
		Phases:   phaseSpecs(t.Phases), Expect: t.Expect, Invariants: t.Invariants, Orchestrator: t.Orchestrator,
	}
	for _, d := range t.Dependencies {
		if s.Dependencies == nil {
			s.Dependencies = map[string]contracts.Dependency{}
		}
		s.Dependencies[d.Name] = contracts.Dependency{Required: d.Required}
	}
	for _, p := range t.Readiness {
		s.Readiness = append(s.Readiness, contracts.Proof{Name: p.Name, Needs: p.Needs, Alone: p.Alone(), Echo: p.Echoes(t.Service.Ready)})
	}
	s.Traffic = t.Traffic.spec()
	for i := range t.Inject {
		in := &t.Inject[i]
		s.Faults = append(s.Faults, contracts.Fault{
			On: in.On, Kind: in.Fault.Kind, Text: in.String(), Phase: in.From.Phase, Bounded: in.bounded(), For: in.For, Toxicity: share(in.Toxicity),
		})
	}
	if t.Stop != nil {
		s.Stop = &contracts.AskStop{Text: t.Stop.words(t.Service.Stop.Signal), Phase: t.Stop.When.Phase}
	}
	s.ThenRestart = t.ThenRestart
	return s
}

// share is a toxicity that leaves something out, or 0.
func share(toxicity float64) float64 {
	if toxicity == 1 {
		return 0
	}
	return toxicity
}

// replicas is how many instances run, or 0 for one alone.
func (t Trial) replicas() int {
	if t.Service.Replicas > 1 {
		return t.Service.Replicas
	}
	return 0
}

// Alone says whether p asks until it is refused: it uses up what other proofs need, so it is asked after them.
func (p Proof) Alone() bool {
	for s := &p.Spec; s != nil; s = s.Then {
		if s.HTTP != nil && s.HTTP.RateLimit != nil {
			return true
		}
	}
	return false
}

func phaseSpecs(s phases.Spec) []contracts.Phase {
	var out []contracts.Phase
	for _, p := range s.List {
		out = append(out, contracts.Phase{Name: p.Name, Budget: p.Budget})
	}
	for _, name := range s.Order {
		out = append(out, contracts.Phase{Name: name, Budget: s.Budgets[name]})
	}
	return out
}

// String words the injection: "latency delay=3s on postgres during database for 3s".
func (in *Injection) String() string {
	var b strings.Builder
	b.WriteString(in.Fault.String() + " on " + in.On)
	switch {
	case in.During != "":
		b.WriteString(" during " + in.During)
	default:
		b.WriteString(" from " + in.From.String())
	}
	if in.After > 0 {
		fmt.Fprintf(&b, " after %s", short(in.After))
	}
	if in.For > 0 {
		fmt.Fprintf(&b, " for %s", short(in.For))
	}
	if in.During == "" && in.Until != nil {
		b.WriteString(" until " + in.Until.String())
	}
	if in.Connections > 0 {
		fmt.Fprintf(&b, ", the first %d connections", in.Connections)
	}
	if in.Toxicity > 0 && in.Toxicity < 1 {
		fmt.Fprintf(&b, ", on %g of the connections", in.Toxicity)
	}
	return b.String()
}

// String words the moment: "start", "phase cache", "connection 2 to postgres".
func (t Trigger) String() string {
	switch {
	case t.Ready:
		return "ready"
	case t.Phase != "":
		return "phase " + t.Phase
	case t.PhaseEnd != "":
		return "the end of phase " + t.PhaseEnd
	case t.Connect != "":
		return fmt.Sprintf("connection %d to %s", max(1, t.Nth), t.Connect)
	case t.Log != "":
		return fmt.Sprintf("log line %q", t.Log)
	case t.Sends != "":
		return fmt.Sprintf("sends %q", t.Sends)
	case t.Receives != "":
		return fmt.Sprintf("receives %q", t.Receives)
	}
	return "start"
}

// short writes a duration without the zero units at its end: 1m0s is 1m.
func short(d timeline.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
