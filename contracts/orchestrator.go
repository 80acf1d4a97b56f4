package contracts

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/timeline"
)

// Survives: it becomes ready, and the orchestrator of Spec would not have killed it before.
type Survives struct{}

// AsksToSurvive reports whether judging the trial needs to know what its orchestrator would have been answered.
func (s Spec) AsksToSurvive() bool {
	return s.Orchestrator != nil && (s.Invariants.Survives || s.Expect.asksToSurvive())
}

func (e Expectation) asksToSurvive() bool {
	return e.Survives != nil || slices.ContainsFunc(e.AnyOf, Expectation.asksToSurvive) || slices.ContainsFunc(e.AllOf, Expectation.asksToSurvive)
}

const survivesRule = "survives_orchestrator"

// survives is the contract: it is ready, and would have been left alone.
func (t *trace) survives() finding {
	if t.standing() == nil {
		f := t.survivesInvariant()
		if f.state == Violated {
			return f
		}
		return merge(t.notReady(survivesRule, 0, "after its start", t.spec.Budget), f)
	}
	return t.survivesInvariant()
}

// survivesInvariant computes for each incarnation what the orchestrator would have done. A service that ended by itself was not killed; what is
// said then is when it would have been started again.
func (t *trace) survivesInvariant() finding {
	if t.spec.Orchestrator == nil {
		return t.undecided(survivesRule, "name it under orchestrator", nil, "no orchestrator is given")
	}
	var all []finding
	for _, r := range t.runs {
		if !r.started {
			continue
		}
		fate, ok := t.spec.Orchestrator.Fate(t.startOf(r))
		at := []int{t.first(timeline.Exec, r.first, r.next), t.first(timeline.ReadyClaim, r.first, r.next), t.first(timeline.Budget, r.first, r.next), r.exit}
		switch {
		case !ok:
			all = append(all, t.undecided(survivesRule, "name it under orchestrator", nil, "no orchestrator is given"))
		case fate.State == orchestrators.Killed:
			all = append(all, t.violates(survivesRule, fate.Next, at, "%s", fate.Text))
		case fate.State == orchestrators.Survives:
			all = append(all, t.holds(survivesRule, at, "%s", fate.Text))
		case fate.State == orchestrators.Exited:
			all = append(all, t.notes(survivesRule, "%s", fate.Text))
		case t.spec.Expect.asksToWait() && t.standing() == nil:
			all = append(all, t.notes(survivesRule, "not counted: the experiment asks it to wait; %s", fate.Text))
		default:
			all = append(all, t.undecided(survivesRule, fate.Next, at, "%s", fate.Text))
		}
	}
	return merge(all...)
}

// Starts are the starts of a trial as orchestrators see them, one for each incarnation of each replica.
func Starts(spec Spec, events []timeline.Event) []orchestrators.Start {
	all := [][]timeline.Event{events}
	if spec.Replicas > 1 {
		all = views(spec, events)
	}
	var out []orchestrators.Start
	for _, view := range all {
		first, _ := starts(view)
		t := newTrace(spec, first)
		for _, r := range t.runs {
			if r.started {
				out = append(out, t.startOf(r))
			}
		}
	}
	return out
}

// startOf is an incarnation as orchestrators see it: times count from its exec.
func (t *trace) startOf(r run) orchestrators.Start {
	began := t.ms(t.first(timeline.Exec, r.first, r.next))
	last := min(r.next, t.end)
	end := t.ms(min(last, len(t.ev)-1))
	s := orchestrators.Start{EndMS: max(0, end-began)}
	for _, c := range t.claims {
		if c.at < r.first || c.at >= last {
			continue
		}
		to := end
		if c.lost >= 0 && c.lost < last {
			to = t.ms(c.lost)
		}
		s.Ready = append(s.Ready, orchestrators.Span{From: t.ms(c.at) - began, To: to - began})
	}
	if r.exit >= 0 {
		s.EndMS = t.ms(r.exit) - began
		e := t.ev[r.exit]
		s.Exit = &orchestrators.Exit{AtMS: s.EndMS, Signal: e.Signal, Bad: e.Signal != "" || e.Code != nil && *e.Code != 0}
		if e.Code != nil {
			s.Exit.Code = *e.Code
		}
	}
	asked, killed := t.first(timeline.Stop, r.first, r.next), t.first(timeline.Kill, r.first, r.next)
	if exit := t.first(timeline.Exit, asked, len(t.ev)); asked >= 0 && exit > asked && killed < 0 {
		s.StopMS = ref(t.ms(exit) - t.ms(asked))
	}
	if lift := t.faultsOver(); lift > began {
		s.LiftMS = ref(lift - began)
	}
	s.Answers = t.answers(r, last, began, began+s.EndMS)
	s.Unasked, s.Extends = t.unasked(r, last), t.extends(r, last, began)
	return s
}

// faultsOver is when the last fault went off, or would have by its own `for`; -1 when one would not.
func (t *trace) faultsOver() float64 {
	over := -1.0
	for f, spec := range t.spec.Faults {
		lift := t.lifted(f)
		switch spans := t.faults[f]; {
		case lift >= 0:
			over = max(over, t.ms(lift))
		case spec.For > 0 && len(spans) > 0:
			over = max(over, t.ms(spans[len(spans)-1].armed)+spec.For.MS())
		default:
			return -1
		}
	}
	return over
}

// answers are the spans in which the orchestrator's own questions were answered yes: those that the runner asked, and READY=1 of systemd.
func (t *trace) answers(r run, last int, began, end float64) map[string][]orchestrators.Span {
	out := map[string][]orchestrators.Span{}
	open := map[string]float64{}
	shut := func(name string, to float64) {
		if from, is := open[name]; is {
			delete(open, name)
			if from <= end { // what answers after its exit is not the service
				out[name] = append(out[name], orchestrators.Span{From: from - began, To: min(to, end) - began})
			}
		}
	}
	say := func(name string, yes bool, at float64) {
		if out[name] == nil {
			out[name] = []orchestrators.Span{}
		}
		if _, is := open[name]; yes && !is {
			open[name] = at
		} else if !yes {
			shut(name, at)
		}
	}
	for i := r.first; i < last; i++ {
		switch e := t.ev[i]; {
		case e.Kind == timeline.Answer && e.OK != nil:
			say(e.Name, *e.OK, e.MS)
		case e.Kind == timeline.Notify:
			say(orchestrators.SdNotify, slices.Contains(strings.Split(e.Text, "\n"), orchestrators.SdNotify) || !closed(open, orchestrators.SdNotify), e.MS)
		}
	}
	for name := range out {
		shut(name, end)
	}
	return out
}

// unasked is why questions of the orchestrator were not asked, by their names.
func (t *trace) unasked(r run, last int) map[string]string {
	out := map[string]string{}
	for _, i := range t.all(timeline.MissingEvidence, r.first, last) {
		if e := t.ev[i]; e.Source == orchestrators.Source {
			out[e.Name] = e.Text
		}
	}
	return out
}

// extends are the EXTEND_TIMEOUT_USEC= that the service sent. systemd passes over 0 and the largest number, which is its infinity.
func (t *trace) extends(r run, last int, began float64) []orchestrators.Extension {
	var out []orchestrators.Extension
	for _, i := range t.all(timeline.Notify, r.first, last) {
		for line := range strings.SplitSeq(t.ev[i].Text, "\n") {
			value, is := strings.CutPrefix(line, "EXTEND_TIMEOUT_USEC=")
			if usec, err := strconv.ParseUint(value, 10, 64); is && err == nil && usec > 0 && usec < math.MaxUint64 {
				out = append(out, orchestrators.Extension{AtMS: t.ms(i) - began, ByMS: float64(usec) / 1000})
			}
		}
	}
	return out
}

// closed reports whether a name is not open.
func closed(open map[string]float64, name string) bool {
	_, is := open[name]
	return !is
}
