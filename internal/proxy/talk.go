package proxy

import (
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"

	"github.com/chaos-startup/chaos/faults"
)

// conversation is a fault's part in the protocol of one connection.
type conversation struct {
	faults.Conversation
	f *fault

	mu      sync.Mutex // held while it sees something, and to begin a run
	running bool
}

// conversation makes one, or returns the one that has been watching. Proxy locked.
func (c *conn) conversation(f *fault) *conversation {
	if list := c.witnesses.Load(); list != nil {
		for _, t := range *list {
			if t.f == f {
				return t
			}
		}
	}
	return &conversation{f: f, Conversation: f.b.Converse(f.random(c.number, saltTalk), c.halves[faults.Upstream] == nil)}
}

// watchProtocols lets the conversations that must know where messages begin see the connection from its first byte. Proxy locked.
func (c *conn) watchProtocols() {
	var list []*conversation
	for _, f := range c.p.faults {
		if f.b.Converse == nil || !f.selects(c.number) {
			continue
		}
		t := c.conversation(f)
		if m := c.meetings[f]; m != nil {
			t = m.talk
		}
		if _, ok := t.Conversation.(faults.Witness); ok {
			list = append(list, t)
		}
	}
	if list != nil {
		c.witnesses.Store(&list)
	}
}

// forget ends the watching for a fault that was removed. Proxy locked.
func (c *conn) forget(f *fault) {
	list := c.witnesses.Load()
	if list == nil {
		return
	}
	var rest []*conversation
	for _, t := range *list {
		if t.f != f {
			rest = append(rest, t)
		}
	}
	if rest == nil {
		c.witnesses.Store(nil)
		return
	}
	c.witnesses.Store(&rest)
}

// witnessed shows data to all that watch. It is false when one has begun to speak meanwhile: then data must pass the chain, and nobody has seen it.
func (c *conn) witnessed(d faults.Direction, data []byte) bool {
	list := c.witnesses.Load()
	if list == nil {
		return true
	}
	speaks := false
	for _, t := range *list {
		t.mu.Lock()
		speaks = speaks || t.running
	}
	for _, t := range *list {
		if !speaks {
			t.see(d, data)
		}
		t.mu.Unlock()
	}
	return !speaks
}

// sees is see for its own stage, which does not run it meanwhile.
func (t *conversation) sees(d faults.Direction, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.see(d, data)
}

// see shows it what passes. Locked.
func (t *conversation) see(d faults.Direction, data []byte) {
	if w, ok := t.Conversation.(faults.Witness); ok {
		w.Sees(d, data)
	}
}

// talkStage is a fault that speaks: a toxic in both directions at once, with one goroutine.
type talkStage struct {
	ch    *chain
	m     *meeting
	stubs [2]*toxics.ToxicStub // by faults.Direction
}

// Pipe runs until the chain or the connection has ended.
func (s *talkStage) Pipe(*toxics.ToxicStub) {
	t := &exchange{s: s, born: time.Now()}
	for {
		st := s.m.f.state.Load()
		if st.on && !t.closing {
			if !t.begin() {
				return
			}
			t.state = st
			s.m.talk.run(t)
			t.settling = false
		} else if !t.idle(st) {
			return
		}
		if s.ch.c.ended() {
			return
		}
	}
}

func (t *conversation) run(x *exchange) {
	t.mu.Lock()
	t.running = true
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.running = false
		t.mu.Unlock()
	}()
	t.Run(x)
}

// mostWaiting is how many bytes may wait for a side that does not read before the other is not read any more.
const mostWaiting = 4 << 20

// exchange is a faults.Talk on the stubs of a talkStage. What can't be passed at once waits here, so that a side that does not read
// never keeps the other from being heard.
type exchange struct {
	s     *talkStage
	state *state // of the fault, while it acts
	born  time.Time

	pending *chunk // read from pendingOf, but the fault's state changed before it was treated
	of      faults.Direction
	waiting [2][]*chunk
	size    [2]int
	ended   [2]bool // the end of that direction was passed
	closing bool    // the fault ends the connection
	acting  bool    // the connection must not leave the chain: something may wait here, also for a direction that itself has left nothing in it

	settling bool // the fault was lifted, and its conversation ends what it has begun
}

func (t *exchange) begin() bool {
	t.acting = t.acting || t.s.ch.hold()
	return t.acting
}

// rest lets the connection leave its chain if nothing waits here, nor is still to be said.
func (t *exchange) rest() {
	if t.acting && !t.settling && len(t.waiting[0])+len(t.waiting[1]) == 0 {
		t.acting = false
		t.s.ch.release()
	}
}

// queue lets a chunk go on its way in direction d when there is room.
func (t *exchange) queue(d faults.Direction, c *chunk) {
	t.waiting[d] = append(t.waiting[d], c)
	t.size[d] += len(c.Data)
}

// turn is what one wait brought.
type turn int

const (
	came turn = iota // a chunk: pending
	due
	changed
	over // the chain or the connection
)

// wait passes on what waits until something else happens: with hear, also that a chunk comes.
func (t *exchange) wait(st *state, timeout <-chan struct{}, hear bool) turn {
	for !hear || t.pending == nil {
		if st != t.state || !st.on {
			t.rest()
		}
		var outs [2]chan<- *chunk
		var heads [2]*chunk
		var grown <-chan struct{}
		for d := range t.waiting {
			if len(t.waiting[d]) > 0 {
				outs[d], grown = t.s.ch.output(t.s.stubs[d])
				heads[d] = t.waiting[d][0]
			}
		}
		up, down := t.s.stubs[faults.Upstream].Input, t.s.stubs[faults.Downstream].Input
		if !hear || t.size[faults.Upstream]+t.size[faults.Downstream] > mostWaiting {
			up, down = nil, nil
		}
		select {
		case t.pending = <-up:
			t.of = faults.Upstream
		case t.pending = <-down:
			t.of = faults.Downstream
		case outs[0] <- heads[0]:
			t.went(0)
		case outs[1] <- heads[1]:
			t.went(1)
		case <-grown:
		case <-timeout:
			return due
		case <-st.changed:
			return changed
		case <-t.s.ch.done:
			return over
		case <-t.s.ch.c.done:
			return over
		}
	}
	return came
}

func (t *exchange) went(d faults.Direction) {
	t.size[d] -= len(t.waiting[d][0].Data)
	t.waiting[d][0] = nil
	t.waiting[d] = t.waiting[d][1:]
}

// idle passes one chunk, or waits for the fault's state to change. It returns false when the stage must end.
func (t *exchange) idle(st *state) bool {
	switch t.wait(st, nil, true) {
	case changed:
		return true
	case over:
		return false
	}
	if t.s.m.f.on() && !t.closing && !isMark(t.pending) {
		return true // it came on while the chunk was under way: the gate let it pass under the fault
	}
	if len(t.pending.Data) > 0 {
		t.s.m.talk.sees(t.of, t.pending.Data)
	}
	if !t.ended[t.of] {
		t.ended[t.of] = t.pending.Data == nil
		t.queue(t.of, t.pending)
	}
	t.pending = nil
	return true
}

// Next implements faults.Talk.
func (t *exchange) Next() (faults.Direction, faults.Chunk, bool) {
	d, c, _, ok := t.next(nil)
	return d, c, ok
}

// NextUntil implements faults.Talk.
func (t *exchange) NextUntil(at time.Time) (d faults.Direction, c faults.Chunk, due, ok bool) {
	rung, stop := t.s.ch.c.p.alarm(at)
	defer stop()
	return t.next(rung)
}

func (t *exchange) next(timeout <-chan struct{}) (d faults.Direction, c faults.Chunk, timedOut, ok bool) {
	for {
		switch t.wait(t.state, timeout, true) {
		case due:
			return d, c, true, true
		case changed, over:
			return d, c, false, false
		}
		if t.s.m.f.state.Load() != t.state {
			return d, c, false, false // lifted by the gate which this very chunk asked: it must not meet the fault
		}
		raw := t.pending
		t.pending = nil
		if !isMark(raw) { // the half of a mark was told that the fault is on, and gave up
			return t.of, bytesOf(raw), false, true
		}
	}
}

// Settle implements faults.Settler. Until the run is over the connection stays in its chain, as if the fault were on.
func (t *exchange) Settle() (faults.Direction, faults.Chunk, bool) {
	t.settling = true
	for {
		st := t.s.m.f.state.Load()
		if st.on {
			return 0, faults.Chunk{}, false
		}
		switch t.wait(st, nil, true) {
		case changed:
			continue
		case over:
			return 0, faults.Chunk{}, false
		}
		if t.s.m.f.on() && !isMark(t.pending) {
			return 0, faults.Chunk{}, false // the gate which this chunk asked made it come on
		}
		raw := t.pending
		t.pending = nil
		if !isMark(raw) {
			return t.of, bytesOf(raw), true
		}
		t.s.ch.c.wake() // its half looks again, and gives up leaving the chain
	}
}

// hold keeps the connection in its chain though no fault may do so. It is false for a chain that has ended.
func (ch *chain) hold() bool {
	ch.c.p.mu.Lock()
	defer ch.c.p.mu.Unlock()
	if ch.c.chain != ch {
		return false
	}
	ch.c.active.Add(1)
	return true
}

// release is the end of hold.
func (ch *chain) release() {
	ch.c.p.mu.Lock()
	idle := ch.c.active.Add(-1) == 0
	ch.c.p.mu.Unlock()
	if idle {
		ch.c.wake()
	}
}

// Pass implements faults.Talk.
func (t *exchange) Pass(d faults.Direction, c faults.Chunk) {
	if t.ended[d] || c.Data != nil && len(c.Data) == 0 {
		return
	}
	t.ended[d] = c.Data == nil
	t.queue(d, &chunk{Data: c.Data, Timestamp: c.At})
}

// Wait implements faults.Talk.
func (t *exchange) Wait(at time.Time) bool {
	rung, stop := t.s.ch.c.p.alarm(at)
	defer stop()
	return t.wait(t.state, rung, false) == due
}

// Began implements faults.Talk.
func (t *exchange) Began() time.Time { return later(t.born, t.state.since) }

// Bite implements faults.Talk.
func (t *exchange) Bite(bytes int, text string) {
	t.s.m.bitten(bytes, text)
	t.s.m.denies(text)
}

// Close implements faults.Talk.
func (t *exchange) Close() { t.end((*half).willClose, "closed by ") }

// Reset implements faults.Talk.
func (t *exchange) Reset() { t.end((*half).willBreak, "reset by ") }

func (h *half) willClose() { h.closes.Store(true) }
func (h *half) willBreak() { h.breaks.Store(true) }

// end lets the connection end behind what was passed to the service.
func (t *exchange) end(way func(*half), how string) {
	t.s.ch.c.because(how + t.s.m.f.Fault.Kind)
	t.closing, t.ended[faults.Upstream] = true, true
	if t.ended[faults.Downstream] {
		t.s.ch.c.closeOrderly(how + t.s.m.f.Fault.Kind)
		return
	}
	way(t.s.ch.c.halves[faults.Downstream])
	t.Pass(faults.Downstream, faults.Chunk{})
}
