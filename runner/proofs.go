package runner

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// proof is a rendered proof of readiness.
type proof struct {
	name   string
	needs  []string
	again  time.Duration // it is asked again so long after it held; 0: not
	alone  bool          // it uses up what others need: it is asked after them, and no two at a time
	probe  probes.Probe
	timing probes.Timing
}

// innerInterval is between the attempts of one round, where a file gives none: as it bounds what is known of the first that held.
const innerInterval = 10 * time.Millisecond

func (t *trial) renderProofs(ctx context.Context, env probes.Env) error {
	for _, p := range t.plan.Readiness {
		spec, err := experiments.Render(p.Spec, t.lookup(ctx, forProbes))
		if err != nil {
			return fmt.Errorf("readiness %q: %w", p.Name, err)
		}
		probe, err := t.proofProbe(p, spec, env)
		if err != nil {
			return fmt.Errorf("readiness %q: %w", p.Name, err)
		}
		timing := spec.Timing()
		if spec.Interval == 0 {
			timing.Interval = innerInterval
		}
		t.readiness = append(t.readiness, proof{
			name: p.Name, needs: p.Needs, again: p.Again.D(), alone: p.Alone(), probe: probe, timing: timing,
		})
	}
	return nil
}

// excused says whether a proof needs an optional dependency that is under a fault right now: that it fails is no news, and asking it again
// would only make the service try that dependency again.
func (t *trial) excused(p proof) bool {
	for _, d := range t.plan.Dependencies {
		if !d.Required && slices.Contains(p.needs, d.Name) && t.faulted(d.Name) {
			return true
		}
	}
	return false
}

func (t *trial) faulted(dependency string) (on bool) {
	t.gate.Do(func() { on = t.injector.armed(dependency) })
	return on
}

// round is what came of asking a proof until its timing words decide.
type round struct {
	ok        bool
	err       error
	answer    probes.Answer
	began     time.Time // the first attempt
	ended     time.Time // the last attempt
	failed    time.Time // when the last attempt that failed was begun; zero: none did
	held      time.Time // when the first of those in a row that held was over; zero: the last one failed
	heldBegan time.Time // when the last attempt that held was begun; zero: none did
	attempts  int
}

// took is how long the last attempt took.
func (r round) took() time.Duration { return r.ended.Sub(r.began) / time.Duration(max(1, r.attempts)) }

// crowded says that the service refused because it was asked too often, which chaos itself may be the cause of.
func (r round) crowded() bool { return !r.ok && r.answer.Status == http.StatusTooManyRequests }

// ask asks a proof for one round. The error of ctx is none of its.
func (t *trial) ask(ctx context.Context, p proof) round {
	timing := p.timing
	if t.excused(p) {
		timing.Within, timing.FailureThreshold = 0, 1
	}
	return play(ctx, p.probe, timing)
}

// play polls a probe and notes when its attempts were.
func play(ctx context.Context, probe probes.Probe, timing probes.Timing) round {
	var r round
	watched := func(ctx context.Context) (probes.Answer, error) {
		began := time.Now()
		answer, err := probe(ctx)
		r.ended = time.Now()
		if r.attempts++; r.attempts == 1 {
			r.began = began
		}
		switch {
		case err != nil:
			r.failed, r.held = began, time.Time{}
		case r.held.IsZero():
			r.held, r.heldBegan = r.ended, began
		default:
			r.heldBegan = began
		}
		return answer, err
	}
	r.answer, r.err = probes.Poll(ctx, watched, timing, nil)
	r.ok = r.err == nil
	if r.attempts == 0 {
		r.began = time.Now()
		r.ended = r.began
	}
	return r
}

// history is what the attempts at one proof came to since its last event, so that those which say the same as the one before need none.
type history struct {
	attempts int
	failed   time.Time // when the last one that failed was begun
	held     time.Time // when the last one that held was begun
	told     time.Time // when the last event was
	last     bool      // it held
	any      bool      // there was an event
	lifts    int64     // how many faults had been lifted before the last event
	errors   []string  // of the failures that were told since it held
}

// The events of a proof that goes on failing: one for each new error, but not for more than that, and one in each while.
const (
	maxErrors   = 8
	failingEach = 250 * time.Millisecond
)

// news takes a round that was begun after so many lifts, and says whether it is worth an event: the first, also after a lift, a change,
// another error, or nothing new for long.
func (h *history) news(r round, lifts int64) bool {
	h.attempts += r.attempts
	changed := !h.any || r.ok != h.last || lifts != h.lifts
	h.lifts = lifts
	if !r.ok && !changed {
		another := len(h.errors) < maxErrors && !slices.Contains(h.errors, r.err.Error())
		changed = another || r.ended.Sub(h.told) >= failingEach
	}
	return changed
}

// event words a round that is worth it, and begins to count anew.
func (h *history) event(t *trial, p proof, kind timeline.Kind, r round) timeline.Event {
	ok := r.ok
	e := timeline.Event{Kind: kind, Name: p.name, OK: &ok, Count: map[string]float64{
		"took_ms": float64(r.ended.Sub(r.began).Microseconds()) / 1000, "attempts": float64(h.attempts),
	}}
	failed := r.failed
	if failed.IsZero() && !h.last {
		failed = h.failed
	}
	switch {
	case !r.ok:
		e.Error = t.mask(r.err.Error())
		h.errors = append(h.errors, r.err.Error())
		if !h.held.IsZero() {
			e.Count["held_ms"] = t.recorder.At(h.held)
		}
	default:
		h.errors = nil
		if !failed.IsZero() {
			e.Count["failed_ms"] = t.recorder.At(failed)
		}
		if r.held.Before(r.ended) {
			e.Count["held_ms"] = t.recorder.At(r.held)
		}
	}
	h.any, h.last, h.told, h.attempts = true, r.ok, r.ended, 0
	return e
}

// note keeps when a round's attempts were, after its event.
func (h *history) note(r round) {
	if !r.failed.IsZero() {
		h.failed = r.failed
	}
	if !r.heldBegan.IsZero() && r.ok {
		h.held = r.heldBegan
	}
}
