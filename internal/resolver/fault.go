package resolver

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/chaos-startup/chaos/faults"
	"golang.org/x/net/dns/dnsmessage"
)

// host is one dependency. Everything that changes is under the resolver's lock.
type host struct {
	Host
	index  int
	faults []*fault
	asked  map[query]int
}

// query is what one lookup asks once: a program asks for A and AAAA side by side, and both are its first query.
type query struct {
	name string
	kind dnsmessage.Type // A, AAAA, or 0 for all others
}

func queryOf(name string, t dnsmessage.Type) query {
	if t != dnsmessage.TypeA && t != dnsmessage.TypeAAAA {
		t = 0
	}
	return query{name, t}
}

// fault is one injection of a host. Everything that changes is under the resolver's lock.
type fault struct {
	Injection
	host   *host
	key    uint64 // of its random choices
	armed  bool
	bitten bool // since it was armed
	lifted chan struct{}
	taken  map[query]int
	hit    int
}

func newFault(in Injection, h *host, seed uint64) *fault {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(h.Dependency + "/" + in.ID))
	return &fault{Injection: in, host: h, key: seed ^ sum.Sum64(), taken: map[query]int{}}
}

// take puts the number-th query under the fault, unless it has all it may have or would not notice.
func (f *fault) take(q query, number int) bool {
	if !f.matters(q) {
		return false
	}
	if f.Toxicity > 0 && f.Toxicity < 1 {
		random := rand.New(rand.NewPCG(f.key, uint64(number))) // #nosec G404 G115 -- must be replayable
		if random.Float64() >= f.Toxicity {
			return false
		}
	}
	if f.Connections > 0 && f.taken[q] >= f.Connections {
		return false
	}
	f.taken[q]++
	return true
}

// matters says whether what the fault answers differs from the truth. Only A has a truth other than that there is nothing.
func (f *fault) matters(q query) bool {
	if f.Resolution.Delay > 0 {
		return true
	}
	switch f.Resolution.Answer {
	case faults.Truth:
		return false
	case faults.NoData, faults.WrongAddress:
		return q.kind == dnsmessage.TypeA
	}
	return true
}

// Arm makes the fault come on. It never blocks; arming what is armed does nothing.
func (r *Resolver) Arm(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.faults[id]
	if f == nil || f.armed || r.closed {
		return
	}
	f.armed, f.bitten, f.lifted = true, false, make(chan struct{})
}

// Lift makes the fault go off: queries that are held are answered at once, with the truth. It never blocks.
func (r *Resolver) Lift(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.faults[id]
	if f == nil || !f.armed {
		return
	}
	f.armed = false
	close(f.lifted)
}

// decision is what a query meets.
type decision struct {
	at     time.Time
	answer faults.NameAnswer
	delay  time.Duration
	lifted <-chan struct{} // closed when the fault behind the longest delay is lifted; nil without one
	first  []*fault        // those that have bitten for the first time since they were armed
}

// decide applies the armed faults in the order of inject, up to the first that does not tell the truth. The gate is held.
func (r *Resolver) decide(h *host, q query) decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	h.asked[q]++
	d := decision{at: time.Now()}
	longest := time.Duration(0)
	for _, f := range h.faults {
		if !f.armed || !f.take(q, h.asked[q]) {
			continue
		}
		f.hit++
		if !f.bitten {
			f.bitten = true
			d.first = append(d.first, f)
		}
		if delay := f.Resolution.Delay; delay > 0 {
			d.delay += delay
			if delay > longest {
				longest, d.lifted = delay, f.lifted
			}
		}
		if d.answer = f.Resolution.Answer; d.answer != faults.Truth {
			break
		}
	}
	return d
}

// wait holds a query for as long as was decided. It returns what to answer then; ok is false when the resolver was closed before.
func (r *Resolver) wait(d decision) (answer faults.NameAnswer, ok bool) {
	if d.delay <= 0 {
		return d.answer, true
	}
	timer := time.NewTimer(time.Until(d.at.Add(d.delay)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return d.answer, true
	case <-d.lifted:
		return faults.Truth, true
	case <-r.done:
		return faults.Truth, false
	}
}
