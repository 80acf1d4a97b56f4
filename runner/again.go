package runner

import (
	"context"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// startAgain ends the service if it still runs, lifts every fault, and watches it start once more against what it has left behind: the same
// databases, files, ports and folder.
func (t *trial) startAgain(ctx context.Context) error {
	t.stopService(context.WithoutCancel(ctx))
	t.gate.Do(func() { t.injector.heal("the start under it is over") })
	t.injector.timers.Wait()
	for _, d := range t.dependencies {
		t.summarise(d)
	}
	t.summarised = true
	t.closeProcess() // the next one has the same marker
	t.claims.lost()
	t.load.generator, t.load.plan = nil, nil // users come once
	t.usage = usage{unreadable: t.usage.unreadable}
	t.gate.Do(func() { t.tracker.Reset() })
	t.restarted = true
	t.recorder.Add(timeline.Event{Kind: timeline.Again, Text: "no fault is on, and what the first start left behind is there"})
	limit := t.plan.ThenRestart.Within.D()
	if limit == 0 {
		limit = t.service.Budget.D()
	}
	return t.watch(ctx, t.starts+1, max(limit, time.Millisecond))
}
