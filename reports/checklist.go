package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/contracts"
)

// NotCovered is the verdict of an item, or of a cover, that nothing of this run shows.
const NotCovered contracts.Verdict = "not_covered"

// Item is one item of the checklist: a validation that the service must pass before it may serve. Verdict and Why are made by Judge
// from the trials.
type Item struct {
	Name      string            `json:"name"`
	Reason    string            `json:"why,omitempty"` // why it is on the list
	Tags      []string          `json:"tags,omitempty"`
	Required  bool              `json:"required"`
	Verdict   contracts.Verdict `json:"verdict"`    // pass, fail, unstable, error, inconclusive or not_covered
	CoveredBy []Cover           `json:"covered_by"` // all of it must pass; empty: not covered
}

// Cover is what shows an item, and what it came to.
type Cover struct {
	contracts.Cover
	Trials  int               `json:"trials"` // of the whole file, controls included, that must show it
	Ran     int               `json:"ran"`    // of them in this report
	Verdict contracts.Verdict `json:"verdict"`
	Text    string            `json:"text"`             // one sentence: why
	Failed  []string          `json:"failed,omitempty"` // titles of the trials that failed because of it, at most 10
}

// Gate counts the required items of the checklist.
type Gate struct {
	Enforced     bool `json:"enforced"` // the exit code answers for the list (--gate)
	Open         bool `json:"open"`     // every required item passes
	Required     int  `json:"required"`
	Pass         int  `json:"pass"`
	Fail         int  `json:"fail"` // with the unstable ones
	NotCovered   int  `json:"not_covered"`
	Inconclusive int  `json:"inconclusive"`
	Error        int  `json:"error"`
	Optional     int  `json:"optional"` // items that are not required, whatever their verdict
}

// maxFailed bounds Cover.Failed.
const maxFailed = 10

// judgeChecklist makes the verdicts of the list from the judged trials.
func (r *Report) judgeChecklist() {
	if len(r.Checklist) == 0 {
		return
	}
	g := Gate{Enforced: r.Gate != nil && r.Gate.Enforced}
	known := map[contracts.Cover]Cover{} // the same proof may cover many items
	for i := range r.Checklist {
		item := &r.Checklist[i]
		verdicts := []contracts.Verdict{}
		for k := range item.CoveredBy {
			c := &item.CoveredBy[k]
			done, ok := known[c.Cover]
			if !ok {
				done = r.judgeCover(*c)
				known[c.Cover] = done
			}
			*c = done
			verdicts = append(verdicts, c.Verdict)
		}
		item.Verdict = worst(verdicts)
		g.count(*item)
	}
	g.Open = g.Pass == g.Required
	r.Gate = &g
}

func (g *Gate) count(item Item) {
	if !item.Required {
		g.Optional++
		return
	}
	g.Required++
	switch item.Verdict {
	case contracts.Pass:
		g.Pass++
	case contracts.Fail, contracts.Unstable:
		g.Fail++
	case NotCovered:
		g.NotCovered++
	case contracts.Error:
		g.Error++
	default:
		g.Inconclusive++
	}
}

// worst decides for an item with several covers: what was violated, then what is missing, then what was not shown. No covers are not covered.
func worst(covers []contracts.Verdict) contracts.Verdict {
	for _, v := range []contracts.Verdict{contracts.Fail, contracts.Unstable, NotCovered} {
		if slices.Contains(covers, v) {
			return v
		}
	}
	if len(covers) == 0 {
		return NotCovered
	}
	return contracts.Worst(covers...)
}

// judgeCover says what the trials show of one cover.
func (r *Report) judgeCover(c Cover) Cover {
	var trials []Trial
	for _, t := range r.Trials {
		if c.In(t.Experiment, t.Spec) {
			trials = append(trials, t)
		}
	}
	c.Ran, c.Failed = len(trials), nil
	if c.Kind == contracts.CoverExperiment || c.Kind == contracts.CoverContract {
		c.byVerdicts(trials)
	} else {
		c.byReasons(trials)
	}
	switch {
	case c.Ran >= c.Trials || c.Verdict == contracts.Fail || c.Verdict == contracts.Unstable:
	case r.Interrupted || len(r.Errors) > 0: // it was to be run
		c.Verdict, c.Text = contracts.Inconclusive, fmt.Sprintf("the run was cut short: %d of %s ran", c.Ran, count(c.Trials, "trial"))
	case c.Ran == 0:
		c.Verdict, c.Text = NotCovered, "it was not run: 0 of "+count(c.Trials, "trial")
	default:
		c.Verdict, c.Text = NotCovered, fmt.Sprintf("it was run in part: %d of %s", c.Ran, count(c.Trials, "trial"))
	}
	return c
}

// byVerdicts is for experiments and contracts: every experiment passes, or is unstable and may be.
func (c *Cover) byVerdicts(trials []Trial) {
	byName := map[string][]Trial{}
	var names []string
	for _, t := range trials {
		if byName[t.Experiment] == nil {
			names = append(names, t.Experiment)
		}
		byName[t.Experiment] = append(byName[t.Experiment], t)
	}
	var verdicts []contracts.Verdict
	passed, wobbly := 0, 0
	for _, name := range names {
		e := newExperiment(name, byName[name])
		passed += e.Pass
		v := e.Verdict
		if v == contracts.Unstable && e.AllowUnstable {
			wobbly++
			v = contracts.Pass
			if e.Error+e.Inconclusive > 0 {
				v = contracts.Inconclusive
			}
		}
		verdicts = append(verdicts, v)
		if v == contracts.Fail || v == contracts.Unstable {
			c.failedIn(byName[name])
		}
	}
	c.Verdict = contracts.Worst(verdicts...)
	c.Text = fmt.Sprintf("%d of %s passed", passed, count(len(trials), "trial"))
	if wobbly > 0 {
		c.Text += ", as an experiment that may be unstable allows"
	}
}

func (c *Cover) failedIn(trials []Trial) {
	for _, t := range trials {
		if t.Verdict == contracts.Fail && len(c.Failed) < maxFailed {
			c.Failed = append(c.Failed, t.Title)
		}
	}
}

// byReasons is for proofs, invariants and traffic: held somewhere, violated nowhere, and no trial that should have shown it was lost.
func (c *Cover) byReasons(trials []Trial) {
	held, open, silent, blind := 0, 0, 0, 0
	for _, t := range trials {
		v := c.Shown(contracts.Judgment{Verdict: t.Verdict, Reasons: t.Reasons}, t.Observation, t.Timeline)
		switch {
		case v == contracts.Pass && c.Blind(t.Spec):
			open++
			blind++
		case v == contracts.Pass:
			held++
		case v == "", v == contracts.Fail && t.AllowUnstable: // its experiment answers for that
			silent++
		case v == contracts.Fail:
			c.failedIn([]Trial{t})
		default:
			open++
		}
	}
	parts := []string{fmt.Sprintf("held in %s", count(held, "trial"))}
	if n := len(trials) - held - open - silent; n > 0 {
		parts = append([]string{fmt.Sprintf("failed in %s", count(n, "trial"))}, parts...)
	}
	if open > 0 {
		parts = append(parts, fmt.Sprintf("not shown in %d", open))
	}
	if silent > 0 {
		parts = append(parts, fmt.Sprintf("not asked in %d", silent))
	}
	c.Text = strings.Join(parts, ", ")
	if blind > 0 {
		c.Text += ": no proof asks more than service.ready does, so a lie is not found"
	}
	switch {
	case len(c.Failed) > 0:
		c.Verdict = contracts.Fail
	case open > 0 || held == 0:
		c.Verdict = contracts.Inconclusive
	default:
		c.Verdict = contracts.Pass
	}
}

// gateCode adds what the list asks for to an exit code: 1 for a required item that failed or is not covered, also where chaos failed (what
// it could not run is inconclusive, not missing), 3 for one that was not shown.
func (r *Report) gateCode(code int) int {
	g := r.Gate
	switch {
	case g == nil || !g.Enforced || code == ExitViolated:
		return code
	case g.Fail > 0, g.NotCovered > 0:
		return ExitViolated
	case code == ExitHarness || g.Error > 0:
		return ExitHarness
	case g.Inconclusive > 0:
		return ExitInconclusive
	}
	return code
}
