package probes

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Timing is when a probe is asked: Kubernetes' words, with every default filled in.
type Timing struct {
	InitialDelay     time.Duration // before the first attempt, beyond Within
	Timeout          time.Duration // of one attempt (and of each link of a chain)
	Interval         time.Duration // between attempts, after a growth from firstInterval
	Within           time.Duration // of all attempts together; 0: the thresholds decide
	SuccessThreshold int           // attempts that must hold in a row
	FailureThreshold int           // attempts that must fail in a row; only without Within
}

const (
	shortTimeout    = time.Second
	longTimeout     = 5 * time.Second
	firstInterval   = 10 * time.Millisecond
	defaultInterval = 50 * time.Millisecond
)

// Timing returns the timing words of s with the defaults filled in. Those of s.Then are its own.
func (s Spec) Timing() Timing {
	t := Timing{
		InitialDelay:     s.InitialDelay.D(),
		Timeout:          s.Timeout.D(),
		Interval:         s.Interval.D(),
		Within:           s.Within.D(),
		SuccessThreshold: max(1, s.SuccessThreshold),
		FailureThreshold: max(1, s.FailureThreshold),
	}
	if t.Timeout <= 0 && s.WebSocket != nil {
		t.Timeout = s.WebSocket.Within.D()
	}
	if t.Timeout <= 0 {
		t.Timeout = shortTimeout
		if s.WebSocket != nil || s.Exec != nil || s.several() || t.Within > 0 {
			t.Timeout = longTimeout
		}
	}
	if t.Interval <= 0 {
		t.Interval = defaultInterval
	}
	return t
}

// several says whether an attempt is many requests, which need more time than one.
func (s Spec) several() bool {
	return s.JWT != nil || s.Parallel > 1 || s.HTTP != nil && s.HTTP.RateLimit != nil || s.ClickHouse != nil && s.ClickHouse.Query == ""
}

func (s Spec) checkTiming() error {
	var errs []error
	for _, d := range []struct {
		name  string
		value int64
	}{
		{"initial_delay", int64(s.InitialDelay)}, {"timeout", int64(s.Timeout)}, {"interval", int64(s.Interval)}, {"within", int64(s.Within)},
		{"success_threshold", int64(s.SuccessThreshold)}, {"failure_threshold", int64(s.FailureThreshold)},
		{"parallel", int64(s.Parallel)},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("%s must not be negative", d.name))
		}
	}
	return errors.Join(errs...)
}

// Poll waits for t.InitialDelay and asks p until SuccessThreshold attempts in a row held, and returns the answer of the last one. It gives up when
// t.Within is over or ctx ends; without Within, when FailureThreshold attempts in a row failed. Its error is the last telling
// one, with the number of attempts. After a failure the pause starts small and doubles up to t.Interval, so that the moment of
// the first success is exact; after a success it is t.Interval. each, if not nil, is told every attempt (from 1) before the pause.
func Poll(ctx context.Context, p Probe, t Timing, each func(attempt int, a Answer, err error)) (Answer, error) {
	if t.InitialDelay > 0 && !sleep(ctx, t.InitialDelay) {
		return Answer{}, fmt.Errorf("stopped before the first attempt: %w", context.Cause(ctx))
	}
	if t.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.Within, noAnswer{t.Within})
		defer cancel()
	}
	var last poll
	pause := min(firstInterval, t.Interval)
	for {
		last.ask(ctx, p, each)
		switch {
		case last.inRow >= max(1, t.SuccessThreshold):
			return last.answer, nil
		case ctx.Err() != nil, t.Within <= 0 && last.decided(t):
			return last.answer, last.gaveUp(ctx, t)
		}
		wait := t.Interval
		if last.inRow == 0 {
			wait, pause = pause, min(2*pause, t.Interval)
		}
		if !sleep(ctx, wait) {
			return last.answer, last.gaveUp(ctx, t)
		}
	}
}

// poll is the state of one call of Poll.
type poll struct {
	attempts, inRow, failedInRow int
	answer                       Answer
	err                          error // the last that tells something: not one that is cut off by the end of polling
}

func (l *poll) ask(ctx context.Context, p Probe, each func(int, Answer, error)) {
	answer, err := p(ctx)
	l.attempts++
	if each != nil {
		each(l.attempts, answer, err)
	}
	if err == nil {
		l.answer, l.inRow, l.failedInRow = answer, l.inRow+1, 0
		return
	}
	l.inRow, l.failedInRow = 0, l.failedInRow+1
	if ctx.Err() == nil || l.err == nil {
		l.answer, l.err = answer, err
	}
}

// maxUndecided bounds a poll without within whose attempts alternate, so that neither threshold is ever reached.
const maxUndecided = 20

func (l *poll) decided(t Timing) bool {
	return l.failedInRow >= t.FailureThreshold || l.attempts >= maxUndecided*(t.SuccessThreshold+t.FailureThreshold)
}

// gaveUp says why polling ended: the last error alone if there was one attempt, otherwise with what was asked of them together.
func (l *poll) gaveUp(ctx context.Context, t Timing) error {
	err := l.err
	if err == nil {
		err = errors.New("the last attempt held")
	}
	switch {
	case ctx.Err() != nil && t.Within > 0 && errors.Is(context.Cause(ctx), noAnswer{t.Within}):
		return fmt.Errorf("not %s within %s (%s): %w", inARow(t), t.Within, counted(l.attempts), err)
	case ctx.Err() != nil:
		return fmt.Errorf("stopped after %s: %w", counted(l.attempts), errors.Join(err, ctx.Err()))
	case l.attempts > 1:
		return fmt.Errorf("not %s in %s: %w", inARow(t), counted(l.attempts), err)
	default:
		return err
	}
}

func inARow(t Timing) string {
	if t.SuccessThreshold > 1 {
		return fmt.Sprintf("%d times in a row", t.SuccessThreshold)
	}
	return "once"
}

func counted(attempts int) string {
	if attempts == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", attempts)
}

// sleep waits for d and reports whether it was not interrupted.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
