package proxy

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"

	"github.com/chaos-startup/chaos/faults"
)

// stage is one fault in one direction of one connection: a toxic that passes chunks on until its fault comes on, and then lets the
// filter have them. It never passes the end of the stream by closing its output, as Toxiproxy's do, but as a chunk.
type stage struct {
	ch     *chain
	m      *meeting
	d      faults.Direction
	filter faults.Filter
	stub   *toxics.ToxicStub
}

// Pipe runs until the chain or the connection has ended.
func (s *stage) Pipe(stub *toxics.ToxicStub) {
	l := &link{s: s, born: time.Now()}
	for {
		st := s.m.f.state.Load()
		if st.on {
			if !s.ch.begin() {
				return
			}
			l.state = st
			s.filter.Run(l)
			s.ch.finish()
			if l.gone() {
				return
			}
			continue
		}
		if !l.idle(st) {
			return
		}
	}
}

// link is a faults.Link on the stub of a stage.
type link struct {
	s     *stage
	state *state // of the fault, while it acts
	born  time.Time

	pending *chunk // read, but the fault's state changed before it was treated
	ended   bool   // the end of the stream was passed
}

func (l *link) gone() bool { return l.s.ch.c.ended() }

// idle passes one chunk, or waits for the fault's state to change. It returns false when the stage must end.
func (l *link) idle(st *state) bool {
	if l.pending == nil {
		select {
		case l.pending = <-l.s.stub.Input:
		case <-st.changed:
			return true
		case <-l.s.ch.done:
			return false
		case <-l.s.ch.c.done:
			return false
		}
	}
	if l.s.m.f.on() && !isMark(l.pending) {
		return true // it came on while the chunk was under way: the gate let it pass under the fault
	}
	c := l.pending
	l.pending = nil
	return l.s.ch.pass(l.s.stub, c)
}

// Next implements faults.Link.
func (l *link) Next() (faults.Chunk, bool) {
	c, _, ok := l.next(nil)
	return c, ok
}

// NextUntil implements faults.Link.
func (l *link) NextUntil(t time.Time) (faults.Chunk, bool, bool) {
	rung, stop := l.s.ch.c.p.alarm(t)
	defer stop()
	return l.next(rung)
}

func (l *link) next(timeout <-chan struct{}) (c faults.Chunk, due, ok bool) {
	for {
		if l.pending == nil {
			select {
			case l.pending = <-l.s.stub.Input:
			case <-timeout:
				return faults.Chunk{}, true, true
			case <-l.state.changed:
				return faults.Chunk{}, false, false
			case <-l.s.ch.c.done:
				return faults.Chunk{}, false, false
			}
		}
		if l.s.m.f.state.Load() != l.state {
			return faults.Chunk{}, false, false // lifted by the gate which this very chunk asked: it must not meet the fault
		}
		raw := l.pending
		l.pending = nil
		if isMark(raw) {
			continue // its half was told that the fault is on, and gave up
		}
		c = bytesOf(raw)
		if b := &l.s.m.f.b; c.Data != nil && !b.BytesPass || c.Data == nil && b.BitesEnd {
			l.s.m.bitten(len(c.Data), fmt.Sprintf("%d bytes met it", len(c.Data)))
		}
		return c, false, true
	}
}

// Pass implements faults.Link.
func (l *link) Pass(c faults.Chunk) {
	if l.ended || c.Data != nil && len(c.Data) == 0 {
		return
	}
	l.ended = c.Data == nil
	l.s.ch.pass(l.s.stub, &chunk{Data: c.Data, Timestamp: c.At})
}

// Wait implements faults.Link.
func (l *link) Wait(t time.Time) bool { return l.s.ch.wait(t, l.state) }

// wait sleeps until t. It is false when st ended, or the connection, before.
func (ch *chain) wait(t time.Time, st *state) bool {
	if !time.Now().Before(t) && st.stands() {
		return !ch.c.ended()
	}
	rung, stop := ch.c.p.alarm(t)
	defer stop()
	select {
	case <-rung:
		return true
	case <-st.changed:
	case <-ch.c.done:
	}
	return false
}

// Began implements faults.Link.
func (l *link) Began() time.Time { return later(l.born, l.state.since) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Open implements faults.Link.
func (l *link) Open() int { return l.s.ch.c.p.Open() }

// Bite implements faults.Link.
func (l *link) Bite(bytes int, text string) { l.s.m.bitten(bytes, text) }

// Close implements faults.Link.
func (l *link) Close() { l.end(&l.half().closes, "closed by ") }

// Reset implements faults.Link.
func (l *link) Reset() { l.end(&l.half().breaks, "reset by ") }

// end lets the connection end behind what was passed: nothing of it may be lost.
func (l *link) end(way *atomic.Bool, how string) {
	how += l.s.m.f.Fault.Kind
	l.s.m.bitten(0, how)
	l.s.ch.c.because(how)
	way.Store(true)
	l.Pass(faults.Chunk{})
}

func (l *link) half() *half { return l.s.ch.c.halves[l.s.d] }
