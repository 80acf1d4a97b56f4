package contracts

import (
	"reflect"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// CoverKind says what covers an item of a checklist.
type CoverKind string

// The kinds of cover.
const (
	CoverExperiment CoverKind = "experiment" // its trials pass
	CoverContract   CoverKind = "contract"   // the trials that expect it pass
	CoverProof      CoverKind = "proof"      // of readiness: it holds, and fails nowhere
	CoverInvariant  CoverKind = "invariant"  // it holds in every trial that checks it
	CoverTraffic    CoverKind = "traffic"    // its rule (traffic, early_traffic) holds in every trial with such a load
)

// Cover names what shows that an item of a checklist holds.
type Cover struct {
	Kind CoverKind `json:"kind"`
	Name string    `json:"name"`
}

// String words the cover: "proof `a thread is stored`".
func (c Cover) String() string {
	if c.Kind == CoverTraffic {
		return "`" + c.Name + "`"
	}
	return string(c.Kind) + " `" + c.Name + "`"
}

// ofRule reports whether a rule that is judged in every trial shows the cover.
func (c Cover) ofRule() bool { return c.Kind == CoverInvariant || c.Kind == CoverTraffic }

// In reports whether a trial of the experiment ("" for a control) with this spec is one that must show the cover.
func (c Cover) In(experiment string, s Spec) bool {
	switch c.Kind {
	case CoverExperiment:
		return experiment == c.Name
	case CoverContract:
		return s.Expect.Demands(c.Name)
	case CoverProof:
		return slices.ContainsFunc(s.Readiness, func(p Proof) bool { return p.Name == c.Name })
	case CoverInvariant:
		return slices.Contains(s.Invariants.Names(), c.Name)
	case CoverTraffic:
		return slices.Contains(s.Traffic.Rules(), c.Name)
	}
	return false
}

// Shown is what one judged trial shows of a proof, an invariant or the traffic: Pass when it held, Fail when the trial failed because of it, ""
// when the trial had nothing to say of it (a service that was meant to exit is not asked), and Inconclusive when it should have had.
func (c Cover) Shown(j Judgment, o Observation, events []timeline.Event) Verdict {
	held := false
	for _, r := range j.Reasons {
		switch {
		case r.State == Violated && c.accusedBy(r, events):
			if j.Verdict == Fail {
				return Fail
			}
			return Inconclusive
		case c.ofRule() && r.Rule == c.Name && r.State == Undecided:
			return Inconclusive
		case c.ofRule() && r.Rule == c.Name && r.State == Held:
			held = true
		}
	}
	asked := c.ofRule()
	for _, p := range o.Readiness {
		if c.Kind == CoverProof && p.Name == c.Name {
			held, asked = p.OK, p.AtMS > 0
		}
	}
	seen := o.Outcome.Class != Unknown && o.Outcome.Class != ""
	switch {
	case held:
		return Pass
	case j.Verdict == Pass || j.Verdict == Fail || seen && !asked:
		return ""
	}
	return Inconclusive
}

// Blind reports whether a trial with this spec can't show the cover, even where its rule held: proofs that ask only what service.ready
// asks, or none, don't show that ready means ready.
func (c Cover) Blind(s Spec) bool {
	return c.Kind == CoverInvariant && (c.Name == "no_false_ready" || c.Name == "late_ready") && s.echoing()
}

// echoing reports whether no proof asks more than service.ready does.
func (s Spec) echoing() bool {
	return !slices.ContainsFunc(s.Readiness, func(p Proof) bool { return !p.Echo })
}

// accusedBy reports whether a violated reason is about the cover: it is the rule's own, or it cites a failure of the proof.
func (c Cover) accusedBy(r Reason, events []timeline.Event) bool {
	if c.ofRule() {
		return r.Rule == c.Name
	}
	return slices.ContainsFunc(events, func(e timeline.Event) bool {
		return e.Kind == timeline.Proof && e.Name == c.Name && e.OK != nil && !*e.OK && slices.Contains(r.Evidence, e.ID)
	})
}

// Demands reports whether e can only hold when the contract of that name does: an alternative under any_of demands nothing.
func (e Expectation) Demands(name string) bool {
	return e.Name == name || slices.ContainsFunc(e.AllOf, func(sub Expectation) bool { return sub.Demands(name) })
}

// Rules lists the rules that judge the load, none of no load.
func (t *Traffic) Rules() []string {
	switch {
	case t == nil:
		return nil
	case t.FromStart:
		return []string{"traffic", "early_traffic"}
	}
	return []string{"traffic"}
}

// Names lists the invariants that are checked, by their names in the language.
func (v Invariants) Names() []string {
	var out []string
	value := reflect.ValueOf(v)
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		if !value.Field(i).IsZero() && name != "" && name != "-" {
			out = append(out, name)
		}
	}
	return out
}
