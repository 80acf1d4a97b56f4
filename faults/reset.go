package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// reset breaks connections hard.
func reset() Kind {
	return Kind{
		Name: "reset",
		Doc: "A backend that crashes under its balancer, or a firewall that lost its state: the connection breaks without a goodbye, also while it is " +
			"idle. With `bytes` it breaks in the middle of an answer. The port stays open: clients can connect and are reset again.",
		Client:  "connect succeeds, then ECONNRESET; open connections, also idle ones, get it at once, or after so many bytes of answer.",
		Example: "{on: postgres, when: {sends: 'ALTER TABLE'}, fault: reset}",
		Params: []Param{
			{Name: "after", Type: TypeDuration, Default: timeline.Duration(0), Min: timeline.Duration(0), Max: timeline.Duration(time.Hour),
				Doc: "How late the reset comes."},
			{Name: "bytes", Type: TypeInt, Default: int64(0), Min: int64(0), Max: int64(1 << 40), Unit: "bytes",
				Doc: "How many bytes of answer pass on a connection before its reset; 0: none, it need not even talk."},
			{Name: "at", Type: TypeEnum, Default: "accept", Enum: []string{"accept", "data"},
				Doc: "When a new connection is reset, without `bytes`: as soon as it is accepted, or when its first data come (Toxiproxy's reset_peer)."},
			{Name: "direction", Type: TypeEnum, Default: Downstream.String(), Enum: []string{Downstream.String(), Upstream.String(), Both.String()},
				Doc: "Whose data and bytes count: the dependency's, the service's, or both's."},
		},
		Behave: func(s Spec) Behaviour {
			after, limit, direction := s.Duration("after"), s.Int("bytes"), s.direction()
			if limit == 0 && s.Text("at") == "accept" {
				return Behaviour{Accept: ResetIt, Open: ResetOpen, After: after}
			}
			b := Behaviour{BytesPass: true, Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &resetAfter{allowance: allowance{limit: limit}, after: after}
			}}
			if limit == 0 {
				b.Open, b.After = ResetOpen, after
			}
			return b
		},
	}
}

// resetAfter lets some bytes pass and then resets the connection.
type resetAfter struct {
	allowance
	after time.Duration
}

func (*resetAfter) Buffer() int { return 0 }

func (f *resetAfter) Run(link Link) {
	rest, ok := f.spend(link)
	if !ok {
		return
	}
	if f.after > 0 && !link.Wait(time.Now().Add(f.after)) {
		if len(rest.Data) > 0 {
			link.Pass(rest) // lifted before the reset came: nothing may be missing from the stream
		}
		return
	}
	link.Reset()
	drain(link)
}
