package runner

import (
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// newReport is the report before anything was run.
func (s *suite) newReport() *reports.Report {
	r := reports.New(s.o.Tool, s.plan.File.Path, s.plan.Seed, time.Now())
	for _, c := range s.plan.Coverage() {
		item := reports.Item{Name: c.Name, Reason: c.Why, Tags: c.Tags, Required: c.Required, Verdict: reports.NotCovered, CoveredBy: []reports.Cover{}}
		for _, shown := range c.Shown {
			item.CoveredBy = append(item.CoveredBy, reports.Cover{Cover: shown.Cover, Trials: shown.Trials, Verdict: reports.NotCovered})
		}
		r.Checklist = append(r.Checklist, item)
	}
	if len(r.Checklist) > 0 {
		r.Gate = &reports.Gate{Enforced: s.o.Gate}
	}
	return r
}

// describe adds what the run found out about its surroundings.
func (s *suite) describe(r *reports.Report) {
	for _, u := range s.upstreams {
		r.Dependencies = append(r.Dependencies, reports.Dependency{
			Name: u.spec.Name, Version: u.version, Address: u.address, Standin: u.standin, Required: u.spec.Required,
		})
	}
	if s.intercepting != nil {
		r.EvidenceMissing = append(r.EvidenceMissing, "no connect interceptor: "+s.intercepting.Error())
	}
}

// result judges one trial by itself; whether its control passed is settled at the end.
func (s *suite) result(t *trial, events []timeline.Event) reports.Trial {
	r := s.skipped(t.index)
	r.Timeline = events
	r.Judge()
	return r
}

// skipped is the result of a trial that was not run: its control failed, or the run was interrupted.
func (s *suite) skipped(i int) reports.Trial {
	t := s.plan.Trials[i]
	r := reports.Trial{
		Title: t.Title(), Experiment: t.Experiment, Repeat: t.Repeat, Repeats: t.Repeats, Seed: t.Seed, Control: t.Control, Start: t.Start,
		Spec: t.Spec(), AllowUnstable: t.AllowUnstable, Replay: s.o.Replay(t.Title()),
		Verdict: contracts.Inconclusive,
	}
	if len(t.Cell) > 0 {
		r.Cell = map[string]string{}
	}
	for _, a := range t.Cell {
		r.Cell[a.Name] = a.Value
	}
	return r
}
