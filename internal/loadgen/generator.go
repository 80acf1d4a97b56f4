// Package loadgen sends the requests of a load at their moments and notes what became of them. It decides nothing about them: what is sent
// when is traffic's, what a request is probes', and what the figures mean contracts'.
package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/traffic"
)

// Step is one kind of request.
type Step struct {
	Name    string
	Weight  int
	Kind    string // of its probe: "http"
	Probe   probes.Probe
	Timeout time.Duration // of one request
}

// Generator plays one load, once.
type Generator struct {
	load  traffic.Load
	steps []Step
	most  int // requests that may be open at a time

	first   sync.Once
	claimed chan time.Time

	mu      sync.Mutex
	tally   *traffic.Tally
	open    int
	work    sync.WaitGroup
	started time.Time
	exits   []time.Time
}

// New returns a generator. At most `most` requests are open at a time; those beyond are not sent, and counted as that.
func New(load traffic.Load, steps []Step, most int) *Generator {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Name
	}
	return &Generator{load: load, steps: steps, most: most, claimed: make(chan time.Time, 1), tally: traffic.NewTally(names)}
}

// Claimed tells that the service claims to be ready since at. It never waits; only the first call counts.
func (g *Generator) Claimed(at time.Time) { g.first.Do(func() { g.claimed <- at }) }

// Exited tells that the service's process ended at that moment.
func (g *Generator) Exited(at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.exits = append(g.exits, at)
}

// Started is when the load began, and whether it did. Offsets of its events count from then.
func (g *Generator) Started() (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.started, !g.started.IsZero()
}

// Run sends until the load is over or sending ends, and returns when every request that was sent has been answered or given up. begin is
// where a load from the start begins. sending ends the load early; requests that are open then go on until requests is done, too.
func (g *Generator) Run(sending, requests context.Context, begin time.Time) {
	if !g.load.FromStart {
		select {
		case begin = <-g.claimed:
			g.claimed <- begin // for the loop below
		case <-sending.Done():
			return
		}
	}
	g.mu.Lock()
	g.started = begin
	g.mu.Unlock()
	g.send(sending, requests)
	g.work.Wait()
}

// send is the loop of the one goroutine that keeps the moments.
func (g *Generator) send(sending, requests context.Context) {
	arrivals := g.load.Arrivals()
	mix := traffic.NewMix(g.weights(), g.load.Seed, "steps")
	end := time.Duration(-1) // not known before the claim
	timer := time.NewTimer(0)
	defer timer.Stop()
	next, more := arrivals.Next()
	for more || end < 0 {
		if end >= 0 && next >= end {
			return
		}
		wait := 24 * time.Hour // only the claim is waited for
		if more {
			wait = max(0, next-time.Since(g.started))
		}
		timer.Reset(wait)
		select {
		case <-sending.Done():
			return
		case at := <-g.claimed:
			end = g.claim(requests, at)
			continue
		case <-timer.C:
		}
		if end < 0 && g.claimIsIn() {
			continue // both at once: the claim comes first
		}
		g.begin(requests, mix.Next(), next)
		next, more = arrivals.Next()
	}
}

// claimIsIn tells whether a claim waits to be taken.
func (g *Generator) claimIsIn() bool { return len(g.claimed) > 0 }

// claim lets the stampede go and returns when the load is over.
func (g *Generator) claim(requests context.Context, at time.Time) time.Duration {
	offset := max(0, at.Sub(g.started))
	g.mu.Lock()
	g.tally.Claimed(offset)
	g.mu.Unlock()
	mix := traffic.NewMix(g.weights(), g.load.Seed, "stampede")
	for range g.load.Stampede {
		g.begin(requests, mix.Next(), offset)
	}
	return offset + g.load.For
}

func (g *Generator) weights() []int {
	out := make([]int, len(g.steps))
	for i, s := range g.steps {
		out[i] = s.Weight
	}
	return out
}

// begin sends one request, unless too many are open.
func (g *Generator) begin(ctx context.Context, step int, intended time.Duration) {
	g.mu.Lock()
	if g.open >= g.most {
		g.tally.Unsent(intended)
		g.mu.Unlock()
		return
	}
	g.open++
	g.mu.Unlock()
	g.work.Go(func() {
		a := g.ask(ctx, step, intended)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open--
		g.tally.Add(a)
	})
}

func (g *Generator) ask(ctx context.Context, step int, intended time.Duration) traffic.Answer {
	s := g.steps[step]
	sent := time.Since(g.started)
	answer, err := s.Probe(ctx)
	done := time.Since(g.started)
	a := traffic.Answer{Step: step, Intended: intended, Sent: sent, Done: done}
	a.Kind, a.Code = classify(ctx, s, answer, err, done-sent)
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// Events returns what the load came to, once Run has returned; result says how it ended.
func (g *Generator) Events(result string) []traffic.Event {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, at := range g.exits {
		g.tally.Exited(at.Sub(g.started))
	}
	return g.tally.Events(result, time.Since(g.started))
}
