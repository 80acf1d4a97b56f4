package proxy

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"

	"github.com/chaos-startup/chaos/faults"
)

// faultToxic is one fault in one direction of one connection: it passes chunks on until its fault comes on, then lets the filter (or
// Toxiproxy's own toxic) have them.
type faultToxic struct {
	c      *conn
	f      *fault
	d      int // 0: towards the dependency, 1: towards the service; as conn.queues
	filter faults.Filter
	stock  *faults.Stock
}

// bufferedFaultToxic is a faultToxic before which chunks may wait, so that their arrival times are true.
type bufferedFaultToxic struct{ faultToxic }

// GetBufferSize is asked by Toxiproxy.
func (*bufferedFaultToxic) GetBufferSize() int { return chunkBuffer }

// Pipe runs until the stream ended or the connection is gone.
func (t *faultToxic) Pipe(stub *toxics.ToxicStub) {
	defer t.c.p.work.Done()
	defer leave(stub)
	defer t.c.recovered()
	l := &link{t: t, stub: stub, input: stub.Input, born: time.Now()}
	for !l.ended && !l.gone() {
		st := t.f.state.Load()
		if st.on && t.c.under[t.f.index].Load() {
			l.state = st
			t.act(l)
			continue
		}
		if !l.idle(st) {
			return
		}
	}
}

// act lets the fault have the chunks until it is lifted.
func (t *faultToxic) act(l *link) {
	if t.stock == nil {
		t.filter.Run(l)
		return
	}
	if err := l.runStock(t.stock); err != nil {
		panic(err)
	}
}

// link is a faults.Link on a stub of Toxiproxy.
type link struct {
	t     *faultToxic
	stub  *toxics.ToxicStub
	input <-chan *stream.StreamChunk // nil after the end of the stream was read
	state *state                     // of the fault, while it acts
	born  time.Time

	pending *faults.Chunk // read, but the fault's state changed before it was treated
	ended   bool          // the end of the stream was passed
}

func (l *link) gone() bool {
	select {
	case <-l.t.c.done:
		return true
	default:
		return false
	}
}

// idle passes one chunk, or waits for the fault's state to change. It returns false when the toxic must leave.
func (l *link) idle(st *state) bool {
	c := l.pending
	if c == nil {
		select {
		case raw := <-l.input:
			c = l.read(raw)
		case <-st.changed:
			return true
		case <-l.t.c.done:
			return false
		case <-l.stub.Interrupt:
			return false
		}
	}
	l.pending = c
	if now := l.t.f.state.Load(); now.on && l.t.c.under[l.t.f.index].Load() {
		return true // it came on while the chunk was under way: the gate let it pass under the fault
	}
	l.pending = nil
	l.Pass(*c)
	return true
}

func (l *link) read(raw *stream.StreamChunk) *faults.Chunk {
	if raw == nil {
		l.input = nil
		return &faults.Chunk{At: time.Now()}
	}
	return &faults.Chunk{Data: raw.Data, At: raw.Timestamp}
}

// Next implements faults.Link.
func (l *link) Next() (faults.Chunk, bool) {
	c, _, ok := l.next(nil)
	return c, ok
}

// NextUntil implements faults.Link.
func (l *link) NextUntil(t time.Time) (faults.Chunk, bool, bool) {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	return l.next(timer.C)
}

func (l *link) next(timeout <-chan time.Time) (c faults.Chunk, due, ok bool) {
	if l.pending == nil {
		select {
		case raw := <-l.input:
			l.pending = l.read(raw)
		case <-timeout:
			return faults.Chunk{}, true, true
		case <-l.state.changed:
			return faults.Chunk{}, false, false
		case <-l.t.c.done:
			return faults.Chunk{}, false, false
		}
	}
	if l.t.f.state.Load() != l.state {
		return faults.Chunk{}, false, false // lifted by the gate which this very chunk asked: it must not meet the fault
	}
	c, l.pending = *l.pending, nil
	if c.Data != nil && !l.t.f.b.BytesPass || c.Data == nil && l.t.f.b.BitesEnd {
		l.t.c.bitten(l.t.f, len(c.Data), fmt.Sprintf("%d bytes met it", len(c.Data)))
	}
	return c, false, true
}

// Pass implements faults.Link.
func (l *link) Pass(c faults.Chunk) {
	if l.ended {
		return
	}
	if c.Data == nil {
		l.ended = true
		l.stub.Close()
		return
	}
	select {
	case l.stub.Output <- &stream.StreamChunk{Data: c.Data, Timestamp: c.At}:
	case <-l.t.c.done:
	}
}

// Wait implements faults.Link.
func (l *link) Wait(t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.state.changed:
	case <-l.t.c.done:
	}
	return false
}

// Began implements faults.Link.
func (l *link) Began() time.Time {
	if l.born.After(l.state.since) {
		return l.born
	}
	return l.state.since
}

// Open implements faults.Link.
func (l *link) Open() int { return l.t.c.p.Stats().Open }

// Close implements faults.Link.
func (l *link) Close() { l.end(&l.queue().closes, "closed by ") }

// Reset implements faults.Link.
func (l *link) Reset() { l.end(&l.queue().breaks, "reset by ") }

// end lets the connection end behind what was passed: nothing of it may be lost.
func (l *link) end(way *atomic.Bool, how string) {
	how += l.t.f.Fault.Kind
	l.t.c.bitten(l.t.f, 0, how)
	l.t.c.endBy(way, how)
	l.Pass(faults.Chunk{})
}

// queue is where what is passed ends up.
func (l *link) queue() *queue { return l.t.c.queues[l.t.d] }

// runStock lets Toxiproxy's own toxic have the chunks, on a stub of its own: it is interrupted when the fault is lifted, without
// touching the chain.
func (l *link) runStock(s *faults.Stock) error {
	wrapper := &toxics.ToxicWrapper{Type: s.Type, Toxicity: 1}
	if toxics.New(wrapper) == nil {
		return fmt.Errorf("toxic %s: %w", s.Type, errNoToxic)
	}
	attributes, err := json.Marshal(s.Attributes)
	if err != nil {
		return fmt.Errorf("toxic %s: %w", s.Type, err)
	}
	if err := json.Unmarshal(attributes, wrapper.Toxic); err != nil {
		return fmt.Errorf("toxic %s: %w", s.Type, err)
	}
	in, out := make(chan *stream.StreamChunk), make(chan *stream.StreamChunk)
	sub := toxics.NewToxicStub(in, out)
	var running sync.WaitGroup
	running.Go(func() { sub.Run(wrapper) })
	running.Go(func() {
		for c := range out {
			l.Pass(faults.Chunk{Data: c.Data, At: c.Timestamp})
		}
	})
	end, held := l.feed(in)
	if end {
		close(in) // it passes what it holds and closes its output
	} else {
		sub.InterruptToxic()
		sub.Close()
	}
	running.Wait()
	if held != nil {
		l.Pass(*held)
	}
	if end {
		l.Pass(faults.Chunk{})
	}
	return nil
}

// feed gives chunks to a stock toxic until the stream ended (end) or the fault was lifted; held is a chunk that it could not take any more.
func (l *link) feed(in chan<- *stream.StreamChunk) (end bool, held *faults.Chunk) {
	for {
		c, ok := l.Next()
		if !ok {
			return false, nil
		}
		if c.Data == nil {
			return true, nil
		}
		select {
		case in <- &stream.StreamChunk{Data: c.Data, Timestamp: c.At}:
		case <-l.state.changed:
			return false, &c
		case <-l.t.c.done:
			return false, nil
		}
	}
}
