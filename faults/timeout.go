package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// timeout is silence with an end.
func timeout() Kind {
	return Kind{
		Name: "timeout",
		Doc: "A balancer in front of a dead backend: the connection is taken, nothing is answered, and after `timeout` it is closed. The time counts from " +
			"when the connection met the fault and does not start anew with traffic. A connection that is still open when the fault is lifted is " +
			"closed as well: bytes are missing from it.",
		Client:  "connect succeeds, silence, then the end of the stream (EOF) without an answer.",
		Example: "{on: auth, during: dependencies, fault: {timeout: 2s}}",
		Params: []Param{
			{Name: "timeout", Type: TypeDuration, Default: timeline.Duration(time.Second), Min: timeline.Duration(0), Max: timeline.Duration(time.Hour),
				Doc: "How long a connection stays open; 0: until the fault is lifted."},
			bothWays(directionParam()),
		},
		Behave: func(s Spec) Behaviour {
			limit, direction := s.Duration("timeout"), s.direction()
			return Behaviour{Lift: CloseThem, Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				if limit == 0 {
					return swallow{}
				}
				return swallowFor{limit}
			}}
		},
	}
}

// swallowFor drops everything and closes the connection when its time is over.
type swallowFor struct{ limit time.Duration }

func (swallowFor) Buffer() int { return 0 }

func (f swallowFor) Run(link Link) {
	end := link.Began().Add(f.limit)
	for {
		_, due, ok := link.NextUntil(end)
		if !ok {
			return
		}
		if due {
			link.Close()
			drain(link)
			return
		}
	}
}
