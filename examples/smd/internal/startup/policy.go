package startup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Forever as Policy.RetryFor means that no failure is ever final.
const Forever time.Duration = -1

// Policy says how long a step may take and how often it is tried.
type Policy struct {
	// StepTimeout limits every attempt of every step; it must be positive.
	StepTimeout time.Duration
	// RetryFor is how long after a step's first attempt another may begin: 0
	// means that the first failure is final, Forever that none is.
	RetryFor time.Duration
	// Backoff gives the pause after the n-th failed attempt (n from 1).
	Backoff func(n int) time.Duration
	// Permanent reports errors that no waiting can mend (a wrong password); they
	// are never tried again. May be nil.
	Permanent func(error) bool
	// OnRetry is called before each further attempt; may be nil.
	OnRetry func(ctx context.Context, dependency string)
}

// Exponential returns a backoff that doubles from base up to limit, each pause
// drawn from two to four thirds of that: wide enough to spread instances which
// start together, narrow enough for every gap to be longer than the one before.
func Exponential(base, limit time.Duration) func(int) time.Duration {
	return func(n int) time.Duration {
		d := base
		for range n - 1 {
			if d *= 2; d >= limit {
				d = limit
				break
			}
		}
		return time.Duration(float64(d) * (2 + 2*rand.Float64()) / 3) // #nosec G404 -- jitter, not a secret
	}
}

// do runs one step to its end under the policy.
func (p Policy) do(ctx context.Context, step Step, logf func(string, ...any)) error {
	began := time.Now()
	for n := 1; ; n++ {
		err := p.attempt(ctx, step)
		if err == nil {
			if n > 1 {
				logf("%s answered at attempt %d (after %.2fs)", step.Dependency, n, time.Since(began).Seconds())
			}
			return nil
		}
		pause := p.pause(step, n)
		if ctx.Err() != nil || !p.again(step, err, time.Since(began)+pause) {
			return err
		}
		logf("%v; attempt %d failed, trying again in %dms", err, n, pause.Milliseconds())
		if err := Wait(ctx, pause); err != nil {
			return err
		}
		if p.OnRetry != nil {
			p.OnRetry(ctx, step.Dependency)
		}
	}
}

func (p Policy) pause(step Step, n int) time.Duration {
	if step.Dependency == "" || p.Backoff == nil {
		return 0
	}
	return p.Backoff(n)
}

func (p Policy) again(step Step, err error, at time.Duration) bool {
	switch {
	case step.Dependency == "" || step.Optional:
		return false
	case p.RetryFor == Forever:
		return true
	case p.Permanent != nil && p.Permanent(err):
		return false
	}
	return at < p.RetryFor
}

func (p Policy) attempt(ctx context.Context, step Step) error {
	limit := step.Timeout
	if limit == 0 {
		limit = p.StepTimeout
	}
	bounded := ctx
	if limit > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err := step.Run(bounded)
	if err == nil {
		return nil
	}
	// By the clock and not by bounded.Err(): a socket's deadline is the same
	// instant, and may be noticed first.
	if end, ok := bounded.Deadline(); ok && limit > 0 && !time.Now().Before(end) && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %s: %w", limit, err)
	}
	if step.Dependency != "" {
		err = fmt.Errorf("%s: %w", step.Dependency, err)
	}
	return err
}

// Wait returns after d, or earlier with the cause when ctx ends.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
