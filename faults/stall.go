package faults

import "math/rand/v2"

// stall stops a stream in the middle.
func stall() Kind {
	return Kind{
		Name: "stall",
		Doc: "A dependency that stops in the middle of an answer: a garbage collection, a lock, a disk that hangs. So many bytes pass on a connection, counted " +
			"from when the fault came on for it, and then none until the lift; what waited comes then, in order.",
		Client:  "Exactly that many bytes, then silence on an open connection; the rest after the lift.",
		Example: "{on: llm, during: services, for: 5s, fault: {stall: 512}}",
		Params: []Param{
			{Name: "bytes", Type: TypeInt, Default: int64(1024), Min: int64(0), Max: int64(1 << 40), Unit: "bytes", Doc: "How many bytes pass on a connection."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			limit, direction := s.Int("bytes"), s.direction()
			return Behaviour{BytesPass: true, Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &stallAfter{allowance{limit: limit}}
			}}
		},
	}
}

// stallAfter lets some bytes pass and then none.
type stallAfter struct{ allowance }

func (*stallAfter) Buffer() int { return 0 }

func (f *stallAfter) Run(link Link) {
	rest, ok := f.spend(link)
	if !ok {
		return
	}
	if len(rest.Data) == 0 { // exactly the limit: it only shows when there is more
		if rest, ok = link.Next(); !ok {
			return
		}
	}
	link.Bite(len(rest.Data), "stalls")
	awaitLift(link)
	link.Pass(rest)
}
