package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// loss is a link that loses packets, as TCP shows it: nothing is missing, but the stream stalls until what was lost has been sent again.
func loss() Kind {
	zero, hour := timeline.Duration(0), timeline.Duration(time.Hour)
	return Kind{
		Name: "loss",
		Doc: "A link that loses packets. TCP sends again what was lost, so the client sees no gap: the stream stalls for the retransmission time-out, " +
			"twice as long if that is lost too, and so on, and everything behind it waits. Losses come in bursts: with `correlation` c the loss of a piece makes " +
			"that of the next more likely, the share stays the same (Gilbert's model). A piece is what arrived at once. All draws come from the trial's seed.",
		Client:  "Stalls of 200 ms, 600 ms, 1.4 s ... in a stream that is otherwise in time; nothing is missing.",
		Example: "{on: postgres, from: start, fault: {loss: {probability: 0.1, correlation: 0.5}}}",
		Params: []Param{
			{Name: "probability", Type: TypeFloat, Default: 0.05, Min: 0.0, Max: 0.9, Doc: "The share of pieces that are lost."},
			{Name: "correlation", Type: TypeFloat, Default: 0.25, Min: 0.0, Max: 0.99, Doc: "How much a loss depends on the one before; 0: not at all."},
			{Name: "rto", Type: TypeDuration, Default: timeline.Duration(200 * time.Millisecond), Min: zero, Max: hour,
				Doc: "The retransmission time-out: 200 ms is the least that Linux waits."},
			{Name: "direction", Type: TypeEnum, Default: Both.String(), Enum: directionParam().Enum, Doc: directionParam().Doc},
		},
		Behave: func(s Spec) Behaviour {
			p, c, rto, direction := s.Float("probability"), s.Float("correlation"), s.Duration("rto"), s.direction()
			return Behaviour{BytesPass: true, Filter: func(d Direction, random *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				l := &losses{probability: p, correlation: c, rto: rto, random: random}
				return &late{delay: func(Link) time.Duration { return l.stall() }, bites: true}
			}}
		},
	}
}

// retries is how often one piece is lost in a row at the most: the doubling would outlast every trial.
const retries = 6

// losses draws which pieces are lost.
type losses struct {
	probability, correlation float64
	rto                      time.Duration
	random                   *rand.Rand
	lost                     bool // the piece before
}

// stall returns how late the next piece is: rto * (2^n - 1) when it was lost n times.
func (l *losses) stall() time.Duration {
	n := 0
	for n < retries && l.draw() {
		n++
	}
	return l.rto * time.Duration(1<<n-1)
}

func (l *losses) draw() bool {
	p := l.probability * (1 - l.correlation)
	if l.lost {
		p += l.correlation
	}
	l.lost = l.random.Float64() < p
	return l.lost
}
