package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// slowAccept leaves new connections in the queue.
func slowAccept() Kind {
	return Kind{
		Name: "slow_accept",
		Doc: "A dependency that is too busy to accept, or a balancer that looks for a backend: the kernel takes the connection, and nobody attends to it for " +
			"`delay`. Then it works; what was sent meanwhile is answered late. A check that only connects is satisfied at once.",
		Client:  "connect succeeds at once; the first answer is late by the delay.",
		Example: "{on: postgres, during: database, fault: {slow_accept: 3s}}",
		Params: []Param{
			{Name: "delay", Type: TypeDuration, Default: timeline.Duration(time.Second), Min: timeline.Duration(0), Max: timeline.Duration(time.Hour),
				Doc: "How long an accepted connection is left alone."},
			{Name: "jitter", Type: TypeDuration, Default: timeline.Duration(0), Min: timeline.Duration(0), Max: timeline.Duration(time.Hour),
				Doc: "By how much the delay varies either way; never below nothing."},
		},
		Behave: func(s Spec) Behaviour {
			l := lateness{delay: s.Duration("delay"), jitter: s.Duration("jitter")}
			return Behaviour{Late: func(random *rand.Rand) time.Duration { return l.draw(random) }}
		},
	}
}
