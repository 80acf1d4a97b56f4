package process

import "sync"

// scratchSize is the buffer that all reads of one Gate share. It is the size
// of a Linux pipe, so that a full pipe is emptied by one read.
const scratchSize = 64 << 10

// source is something that a service writes into and a Gate empties.
type source interface {
	// drain delivers what had been written before the call and never waits.
	// The gate is held; buf may be overwritten at will.
	drain(buf []byte)
}

// Gate serialises everything that is known of one service (or of several that
// share it): whoever holds it has read all that the service had written to
// its output and its notify socket up to then. The kernel keeps the order of
// a pipe, so a line that was written before a connect(2) or a send(2) has
// always been delivered by a Sync made after that call was seen.
//
// Callbacks run with the gate held and must neither call the gate nor wait
// for somebody who does.
type Gate struct {
	mu      sync.Mutex
	sources []source
	scratch []byte
}

// NewGate returns a gate that knows of no service yet.
func NewGate() *Gate { return &Gate{} }

// Sync delivers everything the attached services had written before the call.
// It is bounded by that amount: a service that never stops printing cannot
// hold it.
func (g *Gate) Sync() { g.Do(nil) }

// Do is Sync followed by f, under one lock: nothing that the services write
// or do is delivered between the two. A nil f is allowed.
func (g *Gate) Do(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	buf := g.buffer()
	for _, s := range g.sources {
		s.drain(buf)
	}
	if f != nil {
		f()
	}
}

// buffer returns the shared scratch space; the gate must be held.
func (g *Gate) buffer() []byte {
	if g.scratch == nil {
		g.scratch = make([]byte, scratchSize)
	}
	return g.scratch
}

func (g *Gate) attach(s source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sources = append(g.sources, s)
}

// detach guarantees that s is not drained any more once it has returned, so
// that its file descriptor may be closed.
func (g *Gate) detach(s source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, have := range g.sources {
		if have == s {
			g.sources = append(g.sources[:i:i], g.sources[i+1:]...)
			return
		}
	}
}
