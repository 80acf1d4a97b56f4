package runner

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// proveEarly asks the proofs before the claim, side by side, from the first open port of the service on: they show a service that can do
// everything and does not say so.
func (t *trial) proveEarly(ctx context.Context) {
	if !t.awaitPort(ctx) {
		return
	}
	var all sync.WaitGroup
	for _, one := range t.readiness {
		if one.alone {
			continue // it would keep the others, and the service's users, from being answered
		}
		all.Go(func() { t.proveOneEarly(ctx, one) })
	}
	all.Wait()
}

func (t *trial) proveOneEarly(ctx context.Context, one proof) {
	var h history
	for ctx.Err() == nil {
		lifted, lifts := t.lifted.next(), t.lifts.Load()
		r := t.ask(ctx, one)
		if ctx.Err() != nil {
			return
		}
		one.timing.InitialDelay = 0
		excused := !r.ok && t.excused(one)
		if !r.crowded() || !h.last {
			tell := h.news(r, lifts)
			if tell {
				t.recorder.AddAt(r.ended, h.event(t, one, timeline.EarlyProof, r))
			}
			h.note(r)
		}
		rest(ctx, t.earlyPause(one, r, excused), lifted)
	}
}

// earlyPause is how long a proof rests before the claim. One that held is asked again only to see whether it still does.
func (t *trial) earlyPause(one proof, r round, excused bool) time.Duration {
	switch {
	case excused, r.ok && one.again <= 0:
		return -1
	case r.ok:
		return min(one.again, failingEach)
	case r.crowded():
		return sparing.after(r.took())
	case slices.ContainsFunc(one.needs, t.faulted):
		return hopeless.after(r.took())
	}
	return earlier.shared(len(t.readiness)).after(r.took())
}

// awaitPort waits until one of the ports that the service was given takes a connection; one that was given none is not waited for.
func (t *trial) awaitPort(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: earlier.most}
	for len(t.ports) > 0 && ctx.Err() == nil {
		for _, port := range t.ports {
			c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err == nil {
				_ = c.Close()
				return ctx.Err() == nil
			}
		}
		rest(ctx, earlier.least, nil)
	}
	return ctx.Err() == nil
}
