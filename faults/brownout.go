package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// brownout makes a dependency the slower the more it is used.
func brownout() Kind {
	zero, hour := timeline.Duration(0), timeline.Duration(time.Hour)
	return Kind{
		Name: "brownout",
		Doc: "A dependency that is overloaded: every answer is late by `delay`, and by `per_connection` more for each further connection that is open. " +
			"Clients that answer slowness with more connections make it worse; those that wait get through.",
		Client:  "Answers that come the later the more connections are open.",
		Example: "{on: postgres, during: database, fault: {brownout: {per_connection: 100ms, delay: 50ms}}}",
		Params: []Param{
			{Name: "per_connection", Type: TypeDuration, Default: timeline.Duration(100 * time.Millisecond), Min: zero, Max: hour,
				Doc: "How much later each answer is for each open connection beyond the first."},
			{Name: "delay", Type: TypeDuration, Default: zero, Min: zero, Max: hour, Doc: "How late answers are with one connection."},
			{Name: "max", Type: TypeDuration, Default: timeline.Duration(30 * time.Second), Min: zero, Max: hour, Doc: "How late they are at the most."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			base, each, most, direction := s.Duration("delay"), s.Duration("per_connection"), s.Duration("max"), s.direction()
			return Behaviour{Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &late{delay: func(link Link) time.Duration {
					further := time.Duration(max(0, link.Open()-1))
					if each > 0 && further > most/each {
						return most
					}
					return min(most, base+further*each)
				}}
			}}
		},
	}
}
