package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// proofWindow bounds how long a trial goes on only because a proof fails: for as long a false claim is measured.
const proofWindow = 3 * time.Second

// patience is for how long the failing proofs of one incarnation are waited for, in all its claims together, anew after each lift of a fault: or a
// claim that comes and goes, maybe because of the very proofs, would never be examined. Safe for concurrent use.
type patience struct {
	mu    sync.Mutex
	lifts int64         // how many faults had been lifted when it was last asked
	spent time.Duration // since then
	since time.Time     // a claim is being examined; zero: none is
}

// allPatience is all of it; proofWindow is for one claim.
const allPatience = 3 * proofWindow

// next takes how many faults were lifted so far, and returns until when to wait.
func (p *patience) next(now time.Time, lifts int64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(now)
	if lifts != p.lifts {
		p.lifts, p.spent = lifts, 0
	}
	p.since = now
	return now.Add(min(proofWindow, allPatience-p.spent))
}

// rest is for when no claim stands.
func (p *patience) rest(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spend(now)
	p.since = time.Time{}
}

// spend counts what has passed. Locked.
func (p *patience) spend(now time.Time) {
	if !p.since.IsZero() {
		p.spent += now.Sub(p.since)
	}
}

// proving examines one claim to be ready until it is taken back or the trial is over: all proofs at once, side by side, each again and again
// until it holds; then from time to time, and at once after a fault was lifted.
type proving struct {
	trial  *trial
	doubts *doubts
	end    context.CancelCauseFunc
	lifts  int64 // how many faults had been lifted when it began

	patience *patience

	mu       sync.Mutex
	states   []state // of trial.readiness
	checked  int64   // how many faults had been lifted when it was last seen to claim readiness
	deadline time.Time
	moved    chan struct{} // the deadline has moved
	turns    sync.Mutex    // held by a proof that is asked alone
	changed  bell          // rung when a state or the deadline is another
}

// state is what the last round of a proof came to.
type state struct {
	lifts  int64 // how many faults had been lifted when it began
	known  bool
	fails  bool // and nothing excuses it
	heldAt bool // it has held since the claim
}

// prove returns true when the service took its claim back, false when ctx ended.
func (t *trial) prove(ctx context.Context, patience *patience) bool {
	inner, end := context.WithCancelCause(ctx)
	lifts := t.lifts.Load()
	p := &proving{
		trial: t, doubts: newDoubts(), end: end, states: make([]state, len(t.readiness)),
		patience: patience, deadline: patience.next(time.Now(), lifts), moved: make(chan struct{}, 1), lifts: lifts, checked: lifts,
	}
	defer func() { patience.rest(time.Now()) }()
	var all sync.WaitGroup
	all.Go(func() { p.settle(inner) })
	for i := range t.readiness {
		all.Go(func() { p.follow(inner, i) })
	}
	p.watch(inner)
	end(nil)
	all.Wait()
	return ctx.Err() == nil
}

// watch looks whether the claim still stands when a fault was lifted, and gives up on proofs that fail when their time is over.
func (p *proving) watch(ctx context.Context) {
	lifted := p.trial.lifted.next()
	if p.trial.lifts.Load() != p.lifts { // between the claim and here
		p.doubts.add(doubt{})
	}
	for ctx.Err() == nil {
		left := p.left()
		p.review()
		var late <-chan time.Time
		if left >= 0 {
			late = time.After(left)
		}
		select {
		case <-lifted:
			lifted = p.trial.lifted.next()
			p.extend()
			p.doubts.add(doubt{})
		case <-late:
		case <-p.moved:
		case <-ctx.Done():
		}
	}
}

// follow asks proof i on its own schedule.
func (p *proving) follow(ctx context.Context, i int) {
	t, one := p.trial, p.trial.readiness[i]
	var h history
	for ctx.Err() == nil {
		lifted := t.lifted.next()
		lifts := t.lifts.Load()
		r := p.ask(ctx, one, lifts)
		if ctx.Err() != nil {
			return
		}
		one.timing.InitialDelay = 0
		excused := !r.ok && t.excused(one)
		if r.crowded() && p.hasHeld(i) { // it holds, and our own asking may be the cause
			p.decided(i, state{lifts: lifts, known: true})
			rest(ctx, sparing.most, lifted)
			continue
		}
		p.tell(&h, one, r, lifts)
		p.decided(i, state{lifts: lifts, known: true, fails: !r.ok && !excused, heldAt: r.ok})
		rest(ctx, p.pause(one, r, excused), lifted)
	}
}

// ask asks a proof for one round; one that must be alone in its turn.
func (p *proving) ask(ctx context.Context, one proof, lifts int64) round {
	if one.alone {
		p.othersFirst(ctx, lifts)
		p.turns.Lock()
		defer p.turns.Unlock()
	}
	return p.trial.ask(ctx, one)
}

// othersFirst waits until no other proof needs to be asked: each was decided since the last lift and holds, or its time is over.
func (p *proving) othersFirst(ctx context.Context, lifts int64) {
	for ctx.Err() == nil {
		changed := p.changed.next()
		left := p.left()
		if p.quiet(lifts, left < 0) {
			return
		}
		rest(ctx, left, changed)
	}
}

func (p *proving) quiet(lifts int64, late bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.states {
		if !p.trial.readiness[i].alone && (!s.known || s.lifts < lifts || s.fails && !late) {
			return false
		}
	}
	return true
}

// tell writes a round down, a failed one once it is known whether the claim still stood.
func (p *proving) tell(h *history, one proof, r round, lifts int64) {
	tell := h.news(r, lifts)
	var e timeline.Event
	if tell {
		e = h.event(p.trial, one, timeline.Proof, r)
	}
	h.note(r)
	switch {
	case !r.ok:
		p.doubts.add(doubt{event: e, at: r.ended, tell: tell})
	case tell:
		e.Claimed = true
		p.trial.recorder.AddAt(r.ended, e)
	}
}

// pause is how long a proof rests after a round; negative: until a fault is lifted.
func (p *proving) pause(one proof, r round, excused bool) time.Duration {
	switch {
	case excused:
		return -1
	case r.ok && one.again > 0:
		return one.again
	case r.ok:
		return -1
	case r.crowded():
		return sparing.after(r.took())
	case p.left() < 0:
		return tired.after(r.took())
	case slices.ContainsFunc(one.needs, p.trial.faulted):
		return hopeless.after(r.took())
	}
	return proofing.shared(p.failing()).after(r.took())
}

func (p *proving) failing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, s := range p.states {
		if s.fails {
			n++
		}
	}
	return n
}

func (p *proving) hasHeld(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[i].heldAt
}

// decided notes what a round of proof i came to. One that had held and fails now is given as much time as one that fails at the claim.
func (p *proving) decided(i int, s state) {
	p.mu.Lock()
	before := p.states[i]
	s.heldAt = s.heldAt || before.heldAt
	p.states[i] = s
	p.mu.Unlock()
	p.changed.ring()
	if s.fails && before.known && !before.fails {
		p.extend()
	}
	p.review()
}

func (p *proving) extend() {
	p.mu.Lock()
	p.deadline = p.patience.next(time.Now(), p.trial.lifts.Load())
	p.mu.Unlock()
	select {
	case p.moved <- struct{}{}:
	default:
	}
	p.changed.ring()
}

// left is how long proofs that fail are still waited for; negative: no longer.
func (p *proving) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.deadline)
}

// review says whether the claim is examined: every proof was decided since the last lift, and none fails or their time is over.
func (p *proving) review() {
	t := p.trial
	lifts := t.lifts.Load()
	p.mu.Lock()
	done := p.checked == lifts
	late, fails := !time.Now().Before(p.deadline), false
	for _, s := range p.states {
		fails = fails || s.fails
		done = done && s.known && s.lifts == lifts && (!s.fails || late)
	}
	p.mu.Unlock()
	done = done && !p.doubts.any()
	if t.claims.proved(done, fails, lifts) {
		t.wake()
	}
}

// stands notes that it was seen to claim readiness after so many lifts.
func (p *proving) stands(lifts int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked = max(p.checked, lifts)
}
