// Package startup runs a service's phases in strict order: one phase after the
// other, one step after the other, every step under a time limit, every
// critical failure the end of the whole sequence.
//
// It refuses to go on after a critical failure, to run two phases at once, and
// to hide an error: what a step returns is what the log and the state say.
package startup

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrInterrupted is the cancellation cause that marks an orderly stop (SIGTERM)
// during startup; Run returns it instead of a *PhaseError.
var ErrInterrupted = errors.New("startup interrupted")

// ErrBudget is the cancellation cause for a startup that took longer than its
// whole budget; it fails the phase that is running.
var ErrBudget = errors.New("the startup budget is used up")

// Step is one numbered action of a phase.
type Step struct {
	// Text is what the log says before the step runs.
	Text string
	// Dependency names what the step needs from outside, "" for none. Its name
	// opens the error, and only a step with a dependency is tried again.
	Dependency string
	// Optional steps warn when they fail; they never fail a phase.
	Optional bool
	// Timeout limits one attempt: 0 means the policy's limit, negative none.
	Timeout time.Duration
	// Run does the work. It must return when ctx ends and must be safe to repeat.
	Run func(ctx context.Context) error
}

// Phase is a named, numbered list of steps.
type Phase struct {
	// Number is the phase's place in the specification, which is not always the
	// place where it runs.
	Number int
	Name   string
	Title  string
	Steps  []Step
}

// PhaseError says which phase failed and why.
type PhaseError struct {
	Phase string
	Err   error
}

func (e *PhaseError) Error() string { return e.Phase + " - " + e.Err.Error() }

// Unwrap returns the cause.
func (e *PhaseError) Unwrap() error { return e.Err }

// Sequence is a startup: phases, policy, and where it tells about itself.
type Sequence struct {
	Phases []Phase
	Policy Policy
	State  *State
	// Logf writes one log line.
	Logf func(format string, args ...any)
	// Delay is called at the beginning of each phase, to stretch it; may be nil.
	Delay func(ctx context.Context, phase string) error
	// Linger is called when all is done, before the log says so; may be nil.
	Linger func(ctx context.Context)

	step int
}

// Run plays all phases. It returns nil, a *PhaseError, or ErrInterrupted when
// ctx was cancelled with that cause.
func (s *Sequence) Run(ctx context.Context) error {
	began := time.Now()
	s.State.begin(began)
	s.Logf("STARTUP SEQUENCE BEGINS (%d phases)", len(s.Phases))
	for _, phase := range s.Phases {
		err := s.phase(ctx, phase)
		if errors.Is(err, ErrInterrupted) {
			s.Logf("STARTUP SEQUENCE INTERRUPTED in %s (after %.2fs)", phase.Name, time.Since(began).Seconds())
			s.State.fail(err)
			return ErrInterrupted
		}
		if err != nil {
			failed := &PhaseError{Phase: phase.Name, Err: err}
			s.State.fail(failed)
			s.Logf("STARTUP SEQUENCE FAILED in %v (after %.2fs)", failed, time.Since(began).Seconds())
			return failed
		}
	}
	// The state says ready before the log does, so that whoever reacts to the
	// line finds it true.
	s.State.complete()
	if s.Linger != nil {
		s.Linger(ctx)
	}
	s.Logf("STARTUP SEQUENCE COMPLETED (%.3fs)", time.Since(began).Seconds())
	return nil
}

func (s *Sequence) phase(ctx context.Context, phase Phase) error {
	began := time.Now()
	s.State.enter(phase.Name)
	s.Logf("PHASE TRANSITION -> %s", phase.Name)
	s.Logf("PHASE %d: %s - %s", phase.Number, phase.Name, phase.Title)
	err := s.steps(ctx, phase)
	took := time.Since(began)
	switch {
	case errors.Is(err, ErrInterrupted):
		return err
	case err != nil:
		s.Logf("PHASE FAILED: %s - %v (after %.2fs)", phase.Name, err, took.Seconds())
		return err
	}
	s.State.leave(phase.Name, took)
	s.Logf("PHASE COMPLETED: %s (%.3fs)", phase.Name, took.Seconds())
	return nil
}

func (s *Sequence) steps(ctx context.Context, phase Phase) error {
	if s.Delay != nil {
		if err := s.Delay(ctx, phase.Name); err != nil {
			return cause(ctx, err)
		}
	}
	for _, step := range phase.Steps {
		s.step++
		s.Logf("Step %d: %s", s.step, step.Text)
		err := s.Policy.do(ctx, step, s.Logf)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return cause(ctx, err)
		case step.Optional:
			s.Logf("WARNING: step %d: optional %v; going on without it", s.step, err)
		default:
			return err
		}
	}
	return nil
}

// cause puts the reason why ctx ended in front of what the step made of it.
func cause(ctx context.Context, err error) error {
	why := context.Cause(ctx)
	if why == nil || errors.Is(err, why) {
		return err
	}
	return fmt.Errorf("%w: %w", why, err)
}
