package runner

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/timeline"
	"golang.org/x/sys/unix"
)

// healTimeout bounds every step of a trial's clean-up.
const healTimeout = 10 * time.Second

// end notes that observation is over and takes the figures while the service still runs.
func (t *trial) end(why string) {
	t.endTraffic(false)
	if t.lead == nil {
		t.recordAllFigures()
	}
	t.recorder.Add(timeline.Event{Kind: timeline.End, Text: why})
	if !t.isGone() && !t.askedToStop() {
		t.lookLast()
	}
}

func (t *trial) recordAllFigures() {
	for _, d := range t.dependencies {
		t.recordFigures(d)
	}
}

func (t *trial) recordFigures(d *dependency) {
	s := d.proxy.Stats()
	count := map[string]float64{
		"accepted": float64(s.Accepted), "open_at_end": float64(s.Open),
		"bytes_up": float64(s.BytesUp), "bytes_down": float64(s.BytesDown),
	}
	if t.suite.intercepting == nil {
		count["attempts"], count["refused"] = float64(s.Attempts), float64(s.Refused)
	}
	t.recorder.Add(timeline.Event{Kind: timeline.Dependency, Dependency: d.name, Count: count})
}

// finish stops the service, lifts every fault and gives everything back. Whatever can't be cleaned up is a harness error.
func (t *trial) finish(ctx context.Context) {
	t.endReplicas(ctx)
	t.stopService(ctx)
	if t.injector != nil {
		t.gate.Do(func() { t.injector.heal("the trial is over") })
		t.injector.timers.Wait()
	}
	for _, d := range t.dependencies {
		t.closeDependency(ctx, d)
	}
	t.closeProcess()
	t.closeResolver(ctx)
	t.keepLast()
	t.removeFolder()
	t.releasePorts()
}

func (t *trial) releasePorts() {
	for _, p := range t.ports {
		if err := t.suite.ports.release(p); err != nil {
			t.harness(fmt.Errorf("give port %d back: %w", p, err))
		}
	}
}

// closeProcess gives back what belongs to the present incarnation.
func (t *trial) closeProcess() {
	if t.process == nil {
		return
	}
	if missed := t.process.Intercepted().Missed; missed > 0 {
		t.recorder.Add(timeline.Event{
			Kind: timeline.MissingEvidence, Text: fmt.Sprintf("%d connects could not be answered as decided: IPv6 addresses on sockets that take none", missed),
		})
	}
	if err := t.process.Close(); err != nil {
		t.harness(fmt.Errorf("clean up after the service: %w", err))
	}
	t.suite.forget(t.marker)
}

func (t *trial) stopService(ctx context.Context) {
	if t.process == nil {
		return
	}
	select {
	case <-t.process.Done():
		if t.noted != t.process { // it went after the end of observation, before it was asked to
			t.gate.Do(func() { t.recordExit(t.process.Exit(), 0) })
		}
		t.survivors()
		t.recordCost()
		return
	default:
	}
	name := t.service.Stop.Signal
	sig := unix.SignalNum(name)
	grace := t.service.Stop.Grace.D()
	if t.askedToStop() {
		name, sig = "the experiment's signal", 0 // it has it already
	} else {
		t.recorder.Add(timeline.Event{Kind: timeline.Stop, Signal: name})
	}
	stopped := t.process.Stop(ctx, sig, grace)
	if stopped.Killed {
		at := t.process.Exit().At // before the exit, which is noted below
		if at.IsZero() {
			at = time.Now() // it could not even be killed
		}
		t.recorder.AddAt(at, timeline.Event{Kind: timeline.Kill, Text: fmt.Sprintf("still alive %s after %s", grace, name)})
	}
	for _, s := range stopped.Survivors {
		t.recorder.Add(timeline.Event{Kind: timeline.Survivor, PID: s.PID, Text: t.mask(s.Cmdline)})
	}
	t.gate.Do(func() { t.recordExit(t.process.Exit(), 0) })
	t.recordCost()
}

// survivors ends and notes the processes that outlived the service's own exit.
func (t *trial) survivors() {
	stopped := t.process.Stop(context.Background(), syscall.SIGKILL, 0)
	for _, s := range stopped.Survivors {
		t.recorder.Add(timeline.Event{Kind: timeline.Survivor, PID: s.PID, Text: t.mask(s.Cmdline)})
	}
}

func (t *trial) recordCost() {
	e := t.process.Exit()
	count := map[string]float64{"cpu_ms": float64(e.CPU.Microseconds()) / 1000}
	if peak := max(e.MaxRSS, t.usage.peak); peak > 0 {
		count["max_rss_bytes"] = float64(peak)
	}
	t.recorder.Add(timeline.Event{Kind: timeline.Process, Source: "exit", Count: count})
}

func (t *trial) closeDependency(ctx context.Context, d *dependency) {
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	if err := d.proxy.Close(ctx); err != nil {
		t.harness(fmt.Errorf("close the proxy of %s: %w", d.name, err))
	}
	if !t.summarised {
		t.summarise(d)
	}
	err := d.upstream.failure()
	if err == nil {
		err = d.upstream.reachable(ctx)
	}
	if err != nil {
		t.harness(err)
	}
	if d.namespace != nil {
		if err := d.namespace.Drop(ctx); err != nil {
			t.harness(fmt.Errorf("drop the trial's database on %s: %w", d.name, err))
		}
	}
}

// summarise records what the faults on a dependency came to.
func (t *trial) summarise(d *dependency) {
	for _, i := range t.injector.items {
		if i.On != d.name {
			continue
		}
		f := t.hits(d, i)
		t.recorder.Add(timeline.Event{Kind: timeline.FaultSummary, Fault: i.id, Dependency: d.name, Count: map[string]float64{
			"connections_hit": float64(f.ConnectionsHit), "bytes_hit": float64(f.BytesHit),
		}})
	}
}

func (t *trial) keepLast() {
	if t.keeper != nil {
		t.gate.Do(t.keeper.flush)
	}
	if t.logFile != nil {
		if err := t.logFile.Close(); err != nil {
			t.harness(fmt.Errorf("close the log file: %w", err))
		}
	}
}

func (t *trial) removeFolder() {
	if t.suite.o.Keep {
		return
	}
	if err := os.RemoveAll(t.dir); err != nil {
		t.harness(fmt.Errorf("remove the trial's folder: %w", err))
	}
}

// events returns the timeline in the order of time, numbered anew.
func (t *trial) events() []timeline.Event {
	events := t.recorder.Events()
	slices.SortStableFunc(events, func(a, b timeline.Event) int { return cmp.Compare(a.MS, b.MS) })
	for i := range events {
		events[i].ID = i
	}
	return events
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
