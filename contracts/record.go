package contracts

import (
	"github.com/chaos-startup/chaos/expressions"
	"github.com/chaos-startup/chaos/timeline"
)

// record is what the trace shows as expressions see it: the figures of the report, each with the events that show it.
func (t *trace) record() *expressions.Record {
	r := expressions.NewRecord()
	o := t.observe()
	t.recordTrial(r, o.Outcome)
	for _, name := range sortedNames(o.Dependencies) {
		t.recordDependency(r, name, o.Dependencies[name])
	}
	for _, p := range t.phases() {
		phase := r.Add("phase", p.Name).Set("begin_ms", p.BeginMS).Set("end_ms", p.EndMS).Set("exact", p.Exact).Shown(p.begin, p.end)
		if p.EndMS != nil {
			phase.Set("took_ms", *p.EndMS-p.BeginMS)
		}
	}
	for i, f := range o.Faults {
		fault := r.Add("fault", f.Text).Set("on", f.On).Set("kind", f.Kind).Set("armed_ms", f.ArmedMS).Set("first_bite_ms", f.FirstBiteMS).
			Set("connections_hit", f.ConnectionsHit).Set("bytes_hit", f.BytesHit).Shown(t.firstBite(i))
		if lift := t.lifted(i); lift >= 0 {
			fault.Set("lifted_ms", t.ms(lift)).Shown(lift)
		}
		for _, s := range t.faults[i] {
			fault.Shown(s.armed)
		}
	}
	for i, p := range o.Readiness {
		proof := r.Add("proof", p.Name)
		if last := t.proofs[i].last(); last >= 0 {
			proof.Set("ok", p.OK).Set("at_ms", p.AtMS).Set("error", filled(p.Error)).Set("excused", filled(p.Excused)).Shown(last)
		}
	}
	if measured := t.all(timeline.Process, 0, len(t.ev)); len(measured) > 0 {
		r.Variable("process").SetAll(o.Process).Shown(measured[len(measured)-1])
	}
	t.recordTraffic(r, o.Traffic)
	return r
}

func (t *trace) recordTrial(r *expressions.Record, o Outcome) {
	trial := r.Variable("trial").Set("outcome", string(o.Class)).Set("ready_ms", o.ReadyMS).Set("false_ready_ms", o.FalseReadyMS).
		Set("restarts", o.Restarts).Set("ended_ms", t.endMS()).Set("budget_ms", t.spec.Budget.MS()).Set("control", t.spec.Control).
		Shown(t.outcomeAt())
	if exit := t.lastExit(); exit >= 0 {
		trial.Set("exited_ms", t.ms(exit)).Set("exit_code", t.ev[exit].Code).Set("signal", filled(t.ev[exit].Signal)).Shown(exit)
	}
	asked := t.first(timeline.Stop, 0, len(t.ev))
	if exit := t.first(timeline.Exit, asked, len(t.ev)); asked >= 0 && exit > asked {
		trial.Set("stop_ms", t.ms(exit)-t.ms(asked)).Shown(asked, exit)
	}
}

func (t *trace) recordDependency(r *expressions.Record, name string, f DependencyFigures) {
	d := r.Add("dependency", name).Set("required", t.spec.Dependencies[name].Required).Set("attempts", f.Attempts).Set("refused", f.Refused).
		Set("attempt_ms", f.AttemptMS)
	if f.Attempts != nil {
		own := 0
		for _, r := range t.runs {
			at, _ := t.attempts(name, r)
			_, its := t.counted(name, at)
			own += its
		}
		d.Set("own_attempts", own)
	}
	alone := t.spec.Replicas < 2
	if alone || intercepted(t.ev) {
		d.Set("accepted", f.Accepted)
	}
	if alone { // the proxies count those of all replicas together
		d.Set("open_at_end", f.OpenAtEnd).Set("bytes_up", f.BytesUp).Set("bytes_down", f.BytesDown)
	}
	if s := f.Retries; s != nil {
		d.Set("retry_attempts", s.Attempts).Set("retry_lasted_ms", s.LastedMS).Set("retry_pauses_ms", s.PausesMS).Set("retry_growth", s.Growth).
			Set("retry_jitter", s.Jitter).Set("retry_amplification", s.Amplification).Set("retry_end", s.End)
	}
	first, last := -1, -1
	for i, e := range t.ev {
		switch {
		case e.Dependency != name:
		case e.Kind == timeline.Dependency:
			d.Shown(i)
		case e.Kind == timeline.Connect && i < t.end:
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first >= 0 {
		d.Set("first_attempt_ms", t.ms(first)).Set("last_attempt_ms", t.ms(last)).Shown(first, last)
	}
}

// recordTraffic adds what the load came to; without one nothing of it has a value.
func (t *trace) recordTraffic(r *expressions.Record, f *TrafficFigures) {
	if f == nil {
		return
	}
	known := func(ms float64) *float64 { // a generator that was late itself says nothing about times
		if ms == 0 || t.spec.Traffic != nil && t.lagged(f) {
			return nil
		}
		return &ms
	}
	figures := func(o *expressions.Object, q RequestFigures) *expressions.Object {
		return o.Set("requests", q.Requests).Set("ok", q.OK).Set("errors", q.Errors).Set("errors_by_kind", q.ErrorsByKind).
			Set("p50_ms", known(q.P50MS)).Set("p95_ms", known(q.P95MS)).Set("p99_ms", known(q.P99MS)).Set("max_ms", known(q.MaxMS)).Shown(t.trafficSummary())
	}
	figures(r.Variable("traffic"), f.RequestFigures).Set("result", f.Result).Set("early", f.Early).Set("lag_p99_ms", f.LagP99MS)
	for _, s := range f.Steps {
		figures(r.Add("traffic_step", s.Name), s.RequestFigures)
	}
}

// filled is the text, or nil when it is empty: then it has no value.
func filled(text string) any {
	if text == "" {
		return nil
	}
	return text
}
