package faults

import (
	"math/rand/v2"
)

// limitData ends connections in the middle of an answer.
func limitData() Kind {
	return Kind{
		Name: "limit_data",
		Doc: "A truncated answer: a proxy with a size limit, or a server that dies politely. After so many bytes of answer, counted from when the fault " +
			"came on for the connection, both sides get an orderly end. With direction: upstream the bytes of the request count.",
		Client:  "Exactly that many bytes, then the end of the stream (EOF). With 0: EOF where the answer would have begun; the request did reach the dependency.",
		Example: "{on: llm, during: services, fault: {limit_data: 512}}",
		Params: []Param{
			{Name: "bytes", Type: TypeInt, Default: int64(0), Min: int64(0), Max: int64(1 << 40), Unit: "bytes", Doc: "How many bytes pass on a connection."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			limit, direction := s.Int("bytes"), s.direction()
			return Behaviour{BytesPass: true, Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &closeAfter{allowance{limit: limit}}
			}}
		},
	}
}

// closeAfter lets some bytes pass and then closes the connection.
type closeAfter struct{ allowance }

func (*closeAfter) Buffer() int { return 0 }

func (f *closeAfter) Run(link Link) {
	if _, ok := f.spend(link); ok {
		link.Close()
		drain(link)
	}
}
