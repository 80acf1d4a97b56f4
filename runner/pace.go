package runner

import (
	"context"
	"sync"
	"time"
)

// pace is how long to pause between two asks: a multiple of what an ask takes, so that asking never fills more than that share of the time
// whatever a loaded machine makes of it, and within bounds.
type pace struct {
	times       int
	spare       time.Duration // which a quick answer is spared
	least, most time.Duration
}

var (
	// claiming is how the ready probe is asked until it says yes: the claim is known as exactly as that. It may take a share of a machine that has
	// little else to do, which quick answers tell.
	claiming = pace{times: 10, spare: 4 * time.Millisecond, least: 2 * time.Millisecond, most: 50 * time.Millisecond}
	// proofing is how a proof is asked that fails after the claim, alone; several share it.
	proofing = pace{times: 4, least: 2 * time.Millisecond, most: 50 * time.Millisecond}
	// earlier is how a proof is asked before the claim.
	earlier = pace{times: 10, least: 10 * time.Millisecond, most: 100 * time.Millisecond}
	// doubting is how often the ready probe is asked, at most, whether it still says yes.
	doubting = pace{times: 4, least: 10 * time.Millisecond, most: 100 * time.Millisecond}
	// hopeless is how a proof is asked while something it needs is under a fault: each ask may make the service try that dependency.
	hopeless = pace{times: 4, least: 100 * time.Millisecond, most: 200 * time.Millisecond}
	// tired is how a proof is asked that has failed for as long as is waited for it: each failure raises the doubt whether the claim still stands, and
	// what stands in the end is only known between two doubts.
	tired = pace{times: 10, least: 500 * time.Millisecond, most: time.Second}
	// sparing is how a proof is asked whose answer was that there were too many requests.
	sparing = pace{times: 10, least: 200 * time.Millisecond, most: time.Second}
)

func (p pace) after(took time.Duration) time.Duration {
	return min(max(p.least, time.Duration(p.times)*took-p.spare), p.most)
}

// shared is the pace of one of n that are asked side by side.
func (p pace) shared(n int) pace {
	n = max(1, n)
	return pace{times: p.times * n, spare: p.spare, least: min(p.least*time.Duration(n), p.most), most: p.most}
}

// bell wakes whoever waits. Safe for concurrent use.
type bell struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that the next ring closes.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// rest pauses for d (for ever if it is negative), or until one of the channels is closed.
func rest(ctx context.Context, d time.Duration, rung <-chan struct{}) {
	var over <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-rung:
	case <-ctx.Done():
	}
}
