package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// Several instances of the service run side by side against the same proxies, resolver and faults. Each is a trial of its own for all that
// belongs to one process: its folder, ports, files, log, phases, claims and proofs. Its events carry its number. What they share belongs to
// their lead, which runs no process itself: so a fault has one state, and one gate orders what all of them say and do.

// crew is how far the replicas have come, for the faults that last for a phase. The lead's gate held.
type crew struct {
	begun  map[string]bool // phases that some replica has begun
	closed map[string]bool // phases that all have left
	passed map[string]bool // of a replica: the phases that it has left
	out    bool            // of a replica: it is gone
}

// makeReplicas prepares the instances.
func (t *trial) makeReplicas(ctx context.Context) error {
	t.crew = crew{begun: map[string]bool{}, closed: map[string]bool{}}
	for n := 1; n <= t.plan.Service.Replicas; n++ {
		r := t.suite.newTrial(t.index)
		r.lead, r.replica, r.started = t, n, t.started
		r.marker = fmt.Sprintf("%s-r%d", t.marker, n)
		r.dir = filepath.Join(t.dir, fmt.Sprintf("replica%d", n))
		r.recorder, r.gate, r.injector = t.recorder.Of(n), t.gate, t.injector
		r.dependencies, r.naming, r.baseline, r.requests = t.dependencies, t.naming, t.baseline, t.requests
		r.crew.passed = map[string]bool{}
		t.replicas = append(t.replicas, r)
		if err := r.prepareReplica(ctx); err != nil {
			return fmt.Errorf("replica %d: %w", n, err)
		}
	}
	return nil
}

func (t *trial) prepareReplica(ctx context.Context) error {
	if err := os.Mkdir(t.dir, 0o755); err != nil { // #nosec G301 -- a service may run as another user
		return fmt.Errorf("make the replica's folder: %w", err)
	}
	if err := t.prepareWatching(); err != nil {
		return err
	}
	return t.prepareService(ctx)
}

// observeReplicas watches all instances until there is nothing more to see of any.
func (t *trial) observeReplicas(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if t.suite.intercepting != nil {
		t.recorder.Add(timeline.Event{Kind: timeline.MissingEvidence, Text: "no connect interceptor: which replica made a connection is not known"})
	}
	errs := make([]error, len(t.replicas))
	var all sync.WaitGroup
	for i, r := range t.replicas {
		all.Go(func() {
			if errs[i] = r.observe(ctx); errs[i] != nil {
				cancel() // the trial is an error: the others need not go on
			}
		})
	}
	all.Wait()
	t.recordAllFigures()
	return errors.Join(errs...)
}

// endReplicas stops the instances, side by side as they were started, and gives back what belongs to each.
func (t *trial) endReplicas(ctx context.Context) {
	var all sync.WaitGroup
	for _, r := range t.replicas {
		all.Go(func() {
			r.stopService(ctx)
			r.closeProcess()
			r.keepLast()
			r.releasePorts()
		})
	}
	all.Wait()
}

// phaseChanged tells the faults of a phase that began or ended. Of several instances the first to begin it counts, and the last to leave it:
// a fault during a phase is on for all who go through it. Gate held.
func (t *trial) phaseChanged(c phases.Change) {
	switch {
	case t.lead == nil:
		t.injector.change(c)
	case !c.Begin:
		t.crew.passed[c.Phase] = true
		t.lead.leave(c)
	case !t.lead.crew.begun[c.Phase]:
		t.lead.crew.begun[c.Phase] = true
		t.injector.change(c)
	}
}

// left notes that a replica is gone: it will not leave the phases that others are in. Gate held.
func (t *trial) left() {
	if t.lead == nil {
		return
	}
	t.crew.out = true
	for _, phase := range slices.Sorted(maps.Keys(t.lead.crew.begun)) {
		t.lead.leave(phases.Change{Phase: phase, Source: sourceExit, Exact: true})
	}
}

// sourceExit is the source of a phase's end that only the exit caused.
const sourceExit = "exit"

// leave ends a phase for the faults when no replica is in it, or may still come into it.
func (t *trial) leave(c phases.Change) {
	if !t.crew.begun[c.Phase] || t.crew.closed[c.Phase] {
		return
	}
	for _, r := range t.replicas {
		if !r.crew.passed[c.Phase] && !r.crew.out {
			return
		}
	}
	t.crew.closed[c.Phase] = true
	t.injector.change(c)
}
