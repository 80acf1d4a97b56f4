package runner

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/timeline"
)

const (
	// sampleFirst and sampleEvery are when the service's processes are looked at, where an invariant asks for it.
	sampleFirst = 25 * time.Millisecond
	sampleEvery = 250 * time.Millisecond
	// settleFor bounds how long descriptors may take to be closed once observation is over.
	settleFor  = time.Second
	settleStep = 50 * time.Millisecond
)

// usage is what is known of the service's processes. Only one goroutine at a time uses it: the one that follows an incarnation, and after
// that the trial's own.
type usage struct {
	fds, threads int   // the most that was recorded
	rss, peak    int64 // the largest that was recorded, and that was seen of all together
	readyFDs     int   // when it claimed to be ready
	unreadable   bool  // told already
}

// watchesUsage says whether an invariant needs to know what the service holds while it starts.
func (t *trial) watchesUsage() bool {
	v := t.spec.Invariants
	return v.NoLeakedFDs != nil || v.Memory != nil || v.Threads != nil
}

// followUsage looks at the processes of one incarnation now and then, and once it claims to be ready.
func (t *trial) followUsage(ctx context.Context) {
	t.usage.fds, t.usage.threads, t.usage.rss = 0, 0, 0
	timer := time.NewTimer(sampleFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.process.Done():
			return
		case <-t.claimedReady:
			t.look("ready")
		case <-timer.C:
			t.look("sample")
			timer.Reset(sampleEvery)
		}
	}
}

// look records what the service's processes hold: always at the moments that count, in between only when there is more of something.
func (t *trial) look(source string) {
	seen, err := t.process.Usage()
	if err != nil {
		t.unreadable(err)
		return
	}
	u := &t.usage
	u.peak = max(u.peak, seen.PeakRSS, seen.RSS)
	more := seen.FDs > u.fds || seen.Threads > u.threads || seen.RSS > u.rss+u.rss/20
	u.fds, u.threads, u.rss = max(u.fds, seen.FDs), max(u.threads, seen.Threads), max(u.rss, seen.RSS)
	if source == "sample" && !more {
		return
	}
	count := map[string]float64{
		"fds": float64(seen.FDs), "threads": float64(seen.Threads), "children": float64(seen.Children),
		"rss_bytes": float64(seen.RSS), "max_rss_bytes": float64(u.peak),
	}
	if source != "sample" {
		open, err := t.process.Descriptors()
		if err != nil {
			t.unreadable(err)
			return
		}
		maps.Copy(count, t.attributed(open))
	}
	if source == "ready" {
		u.readyFDs = seen.FDs
	}
	t.recorder.Add(timeline.Event{Kind: timeline.Process, Source: source, Count: count})
}

// unreadable says once that figures of a service that still runs can't be had.
func (t *trial) unreadable(err error) {
	if errors.Is(err, process.ErrGone) || t.usage.unreadable || !t.watchesUsage() {
		return
	}
	t.usage.unreadable = true
	what := "what the service's processes hold is not known: "
	if errors.Is(err, errors.ErrUnsupported) {
		what = "what the service's processes hold can't be measured on this system: "
	}
	t.recorder.Add(timeline.Event{Kind: timeline.MissingEvidence, Source: "process", Text: what + t.mask(err.Error())})
}

// attributed counts descriptors by what they are for.
func (t *trial) attributed(d process.Descriptors) map[string]float64 {
	count := map[string]float64{
		"files": float64(d.Files), "pipes": float64(d.Pipes), "fds_other": float64(d.Other), "sockets_other": float64(d.Sockets),
		"sockets_accepted": 0, "sockets_listening": 0,
	}
	for _, dep := range t.dependencies {
		count["sockets_to."+dep.name], count["close_wait."+dep.name] = 0, 0
	}
	for _, s := range d.TCP {
		dep, _ := t.aimed(s.Remote)
		switch {
		case s.State == "LISTEN":
			count["sockets_listening"]++
		case dep != nil:
			count["sockets_to."+dep.name]++
			if s.State == "CLOSE_WAIT" {
				count["close_wait."+dep.name]++
			}
		case t.ownPort(s.Local):
			count["sockets_accepted"]++
		default:
			count["sockets_other"]++
		}
	}
	return count
}

// lookLast records the figures at the end of observation. What is only being closed is given a moment: a leak stays.
func (t *trial) lookLast() {
	select {
	case <-t.claimedReady: // just now, and nobody has looked yet
		t.look("ready")
	default:
	}
	if t.spec.Invariants.NoLeakedFDs != nil {
		t.settleFDs()
	}
	t.look("end")
}

func (t *trial) settleFDs() {
	wanted := t.usage.readyFDs
	if fds, has := t.baseline["fds"]; has {
		wanted = int(fds)
	}
	deadline := time.NewTimer(settleFor)
	defer deadline.Stop()
	for {
		if u, err := t.process.Usage(); err != nil || u.FDs <= wanted {
			return
		}
		step := time.NewTimer(settleStep)
		select {
		case <-step.C:
		case <-t.process.Done():
			step.Stop()
			return
		case <-deadline.C:
			step.Stop()
			return
		}
	}
}

// recordBaseline notes the figures of the control trial that this one is compared with.
func (t *trial) recordBaseline() {
	if len(t.baseline) > 0 && t.watchesUsage() {
		t.recorder.Add(timeline.Event{Kind: timeline.Control, Count: maps.Clone(t.baseline)})
	}
}
