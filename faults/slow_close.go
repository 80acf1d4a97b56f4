package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// slowClose makes the end of a stream late.
func slowClose() Kind {
	return Kind{
		Name: "slow_close",
		Doc: "A dependency that answers in time and hangs up late: data passes untouched, the end of the stream comes `delay` later. It finds clients " +
			"that wait for the end instead of the length, and connections that pile up.",
		Client:  "The whole answer in time, then nothing, then the end of the stream (EOF).",
		Example: "{on: llm, during: services, fault: {slow_close: 2s}}",
		Params: []Param{
			{Name: "delay", Type: TypeDuration, Default: timeline.Duration(time.Second), Min: timeline.Duration(0), Max: timeline.Duration(time.Hour),
				Doc: "How late the end is."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			delay, direction := s.Duration("delay"), s.direction()
			return Behaviour{BitesEnd: true, BytesPass: true, Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return slowEnd{delay}
			}}
		},
	}
}

// slowEnd passes the end of the stream late.
type slowEnd struct{ delay time.Duration }

func (slowEnd) Buffer() int { return 0 }

func (f slowEnd) Run(link Link) {
	for {
		c, ok := link.Next()
		if !ok {
			return
		}
		if c.Data == nil && !link.Wait(c.At.Add(f.delay)) {
			link.Pass(c)
			return
		}
		link.Pass(c)
	}
}
