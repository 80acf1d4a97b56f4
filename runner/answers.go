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

// answering is which questions of the present incarnation were asked, and when. Safe for concurrent use.
type answering struct {
	mu    sync.Mutex
	begun map[string]time.Time // when the last ask of each was begun that is over; zero: none is
	claim bell                 // rung at each claim: all is asked at once
}

// begin starts anew with questions that were never asked.
func (a *answering) begin(questions []question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun = map[string]time.Time{}
	for _, q := range questions {
		a.begun[q.name] = time.Time{}
	}
}

func (a *answering) over(name string, begun time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begun[name] = begun
}

// since reports whether each question was asked after a moment.
func (a *answering) since(moment time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, begun := range a.begun {
		if begun.Before(moment) {
			return false
		}
	}
	return true
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
		out = append(out, question{q.Name, t.requests.of(probe, 1, false), spec.Timing().Timeout})
	}
	return out, nil
}

// followAnswers asks each question of the present incarnation until ctx ends, and notes when its answer changes.
func (t *trial) followAnswers(ctx context.Context, watchers *sync.WaitGroup) {
	questions, err := t.questions()
	if err != nil {
		t.harness(err)
	}
	t.answering.begin(questions)
	for _, q := range questions {
		watchers.Go(func() { t.followAnswer(ctx, q) })
	}
}

func (t *trial) followAnswer(ctx context.Context, q question) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	asked, before := false, false
	for {
		claim, begun := t.answering.claim.next(), time.Now()
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
		t.answering.over(q.name, begun)
		t.wake()
		select {
		case <-tick.C:
		case <-claim:
		case <-ctx.Done():
			return
		}
	}
}
