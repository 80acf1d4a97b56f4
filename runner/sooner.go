package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// sooner is a proof with `from: start`: its message is sent while the service starts, again and again as long as it is turned away. Whoever
// takes it must answer it: a message that was taken and lost stays lost, so the proof of that start never holds. Once it was answered, the
// proof is asked like any other. A no (fail_on) while a fault is on something that it needs counts as turned away. Safe for concurrent use.
type sooner struct {
	patient probes.Probe // waits as long as a start may take
	usual   probes.Probe
	timeout time.Duration // for the answer, once the proof is asked
	faulted func() bool   // a fault is on something that it needs

	mu   sync.Mutex
	sent *letter // of the present start
}

// letter is the message of one start. What it came to is known when done is closed.
type letter struct {
	done chan struct{}
	err  error // nil: it was answered

	mu   sync.Mutex
	away error // why it was turned away the last time
}

// sendingEach is how long a message that was turned away waits.
const sendingEach = 20 * time.Millisecond

// newSooner makes the proof; budget is how long a start may take.
func newSooner(spec probes.Spec, env probes.Env, budget time.Duration, faulted func() bool) (*sooner, error) {
	usual, err := probes.New(spec, env)
	if err != nil {
		return nil, err
	}
	timing := spec.Timing()
	spec.Timeout = timeline.Duration(budget + timing.Timeout)
	patient, err := probes.New(spec, env)
	return &sooner{patient: patient, usual: usual, timeout: timing.Timeout, faulted: faulted}, err
}

// send begins with a start of the service, and ends with it or when the message was taken.
func (s *sooner) send(ctx context.Context) {
	l := &letter{done: make(chan struct{})}
	s.mu.Lock()
	s.sent = l
	s.mu.Unlock()
	for {
		excused := s.faulted()
		answer, err := s.patient(ctx)
		if ctx.Err() != nil {
			return // it died, or the trial is over: nobody is there to answer
		}
		excused = (excused || s.faulted()) && probes.SaidNo(err)
		if err == nil || !excused && !probes.TurnedAway(answer, err) {
			l.err = err
			close(l.done)
			return
		}
		l.mu.Lock()
		l.away = err
		l.mu.Unlock()
		rest(ctx, sendingEach, nil)
	}
}

// ask is the proof: a Probe.
func (s *sooner) ask(ctx context.Context) (probes.Answer, error) {
	s.mu.Lock()
	l := s.sent
	s.mu.Unlock()
	if l == nil {
		return probes.Answer{}, errors.New("no message was sent yet")
	}
	late := time.NewTimer(s.timeout)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
		return probes.Answer{}, fmt.Errorf("the message that was sent during the startup: %w", l.unanswered(s.timeout))
	case <-ctx.Done():
		return probes.Answer{}, context.Cause(ctx)
	}
	if l.err != nil {
		return probes.Answer{}, fmt.Errorf("the message that was taken during the startup is lost: %w", l.err)
	}
	return s.usual(ctx)
}

func (l *letter) unanswered(waited time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return fmt.Errorf("still not answered %s later; it was turned away before: %w", waited, l.away)
	}
	return fmt.Errorf("still not answered %s later", waited)
}

// sendSoon starts the proofs that begin with the service.
func (t *trial) sendSoon(ctx context.Context, wg *sync.WaitGroup) {
	for _, s := range t.sooners {
		wg.Go(func() { s.send(ctx) })
	}
}

// proofProbe makes the probe of a proof.
func (t *trial) proofProbe(p experiments.Proof, spec probes.Spec, env probes.Env) (probes.Probe, error) {
	n := requestsOf(spec)
	if p.From != "start" {
		probe, err := probes.New(spec, env)
		return t.requests.of(probe, n, true), err
	}
	s, err := newSooner(spec, env, t.service.Budget.D(), func() bool { return slices.ContainsFunc(p.Needs, t.faulted) })
	if err != nil {
		return nil, err
	}
	s.patient, s.usual = t.requests.of(s.patient, n, false), t.requests.of(s.usual, n, true) // what is turned away during the start makes it do nothing
	t.sooners = append(t.sooners, s)
	return s.ask, nil
}
