package process

import "time"

// The restart policies, in the words of Kubernetes.
const (
	RestartNever     = "never"
	RestartOnFailure = "on-failure"
	RestartAlways    = "always"
)

// Restart says what an orchestrator would do with a service that exited. It
// is a pure description; starting again is the caller's work.
type Restart struct {
	// Policy is RestartNever (also the empty string), RestartOnFailure or
	// RestartAlways.
	Policy string
	// Max is how many times the service may be started again; 0 is no limit.
	Max int
	// Backoff is the wait before the first restart; it doubles with every
	// further one.
	Backoff time.Duration
	// MaxBackoff is the longest wait; 0 is no limit.
	MaxBackoff time.Duration
}

// Next tells whether a service that has been started again n times already
// (0 after its first exit) is started once more, and after which wait.
func (r Restart) Next(n int, e Exit) (delay time.Duration, again bool) {
	switch r.Policy {
	case RestartAlways:
	case RestartOnFailure:
		if e.OK() {
			return 0, false
		}
	default:
		return 0, false
	}
	if r.Max > 0 && n >= r.Max {
		return 0, false
	}
	return r.backoff(n), true
}

func (r Restart) backoff(n int) time.Duration {
	limit := r.MaxBackoff
	if limit <= 0 {
		limit = time.Duration(1<<63 - 1)
	}
	delay := min(r.Backoff, limit)
	for range n {
		// Halving the limit, not doubling the delay: no overflow.
		if delay > limit/2 {
			return limit
		}
		delay *= 2
		if delay == 0 {
			return 0
		}
	}
	return delay
}
