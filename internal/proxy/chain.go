package proxy

import (
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"

	"github.com/chaos-startup/chaos/faults"
)

// chainRead is how much one chunk holds at the most, as in Toxiproxy.
const chainRead = 32 << 10

var chainBuffers = sync.Pool{New: func() any { return new([chainRead]byte) }}

// chunk is what passes a chain. No Data is the end of the stream; Data without a byte is a mark, with which a half learns that
// everything before it has left the chain.
type chunk = stream.StreamChunk

func newMark() *chunk               { return &chunk{Data: []byte{}} }
func isMark(c *chunk) bool          { return c.Data != nil && len(c.Data) == 0 }
func bytesOf(c *chunk) faults.Chunk { return faults.Chunk{Data: c.Data, At: c.Timestamp} }

// chain is what the bytes of a connection pass while a fault that treats them is on: a row of Toxiproxy's toxics for each direction. It is a
// link of our own, because Toxiproxy's waits for running toxics when it adds one, and releases what they hold: here one is put between the last and
// the sender without touching either. A toxic stays in its chain when its fault is lifted, dormant; the chain ends when both
// directions have left it.
type chain struct {
	c    *conn
	done chan struct{} // closed when it is no longer used
	work sync.WaitGroup

	// proxy locked
	stages map[*meeting]bool
	inside int // halves that use it
	acting int // faults that treat bytes right now: what they hold must not be lost

	mu    sync.Mutex
	rows  [2]row        // by faults.Direction
	grown chan struct{} // closed when a stage was added: look at the outputs again
}

// row is the stages of one direction.
type row struct {
	first chan<- *chunk     // into the first stage, or to the sender
	last  *toxics.ToxicStub // whose output goes to the sender; nil: there is none
	out   chan *chunk       // to the sender
}

// newChain makes a chain with a stage for each fault that concerns the connection now, in their order. Proxy locked.
func newChain(c *conn) *chain {
	ch := &chain{c: c, done: make(chan struct{}), stages: map[*meeting]bool{}, grown: make(chan struct{})}
	for d := range ch.rows {
		out := make(chan *chunk)
		ch.rows[d] = row{first: out, out: out}
	}
	for _, f := range c.p.faults {
		if m := c.meetings[f]; m != nil && m.counted {
			ch.ensure(m)
		}
	}
	return ch
}

// ensure puts a fault at the end of the chain, unless it is in it. Proxy locked.
func (ch *chain) ensure(m *meeting) {
	if ch.stages[m] {
		return
	}
	ch.stages[m] = true
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, d := range []faults.Direction{faults.Upstream, faults.Downstream} {
		if filter := m.filters[d]; filter != nil {
			s := &stage{ch: ch, m: m, d: d, filter: filter}
			s.stub = ch.append(d, filter.Buffer())
			ch.start(s.stub, s)
		}
	}
	if m.talk != nil {
		t := &talkStage{ch: ch, m: m}
		for _, d := range []faults.Direction{faults.Upstream, faults.Downstream} {
			t.stubs[d] = ch.append(d, 0)
		}
		ch.start(t.stubs[faults.Upstream], t)
	}
	close(ch.grown)
	ch.grown = make(chan struct{})
}

// append makes room for a toxic between the last one and the sender. Chain locked.
func (ch *chain) append(d faults.Direction, buffer int) *toxics.ToxicStub {
	r, in := &ch.rows[d], make(chan *chunk, buffer)
	stub := toxics.NewToxicStub(in, r.out)
	if r.last == nil {
		r.first = in
	} else {
		r.last.Output = in
	}
	r.last = stub
	return stub
}

func (ch *chain) start(stub *toxics.ToxicStub, toxic toxics.Toxic) {
	ch.work.Add(1)
	ch.c.p.work.Add(1)
	go func() {
		defer ch.c.p.work.Done()
		defer ch.work.Done()
		defer ch.c.recovered()
		stub.Run(&toxics.ToxicWrapper{Toxic: toxic, Toxicity: 1})
	}()
}

// begin says whether a fault may treat bytes: not in a chain that has ended. Until finish the chain does not end.
func (ch *chain) begin() bool {
	ch.c.p.mu.Lock()
	defer ch.c.p.mu.Unlock()
	if ch.c.chain != ch {
		return false
	}
	ch.acting++
	return true
}

func (ch *chain) finish() {
	ch.c.p.mu.Lock()
	defer ch.c.p.mu.Unlock()
	ch.acting--
}

// output returns where a stub passes chunks on to (a stage may have come between), and what is closed when that changes.
func (ch *chain) output(stub *toxics.ToxicStub) (out chan<- *chunk, grown <-chan struct{}) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return stub.Output, ch.grown
}

// input is output for the half that reads.
func (ch *chain) input(d faults.Direction) (in chan<- *chunk, grown <-chan struct{}) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.rows[d].first, ch.grown
}

// pass sends a chunk on from a stub. It is false when the connection is gone.
func (ch *chain) pass(stub *toxics.ToxicStub, c *chunk) bool {
	for {
		out, grown := ch.output(stub)
		select {
		case out <- c:
			return true
		case <-grown:
		case <-ch.c.done:
			return false
		}
	}
}

// enter gives a half the connection's chain.
func (h *half) enter() *chain {
	c := h.c
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	if c.chain == nil {
		c.chain = newChain(c)
	}
	c.chain.inside++
	c.p.inChain++
	c.p.moves++
	return c.chain
}

// leave gives it back, and ends it if nobody needs it.
func (ch *chain) leave() {
	c := ch.c
	c.p.mu.Lock()
	ch.inside--
	c.p.inChain--
	last := ch.inside == 0 && ch.acting == 0 && c.active.Load() == 0 || c.ended()
	if last && c.chain == ch {
		c.chain = nil
		close(ch.done)
	}
	c.p.mu.Unlock()
	if last && !c.ended() {
		ch.work.Wait()
	}
}

// slow lets the direction pass the chain until it ended (true) or must be looked at again.
func (h *half) slow() (over bool) {
	ch := h.enter()
	defer ch.leave()
	stop, sent := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sent)
		defer h.c.recovered()
		h.send(ch.rows[h.d].out, stop)
	}()
	over = h.feed(ch) && h.arrived(sent)
	close(stop)
	<-sent
	return over && !h.c.ended()
}

// arrived waits until the end of the stream has come through the chain. It is false when the connection ended, or died, before.
func (h *half) arrived(sent <-chan struct{}) bool {
	for {
		select {
		case <-sent:
			return true
		case <-h.c.done:
			return false
		case <-h.woken:
			if h.c.silent.Load() {
				return false
			}
		}
	}
}

// feed reads and gives to the chain. It returns true behind the end of the stream, and false when the direction has left the chain, or the
// connection ended.
func (h *half) feed(ch *chain) (over bool) {
	buf := chainBuffers.Get().(*[chainRead]byte)
	defer chainBuffers.Put(buf)
	for {
		if data := h.carry; data != nil {
			h.carry = nil
			h.c.drift[h.d].Add(int64(len(data)))
			if !h.give(ch, &chunk{Data: data, Timestamp: time.Now()}) {
				return false
			}
			continue
		}
		if h.c.active.Load() == 0 || h.c.silent.Load() || h.c.ended() {
			if !h.mayBeFast() || h.drained(ch) {
				return false
			}
			if h.mayBeFast() {
				continue // that wake was an old one
			}
		}
		n, err := h.from.Read(buf[:])
		if n > 0 {
			at := time.Now()
			data := append([]byte(nil), buf[:n]...)
			h.examine(data)
			h.c.drift[h.d].Add(int64(n))
			if !h.give(ch, &chunk{Data: data, Timestamp: at}) {
				return false
			}
		}
		if err != nil && !h.stopped(err) {
			return h.give(ch, &chunk{Timestamp: time.Now()})
		}
	}
}

// give passes a chunk into the chain. It is false when the connection is gone, or dead.
func (h *half) give(ch *chain, c *chunk) bool {
	for {
		in, grown := ch.input(h.d)
		select {
		case in <- c:
			return true
		case <-grown:
		case <-h.woken:
			if h.c.silent.Load() {
				return false
			}
		case <-h.c.done:
			return false
		}
	}
}

// drained sends a mark through the chain and waits for it: true says that the chain holds nothing of the direction any more. Whenever a fault comes
// on or goes off meanwhile, the attempt is given up: whoever acted may have dropped the mark.
func (h *half) drained(ch *chain) bool {
	mark := newMark()
	if !h.give(ch, mark) || !h.mayBeFast() { // looked at again: give may have taken the wake
		return false
	}
	for {
		select {
		case c := <-h.flushed:
			if c == mark {
				return true
			}
		case <-h.woken:
			return false
		case <-h.c.done:
			return false
		}
	}
}

// send writes what comes out of the chain, until the direction ended or the half leaves the chain.
func (h *half) send(out <-chan *chunk, stop <-chan struct{}) {
	for {
		select {
		case c := <-out:
			if !h.write(c) {
				return
			}
		case <-stop:
			return
		case <-h.c.done:
			for h.c.flushing() { // what has come through is still sent
				select {
				case c := <-out:
					if !h.write(c) {
						return
					}
				default:
					return
				}
			}
			return
		}
	}
}

// write sends one chunk; false: it was the last.
func (h *half) write(c *chunk) bool {
	switch {
	case c.Data == nil:
		h.lastByte()
		return false
	case isMark(c):
		select {
		case <-h.flushed: // of an attempt that was given up
		default:
		}
		h.flushed <- c
		return true
	}
	n, err := h.to.Write(c.Data)
	h.c.bytes[h.d].Add(int64(n))
	h.c.drift[h.d].Add(-int64(n))
	if err != nil {
		h.failed(err)
	}
	return err == nil
}
