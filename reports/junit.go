package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/chaos-startup/chaos/contracts"
)

// WriteJUnit writes the report as JUnit XML: a suite for each experiment and one for the controls, a test case for each trial. A
// violated contract is a failure, a failed harness or set-up an error; what is inconclusive, or fails where the experiment is allowed to be
// unstable, is skipped, and says why.
func WriteJUnit(w io.Writer, r *Report) error {
	all := junit.Testsuites{Name: clean(firstOf(r.File, "chaos")), Time: secondsText(r.DurationMS)}
	byName := map[string][]Trial{}
	for _, t := range r.Trials {
		if t.Control {
			byName[""] = append(byName[""], t)
			continue
		}
		byName[t.Experiment] = append(byName[t.Experiment], t)
	}
	if controls := byName[""]; len(controls) > 0 {
		all.AddSuite(newSuite(r, "controls", len(all.Suites), controls, false))
	}
	for _, e := range r.Experiments {
		tolerated := e.AllowUnstable && e.Verdict == contracts.Unstable
		suite := newSuite(r, e.Name, len(all.Suites), byName[e.Name], tolerated)
		suite.AddProperty("verdict", string(e.Verdict))
		if e.PassRate != nil {
			suite.AddProperty("pass_rate", fmt.Sprintf("%.3f", *e.PassRate))
			suite.AddProperty("wilson95", fmt.Sprintf("%.3f..%.3f", e.Wilson95[0], e.Wilson95[1]))
		}
		all.AddSuite(suite)
	}
	if len(r.Checklist) > 0 {
		all.AddSuite(checklistSuite(r, len(all.Suites)))
	}
	if len(r.Errors) > 0 {
		all.AddSuite(errorSuite(r, len(all.Suites)))
	}
	if _, err := io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"); err != nil {
		return fmt.Errorf("write report as JUnit XML: %w", err)
	}
	if err := all.WriteXML(w); err != nil {
		return fmt.Errorf("write report as JUnit XML: %w", err)
	}
	return nil
}

func newSuite(r *Report, name string, id int, trials []Trial, tolerated bool) junit.Testsuite {
	s := junit.Testsuite{Name: clean(name), ID: id, File: clean(r.File)}
	if !r.Started.IsZero() {
		s.SetTimestamp(r.Started)
	}
	s.AddProperty("seed", fmt.Sprint(r.Seed))
	for _, d := range r.Dependencies {
		if d.Standin {
			s.AddProperty("stand-in", clean(d.Name+": "+d.Version))
		}
	}
	total := 0.0
	for _, t := range trials {
		total += t.DurationMS()
		s.AddTestcase(newTestcase(name, t, tolerated))
	}
	s.Time = secondsText(total)
	return s
}

func newTestcase(suite string, t Trial, tolerated bool) junit.Testcase {
	c := junit.Testcase{Name: clean(t.Title), Classname: clean(suite), Time: secondsText(t.DurationMS()), Status: string(t.Verdict)}
	if t.Verdict == contracts.Pass {
		return c
	}
	result := &junit.Result{Data: details(t)}
	if reasons := told(t); len(reasons) > 0 {
		result.Message, result.Type = oneLine(reasons[0].Text), reasons[0].Rule
	}
	switch {
	case t.failedSetUp():
		c.Error = result // it is about the set-up, and nothing that depends on it was judged
	case t.Verdict == contracts.Fail && tolerated:
		result.Message = "allowed to be unstable: " + result.Message
		c.Skipped = result
	case t.Verdict == contracts.Fail:
		c.Failure = result
	case t.Verdict == contracts.Error:
		c.Error = result
	default:
		c.Skipped = result
	}
	return c
}

// errorSuite holds what failed in the harness outside of any trial.
func errorSuite(r *Report, id int) junit.Testsuite {
	s := junit.Testsuite{Name: "chaos", ID: id, Time: secondsText(0)}
	for i, text := range r.Errors {
		s.AddTestcase(junit.Testcase{
			Name: fmt.Sprintf("harness %d", i+1), Classname: "chaos", Time: secondsText(0), Status: string(contracts.Error),
			Error: &junit.Result{Message: oneLine(text), Type: "harness", Data: cdata(text)},
		})
	}
	return s
}

// details is what the text format tells of a trial.
func details(t Trial) string {
	var b strings.Builder
	reasons := told(t)
	for _, r := range reasons {
		fmt.Fprintf(&b, "%s: %s\n", r.Rule, oneLine(r.Text))
	}
	for _, l := range sliceText(t) {
		b.WriteString(l + "\n")
	}
	for _, next := range nexts(reasons) {
		fmt.Fprintf(&b, "do: %s\n", oneLine(next))
	}
	if t.Replay != "" {
		fmt.Fprintf(&b, "replay: %s\n", t.Replay)
	}
	return cdata(b.String())
}

// cdata cleans a text for a CDATA section, which encoding/xml splits at its own end marker but does not check for characters.
func cdata(text string) string { return clean(text) }

func secondsText(ms float64) string { return fmt.Sprintf("%.3f", ms/1000) }
