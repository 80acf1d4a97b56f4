package faults

import (
	"fmt"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// slicer cuts the stream into small pieces.
func slicer() Kind {
	return Kind{
		Name: "slicer",
		Doc: "A link with small packets: what was written at once arrives in many pieces. It finds clients that take one read for one message. " +
			"The places of the cuts vary only with size_variation, and are then drawn by Toxiproxy without the trial's seed.",
		Client:  "Short reads, about average_size bytes each, delay apart; nothing is lost.",
		Example: "{on: llm, during: services, fault: {slicer: {average_size: 16, delay: 1ms}}}",
		Params: []Param{
			{Name: "average_size", Type: TypeInt, Default: int64(64), Min: int64(1), Max: int64(1 << 20), Unit: "bytes", Doc: "How long a piece is."},
			{Name: "size_variation", Type: TypeInt, Default: int64(0), Min: int64(0), Max: int64(1<<20 - 1), Unit: "bytes",
				Doc: "By how much a piece may be longer or shorter; less than average_size."},
			{Name: "delay", Type: TypeDuration, Default: timeline.Duration(0), Min: timeline.Duration(0), Max: timeline.Duration(time.Minute),
				Doc: "The pause between two pieces, in whole microseconds."},
			directionParam(),
		},
		Behave: slicing,
		check: func(s Spec) []Problem {
			// Toxiproxy overflows the stack here.
			if v, a := s.Int("size_variation"), s.Int("average_size"); v >= a {
				return []Problem{{Param: "size_variation", Text: fmt.Sprintf("slicer.size_variation must be less than average_size, which is %d, got %d", a, v)}}
			}
			return nil
		},
	}
}

func slicing(s Spec) Behaviour {
	pause := (s.Duration("delay") + time.Microsecond - 1) / time.Microsecond // rounded up: a pause of 100ns is no pause of 0
	return Behaviour{Stock: &Stock{Type: "slicer", Direction: s.direction(), Attributes: map[string]any{
		"average_size": s.Int("average_size"), "size_variation": s.Int("size_variation"), "delay": int64(pause)}}}
}
