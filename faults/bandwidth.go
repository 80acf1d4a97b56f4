package faults

import (
	"math/rand/v2"
	"time"
)

// bandwidth is a narrow link.
func bandwidth() Kind {
	return Kind{
		Name: "bandwidth",
		Doc: "A narrow or crowded link: bytes arrive at a limited rate for each connection and direction. Small answers hardly notice, big ones crawl. " +
			"What waits when the fault is lifted is passed at once.",
		Client:  "Data comes in pieces at no more than the rate; nothing is lost.",
		Example: "{on: postgres, from: start, fault: {bandwidth: 100}}",
		Params: []Param{
			{Name: "rate", Type: TypeInt, Default: int64(100), Min: int64(1), Max: int64(10_000_000), Unit: "KB/s",
				Doc: "The most that passes, in kilobytes (1000 bytes) per second; nothing at all passes under `stall`."},
			directionParam(),
		},
		Behave: func(s Spec) Behaviour {
			rate, direction := s.Int("rate")*1000, s.direction()
			return Behaviour{Filter: func(d Direction, _ *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &narrow{rate: rate}
			}}
		},
	}
}

// piece is how long the line is busy with one piece of a chunk: often enough to look like a stream, seldom enough for exact timers.
const piece = 10 * time.Millisecond

// narrow passes each piece when a line of that rate has finished sending it: the times are absolute, so that a late timer costs no rate.
// Toxiproxy's bandwidth sleeps for each piece and is 0.8 times as fast as asked at 100 MB/s.
type narrow struct {
	rate int64     // bytes per second
	free time.Time // when the line has sent what it was given
}

// Buffer holds what arrives within two pieces, so that the line is never idle for want of bytes that have come already.
func (f *narrow) Buffer() int { return int(min(64, 1+2*f.size()>>15)) }

// size is how many bytes one piece has.
func (f *narrow) size() int64 { return max(1, f.rate*int64(piece)/int64(time.Second)) }

func (f *narrow) Run(link Link) {
	f.free = link.Began()
	for {
		c, ok := link.Next()
		if !ok {
			return
		}
		if c.At.After(f.free) {
			f.free = c.At
		}
		if !f.send(link, c) {
			return
		}
	}
}

// send passes a chunk in pieces. It is false when the fault was lifted meanwhile; the rest was passed at once then.
func (f *narrow) send(link Link, c Chunk) bool {
	for rest := c.Data; ; {
		n := min(f.size(), int64(len(rest)))
		f.free = f.free.Add(time.Duration(n * int64(time.Second) / f.rate))
		lifted := !link.Wait(f.free)
		if lifted || int64(len(rest)) == n {
			link.Pass(Chunk{Data: rest, At: c.At})
			return !lifted
		}
		link.Pass(Chunk{Data: rest[:n:n], At: c.At})
		rest = rest[n:]
	}
}
