package faults

import (
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// latency makes everything late.
func latency() Kind {
	zero, hour := timeline.Duration(0), timeline.Duration(time.Hour)
	return Kind{
		Name: "latency",
		Doc: "A far or overloaded dependency: every piece of data, and the end of the stream too, is late by `delay`, give or take `jitter` (uniform, " +
			"from the trial's seed). Each is late from the moment when it came, so a long answer is not slower than a short one, and the order is kept. " +
			"connect: true makes the connection itself late as well. What waits when the fault is lifted is passed at once.",
		Client:  "Answers that come late: a slow query, or a time limit of the client that strikes.",
		Example: "{on: postgres, during: database, fault: {latency: {delay: 3s, jitter: 200ms}}}",
		Params: []Param{
			{Name: "delay", Type: TypeDuration, Default: timeline.Duration(100 * time.Millisecond), Min: zero, Max: hour, Doc: "How late everything is."},
			{Name: "jitter", Type: TypeDuration, Default: zero, Min: zero, Max: hour,
				Doc: "By how much the delay varies either way; never below nothing."},
			directionParam(),
			{Name: "connect", Type: TypeBool, Default: false,
				Doc: "Connecting is late too. Without the connect interceptor the client's connect succeeds and the proxy's own is late."},
		},
		Behave: func(s Spec) Behaviour {
			l, direction := lateness{delay: s.Duration("delay"), jitter: s.Duration("jitter")}, s.direction()
			b := Behaviour{Filter: func(d Direction, random *rand.Rand) Filter {
				if !direction.Covers(d) {
					return nil
				}
				return &late{delay: func(Link) time.Duration { return l.draw(random) }}
			}}
			if s.Bool("connect") {
				b.Connect = l.draw
			}
			return b
		},
	}
}

// lateness is a uniform distribution of delays.
type lateness struct{ delay, jitter time.Duration }

// draw returns delay +- jitter, at least 0.
func (l lateness) draw(random *rand.Rand) time.Duration {
	if l.jitter <= 0 {
		return l.delay
	}
	return max(0, l.delay-l.jitter+time.Duration(random.Int64N(int64(2*l.jitter)+1)))
}

// late passes each chunk at its own absolute time. Toxiproxy's latency sleeps relative to now and is released by unrelated changes.
type late struct {
	delay func(Link) time.Duration // of the next chunk
	bites bool                     // a chunk that is not late is no bite
}

// Buffer keeps arrival times true while chunks wait: 1024 of them, as in Toxiproxy.
func (*late) Buffer() int { return 1024 }

func (f *late) Run(link Link) {
	var last time.Time // no chunk overtakes the one before
	for {
		c, ok := link.Next()
		if !ok {
			return
		}
		delay := f.delay(link)
		if f.bites && delay > 0 {
			link.Bite(len(c.Data), "stalls for "+delay.String())
		}
		if due := c.At.Add(delay); due.After(last) {
			last = due
		}
		lifted := !link.Wait(last)
		c.At = last // another latency behind this one adds to it
		if lifted {
			c.At = time.Now()
		}
		link.Pass(c)
		if lifted {
			return
		}
	}
}
