package reports

import (
	"fmt"
	"maps"
	"slices"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// Judge makes the trial's Observation, Verdict and Reasons from its Spec and Timeline alone. A control that did not pass may still
// change the verdict: see Report.Judge.
func (t *Trial) Judge() {
	t.Observation = contracts.Observe(t.Spec, t.Timeline)
	t.judged(contracts.Judge(t.Spec, t.Timeline))
	if t.Timeline == nil {
		t.Timeline = []timeline.Event{}
	}
}

func (t *Trial) judged(j contracts.Judgment) { t.Verdict, t.Reasons = j.Verdict, j.Reasons }

// Judge makes every verdict of the report anew from the trials' specs and timelines: of each trial, of the trials whose control
// did not pass, of the experiments, and the summary. The run and `chaos judge` both use it; to call it twice changes nothing.
func (r *Report) Judge() {
	entries := make([]contracts.Entry, len(r.Trials))
	for i := range r.Trials {
		t := &r.Trials[i]
		t.Judge()
		entries[i] = contracts.Entry{
			Start: t.Start, Control: t.Control, Faultless: !t.Control && len(t.Spec.Faults) == 0, Experiment: t.Experiment,
			Judgment: contracts.Judgment{Verdict: t.Verdict, Reasons: t.Reasons},
		}
	}
	for i, j := range contracts.Settle(entries) {
		r.Trials[i].judged(j)
	}
	r.gatherEvidenceMissing()
	r.advise()
	r.combine()
	r.summarize()
	r.judgeChecklist()
}

// gatherEvidenceMissing adds what the timelines say could not be observed, each once.
func (r *Report) gatherEvidenceMissing() {
	for _, t := range r.Trials {
		for _, e := range t.Timeline {
			if e.Kind == timeline.MissingEvidence && !slices.Contains(r.EvidenceMissing, e.Text) {
				r.EvidenceMissing = append(r.EvidenceMissing, e.Text)
			}
		}
	}
}

// combine makes the experiments: in the order they had, then those that only trials name.
func (r *Report) combine() {
	byName := map[string][]Trial{}
	var names []string
	for _, e := range r.Experiments {
		names = append(names, e.Name)
	}
	for _, t := range r.Trials {
		if t.Control {
			continue
		}
		byName[t.Experiment] = append(byName[t.Experiment], t)
		if !slices.Contains(names, t.Experiment) {
			names = append(names, t.Experiment)
		}
	}
	r.Experiments = make([]Experiment, 0, len(names))
	for _, name := range names {
		r.Experiments = append(r.Experiments, newExperiment(name, byName[name]))
	}
}

// newExperiment combines trials by cell. Repeats of one cell that disagree are unstable; cells that differ are not: the worst counts.
func newExperiment(name string, trials []Trial) Experiment {
	e := Experiment{Name: name}
	verdicts := map[string][]contracts.Verdict{}
	cells := map[string]map[string]string{}
	var keys []string
	var all, worst []contracts.Verdict
	for _, t := range trials {
		e.AllowUnstable = e.AllowUnstable || t.AllowUnstable
		key := cellKey(t.Cell)
		if _, known := cells[key]; !known {
			keys, cells[key] = append(keys, key), t.Cell
		}
		verdicts[key] = append(verdicts[key], t.Verdict)
		all = append(all, t.Verdict)
	}
	for _, key := range keys {
		tally := contracts.Combine(verdicts[key], e.AllowUnstable)
		worst = append(worst, tally.Verdict)
		if key != "" {
			e.Cells = append(e.Cells, Cell{Cell: cells[key], Verdict: tally.Verdict, Counts: counts(tally)})
		}
	}
	e.Verdict, e.Counts = contracts.Worst(worst...), counts(contracts.Combine(all, e.AllowUnstable))
	return e
}

func counts(t contracts.Tally) Counts {
	c := Counts{Trials: t.Trials, Pass: t.Pass, Fail: t.Fail, Inconclusive: t.Inconclusive, Error: t.Error, Wilson95: t.Wilson}
	if n := t.Pass + t.Fail; n > 0 {
		rate := float64(t.Pass) / float64(n)
		c.PassRate = &rate
	}
	return c
}

// cellKey tells cells apart and orders their axes by name.
func cellKey(cell map[string]string) string {
	key := ""
	for _, axis := range slices.Sorted(maps.Keys(cell)) {
		if key != "" {
			key += ", "
		}
		key += fmt.Sprintf("%s=%s", axis, cell[axis])
	}
	return key
}

func (r *Report) summarize() {
	s := Summary{Experiments: len(r.Experiments)}
	for _, t := range r.Trials {
		switch {
		case !t.Control:
			s.Trials++
		case t.Verdict != contracts.Pass:
			s.ControlsNotPassed++
			fallthrough
		default:
			s.Controls++
		}
	}
	for _, e := range r.Experiments {
		switch e.Verdict {
		case contracts.Pass:
			s.Pass++
		case contracts.Fail:
			s.Fail++
		case contracts.Unstable:
			s.Unstable++
		case contracts.Error:
			s.Error++
		default:
			s.Inconclusive++
		}
	}
	r.Summary = s
}

// The exit codes that a report asks for. Bad usage (2) and an interruption (129, 130, 143) are the caller's to know.
const (
	ExitPass         = 0
	ExitViolated     = 1
	ExitInconclusive = 3
	ExitHarness      = 4
)

// ExitCode returns what a run with this report exits with: 1 when a contract or an invariant was violated or an experiment is
// unstable (unless it allows that), else 4 when the harness failed, else 3 when something is inconclusive (a control whose service
// did not become ready counts as that), else 0. A report that judged nothing is inconclusive, and so is one of an interrupted run:
// what it lacks was not shown. Where the gate is enforced, an item of the checklist that failed or is not covered counts as violated, and
// one that was not shown as inconclusive.
func (r *Report) ExitCode() int { return r.gateCode(r.trialsCode()) }

// trialsCode is the exit code without the checklist.
func (r *Report) trialsCode() int {
	var failed, broken, open bool
	for _, e := range r.Experiments {
		switch e.Verdict {
		case contracts.Pass:
		case contracts.Fail:
			failed = true
		case contracts.Unstable:
			failed = failed || !e.AllowUnstable
			broken, open = broken || e.Error > 0, open || e.Inconclusive > 0
		case contracts.Error:
			broken = true
		default:
			open = true
		}
	}
	for _, t := range r.Trials {
		switch {
		case !t.Control || t.Verdict == contracts.Pass:
		case t.Verdict == contracts.Error:
			broken = true
		case t.failedSetUp():
			open = true
		default:
			failed = true
		}
	}
	switch {
	case failed:
		return ExitViolated
	case broken || len(r.Errors) > 0:
		return ExitHarness
	case open || r.Interrupted || len(r.Trials) == 0:
		return ExitInconclusive
	}
	return ExitPass
}
