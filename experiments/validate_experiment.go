package experiments

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
)

// validateExperiment checks one cell and completes it: `during` becomes a begin and an end, phases get their declared spelling.
func (l *loader) validateExperiment(d *decoder, at string, e *Experiment) {
	switch {
	case e.Name == "" && d.has(at+".name"):
		d.addFirst(d.at(at+".name"), "the name is empty", "a name that says what is tried", "")
	case strings.ContainsFunc(e.Name, func(r rune) bool { return r < ' ' }):
		d.add(d.at(at+".name"), "the name has line breaks or control characters", "one line of text", "")
	case strings.HasPrefix(e.Name, "control:"):
		d.add(d.at(at+".name"), "the name begins like that of a control trial", "another name", "")
	}
	for i := range e.Inject {
		l.validateInjection(d, fmt.Sprintf("%s.inject[%d]", at, i), &e.Inject[i])
	}
	if e.Invariants != nil {
		l.validateInvariants(d, at+".invariants", e.Invariants.PhaseOrder, e.Invariants.PhaseBudgets)
		l.validateRetry(d, at+".invariants", e.Invariants.Retry)
		l.survivable(d.at(at+".invariants.survives_orchestrator"), e.Invariants.Survives)
	}
	l.validateManners(d, at, e)
	l.validateExpectation(d, at, e)
}

func (l *loader) validateInjection(d *decoder, at string, in *Injection) {
	l.knownDependency(d, at+".on", in.On)
	l.resolvable(d, at, in)
	l.speakable(d, at, in)
	if d.has(at+".toxicity") && in.Toxicity == 0 {
		d.addFirst(d.at(at+".toxicity"), "a toxicity of 0 touches nothing", "a share above 0, up to 1", "")
	}
	if d.has(at + ".during") {
		l.during(d, at, in)
		return
	}
	l.trigger(d, at+".from", &in.From)
	if in.Until != nil {
		if in.Until.Start {
			d.add(d.at(at+".until"), "nothing comes before `start`", "ready, a phase, or a mapping with connect, log, sends or receives", "")
		}
		l.trigger(d, at+".until", in.Until)
	}
}

// during sets From and Until to the two ends of the phase.
func (l *loader) during(d *decoder, at string, in *Injection) {
	for _, other := range []string{"from", "until"} {
		if d.has(at + "." + other) {
			d.add(d.keyAt(at+"."+other), fmt.Sprintf("`during` and `%s` both say when", other),
				"`during: PHASE`, or `from` and `until`", "to end it within the phase use `for`")
		}
	}
	if folded := strings.ToLower(in.During); folded == "start" || folded == "ready" {
		d.add(d.at(at+".during"), fmt.Sprintf("`%s` is a moment, not a phase", in.During), oneOf(l.phases), "did you mean `from: "+folded+"`?")
		return
	}
	in.During, _ = l.phase(d, at+".during", in.During)
	in.From, in.Until = Trigger{Phase: in.During}, &Trigger{PhaseEnd: in.During}
}

func (l *loader) trigger(d *decoder, at string, t *Trigger) {
	if t.Phase != "" {
		t.Phase, _ = l.phase(d, at, t.Phase)
	}
	if t.Connect != "" {
		l.knownDependency(d, at+".connect", t.Connect)
	}
	if t.Connect == "" {
		t.Nth = 0
	}
}

// validateExpectation refuses expectations that could never hold, or could not fail.
func (l *loader) validateExpectation(d *decoder, at string, e *Experiment) {
	bounded := true
	for _, in := range e.Inject {
		bounded = bounded && in.bounded()
	}
	expect := d.at(at + ".expect")
	l.survivable(expect, survives(e.Expect))
	if len(e.Inject) == 0 && vacuous(e.Expect) {
		plain := "{readiness: all}"
		if !l.proven() {
			plain = becomesReady
		}
		d.addFirst(expect, "what is expected is about a fault, and there is none", "`inject`", "for a plain trial use "+plain)
	}
	for _, must := range conjuncts(e.Expect) {
		switch {
		case must.Recover != nil && !bounded:
			d.addFirst(expect, "`recover` waits for the lift of a fault that is never lifted", "a fault that ends", "add `for: 3s` to the injection, or `until`")
		case must.Degrade != nil:
			l.degradable(d, expect, e)
		}
	}
}

// degradable refuses a degrade without a dependency that is optional: judging could never decide it.
func (l *loader) degradable(d *decoder, expect *yaml.Node, e *Experiment) {
	for _, in := range e.Inject {
		for _, dep := range l.f.Dependencies {
			if dep.Name == in.On && dep.Required {
				d.addFirst(expect, fmt.Sprintf("`degrade` is for optional dependencies, and `%s` is required", dep.Name), "",
					"set `required: false` on it if the service may go on without it")
			}
		}
	}
}

// vacuous tells whether an expectation says nothing without a fault: its time counts from a bite or a lift that never comes.
func vacuous(e contracts.Expectation) bool {
	if e.AnyOf != nil {
		return !slices.ContainsFunc(e.AnyOf, func(e contracts.Expectation) bool { return !vacuous(e) })
	}
	if e.AllOf != nil {
		return slices.ContainsFunc(e.AllOf, vacuous)
	}
	return e.FailFast != nil || e.GiveUp != nil || e.Recover != nil || e.Wait != nil || e.Tolerate != nil || e.Degrade != nil
}

// conjuncts are the expectations that must all hold.
func conjuncts(e contracts.Expectation) []contracts.Expectation {
	if e.AllOf == nil {
		return []contracts.Expectation{e}
	}
	var out []contracts.Expectation
	for _, c := range e.AllOf {
		out = append(out, conjuncts(c)...)
	}
	return out
}

// bounded tells whether the fault ends before the trial does.
func (in *Injection) bounded() bool {
	return in.During != "" || in.Until != nil || in.For > 0
}
