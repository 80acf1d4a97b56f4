package runner

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// doubt is a proof that failed: whether the service still claimed to be ready after it is not known yet.
type doubt struct {
	event timeline.Event
	at    time.Time
	tell  bool // it is worth an event even when the claim stands
}

// doubts are settled by asking the ready probe once for all that came meanwhile. Safe for concurrent use.
type doubts struct {
	mu   sync.Mutex
	open []doubt
	told int // how many that are worth an event are not settled
	bell chan struct{}
}

func newDoubts() *doubts { return &doubts{bell: make(chan struct{}, 1)} }

func (d *doubts) add(one doubt) {
	d.mu.Lock()
	d.open = append(d.open, one)
	if one.tell {
		d.told++
	}
	d.mu.Unlock()
	select {
	case d.bell <- struct{}{}:
	default:
	}
}

func (d *doubts) take() []doubt {
	d.mu.Lock()
	defer d.mu.Unlock()
	open := d.open
	d.open = nil
	return open
}

func (d *doubts) settled(list []doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range list {
		if one.tell {
			d.told--
		}
	}
}

// any says whether something worth an event is not settled.
func (d *doubts) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told > 0
}

// errUnclaimed ends the proving of a claim that was taken back.
var errUnclaimed = errors.New("the claim was taken back")

// settle asks whether the service still claims to be ready whenever a proof failed, and ends the proving when it does not.
func (p *proving) settle(ctx context.Context) {
	for {
		select {
		case <-p.doubts.bell:
		case <-ctx.Done():
			return
		}
		open := p.doubts.take()
		began := time.Now()
		if !p.confirm(ctx, open) {
			return
		}
		p.doubts.settled(open)
		p.review()
		rest(ctx, doubting.after(time.Since(began)), nil)
	}
}

// confirm asks once, and writes down what failed before it. It returns false when the proving is over.
func (p *proving) confirm(ctx context.Context, open []doubt) bool {
	t := p.trial
	lifts, began := t.lifts.Load(), time.Now()
	claimed, answer, err := t.stillClaims(ctx)
	if ctx.Err() != nil {
		return false
	}
	for _, one := range open {
		if !one.tell && claimed {
			continue
		}
		if one.event.Claimed = claimed; claimed && t.readyProbe != nil {
			one.event.Result = "ready"
			if t.saysDegraded(answer) {
				one.event.Result = "degraded"
			}
		}
		t.recorder.AddAt(one.at, one.event)
	}
	if !claimed {
		t.claims.deny(began)
		t.unclaim(err)
		p.end(errUnclaimed)
		return false
	}
	p.stands(lifts)
	return true
}
