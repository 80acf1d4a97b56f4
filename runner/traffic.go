package runner

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/loadgen"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
	"github.com/chaos-startup/chaos/traffic"
)

// maxOpenRequests bounds how many requests of one trial are open at a time.
const maxOpenRequests = 2048

// lastAnswers is how long the answers to requests may take that were open when the service's process ended: it will send none any more,
// and whoever reads learns that at once.
const lastAnswers = 500 * time.Millisecond

// load is the traffic of one trial. Its zero value is none.
type load struct {
	plan      *experiments.Traffic // rendered; nil: none
	generator *loadgen.Generator

	running  sync.WaitGroup
	sending  context.CancelFunc
	requests context.CancelFunc
	over     atomic.Bool // everything was sent and answered
	told     bool        // its events are in the timeline
}

// renderTraffic makes the steps of the load: they go straight to the service.
func (t *trial) renderTraffic(ctx context.Context) error {
	if t.plan.Traffic == nil {
		return nil
	}
	plan, err := experiments.Render(*t.plan.Traffic, t.lookup(ctx, forProbes))
	if err != nil {
		return fmt.Errorf("traffic: %w", err)
	}
	t.load.plan = &plan
	steps := make([]loadgen.Step, len(plan.Steps))
	for i, s := range plan.Steps {
		kind, _ := s.Kind()
		probe, err := probes.New(s.Spec, probes.Env{})
		if err != nil {
			return fmt.Errorf("traffic: step %q: %w", s.Name, err)
		}
		steps[i] = loadgen.Step{Name: s.Name, Weight: s.Weight, Kind: kind, Probe: t.requests.of(probe, requestsOf(s.Spec), true), Timeout: s.Timing().Timeout}
	}
	t.load.generator = loadgen.New(traffic.Load{
		Users: plan.Users, Pace: plan.Pace.D(), Rate: float64(plan.Rate), Poisson: plan.Arrivals == "poisson", Stampede: plan.Stampede,
		For: plan.For.D(), FromStart: plan.From == "start", Seed: t.plan.Seed,
	}, steps, openRequests())
	return nil
}

// openRequests leaves most descriptors to everything else of a run.
func openRequests() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return maxOpenRequests
	}
	return int(min(maxOpenRequests, max(64, l.Cur/4))) // #nosec G115 -- it is at most 2048
}

// startTraffic lets the load begin, once the service was started for the first time.
func (t *trial) startTraffic(ctx context.Context) {
	l := &t.load
	if l.generator == nil || l.sending != nil {
		return
	}
	requests, cut := context.WithCancel(ctx)
	sending, stop := context.WithCancel(requests)
	l.sending, l.requests = stop, cut
	begin := t.process.Started()
	l.running.Go(func() {
		l.generator.Run(sending, requests, begin)
		if sending.Err() == nil {
			l.over.Store(true)
		}
		t.wake()
	})
}

// trafficClaimed tells the load that the service claims to be ready. It never waits.
func (t *trial) trafficClaimed(at time.Time) {
	if t.load.generator != nil {
		t.load.generator.Claimed(at)
	}
}

// trafficOver says whether nothing more is to be seen of the load.
func (t *trial) trafficOver() bool { return t.load.generator == nil || t.load.over.Load() }

// trafficExited notes that the service's process ended.
func (t *trial) trafficExited(at time.Time) {
	if t.load.generator != nil {
		t.load.generator.Exited(at)
	}
}

// endTraffic ends the load and notes what it came to. gone: the service's process has ended for good.
func (t *trial) endTraffic(gone bool) {
	l := &t.load
	if l.sending == nil || l.told {
		return
	}
	l.told = true
	l.sending()
	if gone {
		patience := time.AfterFunc(lastAnswers, l.requests)
		l.running.Wait()
		patience.Stop()
	}
	l.requests()
	l.running.Wait()
	began, ok := l.generator.Started()
	if !ok {
		return
	}
	result := "complete"
	switch {
	case l.over.Load():
	case gone:
		result = "exited"
	default:
		result = "interrupted"
	}
	t.recorder.AddAt(began, timeline.Event{Kind: timeline.TrafficBegin, Text: t.spec.Traffic.Text})
	for _, e := range l.generator.Events(result) {
		e.Error = t.suite.mask(e.Error)
		t.recorder.AddAt(began.Add(e.At), e.Event)
	}
}
