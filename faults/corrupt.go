package faults

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// corrupt flips bits.
func corrupt() Kind {
	return Kind{
		Name: "corrupt",
		Doc: "A broken network card, a middlebox that rewrites, a bug in a proxy: bits are flipped in bytes that TCP's checksum called sound. Each byte is hit " +
			"with `probability`, in one bit. Which bytes and bits comes from the trial's seed. It bites when a bit was flipped.",
		Client:  "An answer of the right length with wrong bytes: parse errors, TLS alerts, or wrong data that nobody notices.",
		Example: "{on: postgres, during: database, fault: {corrupt: 0.01}}",
		Params: []Param{
			{Name: "probability", Type: TypeFloat, Default: 0.001, Min: 1e-9, Max: 1.0, Doc: "The share of bytes that are hit."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			p, direction := s.Float("probability"), s.direction()
			return Behaviour{BytesPass: true, Filter: func(d Direction, random *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				f := &flips{probability: p, random: random}
				f.gap = f.draw()
				return f
			}}
		},
	}
}

// flips hits bytes of a stream, wherever its chunks begin.
type flips struct {
	probability float64
	random      *rand.Rand
	gap         int64 // sound bytes until the next that is hit
}

func (*flips) Buffer() int { return 0 }

// draw returns how many bytes are sound before one is hit: geometrically distributed.
func (f *flips) draw() int64 {
	if f.probability >= 1 {
		return 0
	}
	return int64(min(math.Floor(math.Log1p(-f.random.Float64())/math.Log1p(-f.probability)), 1<<53))
}

func (f *flips) Run(link Link) {
	for {
		c, ok := link.Next()
		if !ok {
			return
		}
		if n := f.flip(c.Data); n > 0 {
			link.Bite(n, fmt.Sprintf("%d of %d bytes were corrupted", n, len(c.Data)))
		}
		link.Pass(c)
	}
}

// flip changes data in place, which is the link's own copy, and returns how many bytes it hit.
func (f *flips) flip(data []byte) (hit int) {
	at := f.gap
	for ; at < int64(len(data)); at += 1 + f.draw() {
		data[at] ^= 1 << f.random.IntN(8)
		hit++
	}
	f.gap = at - int64(len(data))
	return hit
}
