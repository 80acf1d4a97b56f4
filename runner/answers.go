package runner

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// askEvery is how often the service is asked what its orchestrator would ask: often enough to know when an answer changes, seldom enough not
// to be felt.
const askEvery = 100 * time.Millisecond

// question is something that the orchestrator would ask over HTTP and that the service's own ready probe does not stand for.
type question struct {
	name  string // of the orchestrator's probe
	probe probes.Probe
	limit time.Duration
}

// questions makes what is to be asked: the orchestrator's paths that differ from that of service.ready, on its address. What goes to a port that
// the trial does not know is only noted.
func (t *trial) questions() ([]question, error) {
	ready := t.service.Ready
	if !t.spec.AsksToSurvive() || ready == nil {
		return nil, nil
	}
	base := &url.URL{}
	if ready.HTTP != nil {
		var err error
		if base, err = url.Parse(ready.HTTP.URL); err != nil {
			return nil, fmt.Errorf("service.ready: %w", err)
		}
	}
	var out []question
	for _, q := range t.spec.Orchestrator.Questions(base.Port()) {
		if q.Why != "" {
			t.recorder.Add(timeline.Event{Kind: timeline.MissingEvidence, Source: orchestrators.Source, Name: q.Name, Text: q.Why})
		}
		if q.Why != "" || ready.HTTP == nil || q.Path == base.Path {
			continue
		}
		to := *base
		to.Path, to.RawPath, to.RawQuery = q.Path, "", ""
		spec := probes.Spec{HTTP: &probes.HTTP{URL: to.String()}}
		probe, err := probes.New(spec, probes.Env{})
		if err != nil {
			return nil, fmt.Errorf("orchestrator: %s: %w", q.Name, err)
		}
		out = append(out, question{q.Name, probe, spec.Timing().Timeout})
	}
	return out, nil
}

// followAnswers asks each question of the present incarnation until ctx ends, and notes when its answer changes.
func (t *trial) followAnswers(ctx context.Context, watchers *sync.WaitGroup) {
	questions, err := t.questions()
	if err != nil {
		t.harness(err)
	}
	for _, q := range questions {
		watchers.Go(func() { t.followAnswer(ctx, q) })
	}
}

func (t *trial) followAnswer(ctx context.Context, q question) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	asked, before := false, false
	for {
		one, cancel := context.WithTimeout(ctx, q.limit)
		_, err := q.probe(one)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if yes := err == nil; !asked || yes != before {
			e := timeline.Event{Kind: timeline.Answer, Name: q.name, OK: &yes}
			if err != nil {
				e.Error = t.mask(err.Error())
			}
			t.recorder.Add(e)
			asked, before = true, yes
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
