package faults

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// slicer cuts the stream into small pieces.
func slicer() Kind {
	return Kind{
		Name:    "slicer",
		Doc:     "A link with small packets: what was written at once arrives in many pieces. It finds clients that take one read for one message.",
		Client:  "Short reads, about average_size bytes each, delay apart; nothing is lost.",
		Example: "{on: llm, during: services, fault: {slicer: {average_size: 16, delay: 1ms}}}",
		Params: []Param{
			{Name: "average_size", Type: TypeInt, Default: int64(64), Min: int64(1), Max: int64(1 << 20), Unit: "bytes", Doc: "How long a piece is."},
			{Name: "size_variation", Type: TypeInt, Default: int64(0), Min: int64(0), Max: int64(1 << 20), Unit: "bytes",
				Doc: "By how much a piece may be longer or shorter; at most average_size."},
			{Name: "delay", Type: TypeDuration, Default: timeline.Duration(100 * time.Microsecond), Min: timeline.Duration(0),
				Max: timeline.Duration(time.Minute), Doc: "The pause between two pieces. Without one, the network may join them again."},
			directionParam(),
		},
		Behave: slicing,
		check: func(s Spec) []Problem {
			// A piece would have less than no bytes; Toxiproxy's slicer overflows the stack here.
			if v, a := s.Int("size_variation"), s.Int("average_size"); v > a {
				return []Problem{{Param: "size_variation", Text: fmt.Sprintf("slicer.size_variation must be at most average_size, which is %d, got %d", a, v)}}
			}
			return nil
		},
	}
}

func slicing(s Spec) Behaviour {
	d := s.direction()
	return Behaviour{Filter: func(direction Direction, random *rand.Rand) Filter {
		if !d.Covers(direction) {
			return nil
		}
		return &cuts{size: s.Int("average_size"), variation: s.Int("size_variation"), pause: s.Duration("delay"), random: random}
	}}
}

// cuts makes pieces of chunks. Its cuts come from the trial's seed, which those of Toxiproxy's slicer do not.
type cuts struct {
	size, variation int64
	pause           time.Duration
	random          *rand.Rand
}

// Buffer is 0: arrival times do not matter.
func (*cuts) Buffer() int { return 0 }

// Run passes every byte, also when it is lifted in the middle of a chunk.
func (f *cuts) Run(link Link) {
	for {
		c, ok := link.Next()
		if !ok {
			return
		}
		for rest := c.Data; ; {
			n := min(f.draw(), int64(len(rest)))
			if int64(len(rest)) == n {
				link.Pass(Chunk{Data: rest, At: c.At})
				break
			}
			link.Pass(Chunk{Data: rest[:n:n], At: c.At})
			rest = rest[n:]
			if f.pause > 0 && !link.Wait(time.Now().Add(f.pause)) {
				link.Pass(Chunk{Data: rest, At: c.At})
				return
			}
		}
	}
}

// draw returns the length of the next piece, at least 1.
func (f *cuts) draw() int64 {
	if f.variation <= 0 {
		return f.size
	}
	return max(1, f.size-f.variation+f.random.Int64N(2*f.variation+1))
}
