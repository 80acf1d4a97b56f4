package contracts

import (
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// Owed is until when, in milliseconds, a service that claims to be ready must be watched so that what is expected of it can be decided: it was
// ready before every fault had bitten, and may take some time to end. False: there is nothing to wait for. With several instances the events
// are those that concern one of them.
func Owed(s Spec, events []timeline.Event) (float64, bool) {
	allowed := s.Expect.ending(s)
	if allowed == 0 {
		return 0, false
	}
	first, again := starts(events)
	t := newTrace(s, first)
	bite := t.lastFirstBite()
	if bite < 0 || len(again) > 0 || t.runAt(bite).exit >= 0 || t.first(timeline.ReadyClaim, bite+1, t.end) >= 0 {
		return 0, false
	}
	return t.ms(bite) + allowed.MS(), true
}

// ending is how long the service may take to end by itself, where nothing else would do; 0: something else would.
func (e Expectation) ending(s Spec) timeline.Duration {
	switch {
	case e.FailFast != nil:
		return within(e.FailFast.Within, defaultWithin)
	case e.GiveUp != nil:
		return within(e.GiveUp.Within, s.Budget, defaultWithin)
	case len(e.AllOf) > 0:
		return slices.Max(endings(s, e.AllOf))
	case len(e.AnyOf) > 0:
		if all := endings(s, e.AnyOf); slices.Min(all) > 0 {
			return slices.Max(all)
		}
	}
	return 0
}

func endings(s Spec, list []Expectation) []timeline.Duration {
	out := make([]timeline.Duration, len(list))
	for i, e := range list {
		out[i] = e.ending(s)
	}
	return out
}
