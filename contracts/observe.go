package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// maxAttemptTimes bounds DependencyFigures.AttemptMS: a retry storm must not double the size of a report. The runner notes no more either.
const maxAttemptTimes = 1000

// Observe tells what the events show, without any opinion about it. It accepts any list of events, also an empty one.
func Observe(s Spec, events []timeline.Event) Observation {
	if s.Replicas > 1 {
		return observeReplicas(s, events)
	}
	first, again := starts(events)
	t := newTrace(s, first)
	o := t.observe()
	if len(again) > 0 {
		o.ThenRestart = ref(t.again(again).outcome())
	}
	return o
}

func (t *trace) observe() Observation {
	o := Observation{
		Outcome:      t.outcome(),
		Phases:       []PhaseSpan{},
		Faults:       t.faultSpans(),
		Dependencies: t.figuresAndRetries(),
		Readiness:    t.results(),
		Traffic:      t.trafficFigures(),
		FalseReady:   t.falseWindows(),
	}
	for _, p := range t.phases() {
		o.Phases = append(o.Phases, p.PhaseSpan)
	}
	for _, e := range t.ev {
		if e.Kind != timeline.Process {
			continue
		}
		for k, v := range e.Count {
			if o.Process == nil {
				o.Process = map[string]float64{}
			}
			if k == "max_rss_bytes" {
				v = max(v, o.Process[k])
			}
			o.Process[k] = v
		}
	}
	return o
}

// outcome classifies what the service did until observation ended. A lie about being ready outranks what came after it.
func (t *trace) outcome() Outcome {
	o := Outcome{Class: Unknown, AtMS: t.endMS(), Restarts: len(t.all(timeline.Restart, 0, t.stop))}
	exit := t.lastExit()
	if exit >= 0 {
		o.ExitCode, o.Signal = t.ev[exit].Code, t.ev[exit].Signal
	}
	budget := t.first(timeline.Budget, 0, t.stop)
	stands := t.standing()
	switch {
	case stands != nil:
		o.Class, o.AtMS, o.ReadyMS = Ready, t.ms(stands.at), ref(t.ms(stands.at))
		o.ExitCode, o.Signal = nil, ""
		if stands.degraded {
			o.Class = Degraded
		}
	case o.Restarts > 0:
		o.Class = Restarting
		if exit >= 0 {
			o.AtMS = t.ms(exit)
		}
	case exit >= 0:
		o.Class, o.AtMS = Exited, t.ms(exit)
	case budget >= 0:
		o.Class, o.AtMS = Hung, t.ms(budget)
	case t.started() && t.ended():
		// It had been ready and was no longer when observation ended: alive and not ready.
		o.Class = Hung
	}
	if asked := t.asked(); asked >= 0 {
		o = t.stopped(o, asked)
	}
	if lies := t.lies(); len(lies) > 0 {
		o.Class, o.AtMS = FalseReady, t.ms(lies[0].claim)
		o.FalseReadyMS, o.FalseReadyWithinMS = ref(0.0), &[2]float64{}
		for _, l := range lies {
			*o.FalseReadyMS += l.about
			o.FalseReadyWithinMS[0] += l.least
			o.FalseReadyWithinMS[1] += l.most
		}
	}
	if l, asked := t.lateness(); asked {
		o.LateReadyMS = ref(l.ms())
	}
	return o
}

// outcomeAt returns the position of the event that shows the outcome best.
func (t *trace) outcomeAt() int {
	if asked := t.asked(); asked >= 0 {
		return max(asked, t.first(timeline.Exit, asked, len(t.ev)))
	}
	if c := t.standing(); c != nil {
		return c.at
	}
	if exit := t.lastExit(); exit >= 0 {
		return exit
	}
	if over := t.first(timeline.Budget, 0, t.stop); over >= 0 {
		return over
	}
	return t.lastMoment()
}

// ended reports whether observation ended in an orderly way: the runner said so, or began to stop the service.
func (t *trace) ended() bool { return t.end < len(t.ev) }

// lastExit returns the position of the last exit that the service made by itself, or -1.
func (t *trace) lastExit() int {
	last := -1
	for _, r := range t.runs {
		last = max(last, r.exit)
	}
	return last
}

// figures is the part of an observation about dependencies: the runner's own figures, and what the connections show.
func (t *trace) figures() map[string]DependencyFigures {
	out := map[string]DependencyFigures{}
	for name := range t.spec.Dependencies {
		out[name] = DependencyFigures{}
	}
	for i, e := range t.ev {
		f, known := out[e.Dependency]
		if !known || i > t.end && e.Kind != timeline.Dependency {
			continue
		}
		switch e.Kind {
		case timeline.Connect:
			if len(f.AttemptMS) < maxAttemptTimes {
				f.AttemptMS = append(f.AttemptMS, e.MS)
			}
		case timeline.Accept:
			f.Accepted++
		}
		out[e.Dependency] = f
	}
	for _, e := range t.ev {
		if f, known := out[e.Dependency]; known && e.Kind == timeline.Dependency {
			out[e.Dependency] = f.with(e.Count)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// figuresAndRetries is figures with how each dependency was tried again.
func (t *trace) figuresAndRetries() map[string]DependencyFigures {
	out := t.figures()
	for name, f := range out {
		f.Retries = t.retries(name)
		out[name] = f
	}
	return out
}

// with returns f with the runner's own figures laid over it. A missing key was not observable.
func (f DependencyFigures) with(count map[string]float64) DependencyFigures {
	if v, ok := count["attempts"]; ok {
		f.Attempts = ref(whole(v))
	}
	if v, ok := count["refused"]; ok {
		f.Refused = ref(whole(v))
	}
	if v, ok := count["accepted"]; ok {
		f.Accepted = whole(v)
	}
	f.OpenAtEnd = whole(count["open_at_end"])
	f.BytesUp, f.BytesDown = int64(whole(count["bytes_up"])), int64(whole(count["bytes_down"]))
	return f
}
