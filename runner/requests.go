package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// requests counts what chaos itself asks of the service, so that what a service does because of it is not taken for its own doing. Replicas share one,
// for they share what they need. Safe for concurrent use.
type requests struct {
	mu    sync.Mutex
	all   flow // with the ready probe and phases that are polled
	proof flow // proofs and load alone
}

// flow are those begun so far, those under way, and those that have ended only just now, in the order in which they did.
type flow struct {
	begun, open int
	ended       []time.Time
}

// working is for how long a service may go on with a proof or a request of the load that nobody waits for any more.
const working = 100 * time.Millisecond

// of returns probe, counted as n requests; proving says that it is a proof, or of the load.
func (r *requests) of(probe probes.Probe, n int, proving bool) probes.Probe {
	return func(ctx context.Context) (probes.Answer, error) {
		r.begin(n, proving)
		defer r.end(n, proving)
		return probe(ctx)
	}
}

func (r *requests) begin(n int, proving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.begun, r.all.open = r.all.begun+n, r.all.open+n
	if proving {
		r.proof.begun, r.proof.open = r.proof.begun+n, r.proof.open+n
	}
}

func (r *requests) end(n int, proving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.open -= n
	if !proving {
		return
	}
	r.proof.open -= n
	now := time.Now()
	r.recent(now)
	for range n {
		r.proof.ended = append(r.proof.ended, now)
	}
}

// recent returns how many proofs and requests of the load ended just before now. Locked.
func (r *requests) recent(now time.Time) int {
	ended := r.proof.ended
	old := 0
	for old < len(ended) && now.Sub(ended[old]) > working {
		old++
	}
	r.proof.ended = slices.Delete(ended, 0, old)
	return len(r.proof.ended)
}

// note adds to what was seen of a dependency how much was being asked of the service at that moment.
func (r *requests) note(e timeline.Event) timeline.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	late := r.recent(time.Now())
	if r.all.open+late == 0 {
		return e
	}
	e.Count = map[string]float64{"asking": float64(r.all.open + late), "asked": float64(r.all.begun)}
	if r.proof.open+late > 0 {
		e.Count["proving"], e.Count["proved"] = float64(r.proof.open+late), float64(r.proof.begun)
	}
	return e
}

// requestsOf is how many requests one attempt at a probe sends to the service, at most.
func requestsOf(s probes.Spec) int {
	n := 0
	for one := &s; one != nil; one = one.Then {
		each := 1
		switch {
		case one.JWT != nil:
			each = 5 // valid, tampered, expired, unsigned, missing
		case one.HTTP != nil && one.HTTP.RateLimit != nil:
			each = one.HTTP.RateLimit.Allowed + one.HTTP.RateLimit.Extra
		case one.HTTP != nil && one.HTTP.CORS != "":
			each = 3 // two preflights and the request
		case one.WebSocket != nil:
			each = 1 + one.WebSocket.Reconnect
		}
		n += each * max(1, one.Parallel)
	}
	return n
}
