package proxy

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// meeting is a connection that is, or was, under a fault.
type meeting struct {
	c   *conn
	f   *fault
	met bite // it bit this connection

	denied time.Time // when it was last told that the fault answered a request here; of the conversation's goroutine

	counted bool // it is one of conn.active; proxy locked
	filters [2]faults.Filter
	talk    *conversation // nil: the fault does not speak
}

// bitten counts what the fault did to the connection.
func (m *meeting) bitten(bytes int, text string) {
	m.c.p.bite(m.f, m.c.number, m.met.first(), bytes, text)
}

// denies tells that the fault answered a request by itself.
func (m *meeting) denies(text string) {
	now := time.Now()
	if !m.denied.IsZero() && now.Sub(m.denied) < DenialGap {
		return
	}
	m.denied = now
	m.c.p.tell(Event{Kind: Denied, Fault: m.f.ID, Connection: m.c.number, At: now, Text: text})
}

// meet puts the connection under the fault, for good. Proxy locked.
func (c *conn) meet(f *fault) *meeting {
	if m := c.meetings[f]; m != nil {
		return m
	}
	m := &meeting{c: c, f: f}
	if f.b.Filter != nil {
		for _, d := range []faults.Direction{faults.Upstream, faults.Downstream} {
			m.filters[d] = f.b.Filter(d, f.random(c.number, uint64(d))) // #nosec G115 -- 0 or 1
		}
	}
	if f.b.Converse != nil {
		m.talk = c.conversation(f)
	}
	if c.meetings == nil {
		c.meetings = map[*fault]*meeting{}
	}
	c.meetings[f] = m
	return m
}

// concern makes the bytes of the connection pass the fault from now on. Whoever waits for bytes must be woken afterwards. Proxy locked.
func (c *conn) concern(m *meeting) {
	if m.counted || !m.f.touches() {
		return
	}
	m.counted = true
	if c.chain != nil {
		c.chain.ensure(m)
	}
	c.active.Add(1)
}

// relieve is the end of concern. Proxy locked.
func (c *conn) relieve(m *meeting) {
	if !m.counted {
		return
	}
	m.counted = false
	c.active.Add(-1)
}

// resetting is a fault that resets a connection, in the state in which it was met.
type resetting struct {
	fault *fault
	state *state
}

// serve treats one accepted connection from its admission to its end.
func (p *Proxy) serve(client *socket, number int, letIn time.Time) {
	c := &conn{p: p, number: number, letIn: letIn, client: client, done: make(chan struct{})}
	if p.c.On != nil {
		p.tell(Event{Kind: Accepted, Connection: c.number, At: time.Now()})
	}
	p.gate()
	decisive, resets, ok := p.admit(c)
	if !ok {
		c.leftOpen()
		client.close()
		return
	}
	defer p.remove(c)
	for _, r := range resets {
		if c.resetBy(r.fault, r.state) {
			c.abort()
		}
	}
	switch {
	case decisive == nil:
		c.connect()
	case decisive.f.b.Accept == faults.CloseIt:
		decisive.bitten(0, "accepted, then closed")
		c.drainAndClose()
	case decisive.f.b.Accept == faults.LeaveSilent:
		decisive.bitten(0, "accepted, never answered")
		c.stayUnanswered(decisive)
	default: // refused, but the kernel had accepted it already
		decisive.bitten(0, "reset instead of refused")
		c.reset("reset by " + decisive.f.Fault.Kind)
	}
}

// admit registers a connection and puts it under the faults that are on. decisive is the fault that keeps it from the
// dependency, if any; resets are those that reset it.
func (p *Proxy) admit(c *conn) (decisive *meeting, resets []resetting, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.disabled {
		return nil, nil, false
	}
	p.accepted++
	for _, f := range p.faults {
		if !f.on() || f.early(c) && !f.meetsOpen() {
			continue // it was open already when the fault came on
		}
		if p.spares(f, -1) || !p.meets(f, c) {
			continue
		}
		m := c.meet(f)
		c.concern(m)
		if f.late > 0 {
			f.late--
			m.met.first()
		}
		switch {
		case f.b.Accept == faults.ResetIt && f.b.Refuse == 0:
			resets = append(resets, resetting{f, f.state.Load()})
		case decisive == nil && (f.b.Accept != faults.LetIn || f.b.Refuse != 0):
			decisive = m
		}
	}
	c.watchProtocols()
	p.conns[c] = struct{}{}
	return decisive, resets, true
}

// meets says whether a fault that is on is for a new connection. What Connect drew already is not drawn again. Proxy locked.
func (p *Proxy) meets(f *fault, c *conn) bool {
	switch drawn := p.c.Intercepted && f.partial(); {
	case p.c.Intercepted && f.b.Hang, drawn && f.b.Refuse != 0:
		return false // Connect let it in
	case drawn && f.b.Connect != nil:
		return f.late > 0
	}
	return f.take(c.number)
}

// remove forgets a connection that has ended.
func (p *Proxy) remove(c *conn) {
	if c.breaking() {
		c.abort() // whoever ended it may not have come to it yet, and a FIN would be the end
	}
	c.hardClose()
	c.finish("closed by both sides", false)
	p.mu.Lock()
	delete(p.conns, c)
	p.up += c.bytes[faults.Upstream].Load()
	p.down += c.bytes[faults.Downstream].Load()
	p.drift[0] += c.drift[0].Load()
	p.drift[1] += c.drift[1].Load()
	p.mu.Unlock()
	c.leftOpen()
	if p.c.On == nil {
		return
	}
	c.mu.Lock()
	how := c.how
	c.mu.Unlock()
	p.tell(Event{
		Kind: Closed, Connection: c.number, At: time.Now(), Text: how,
		BytesUp: c.bytes[faults.Upstream].Load(), BytesDown: c.bytes[faults.Downstream].Load(),
	})
}

// connect dials the dependency and lets both directions run until they ended.
func (c *conn) connect() {
	if !c.awaitLate() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	if !c.cancelledBy(cancel) {
		return
	}
	upstream := *c.p.upstream.Load()
	server, err := c.dial(ctx, upstream)
	if err != nil {
		if c.finish("the dependency could not be reached", false) {
			c.p.unreached.Add(1)
			c.p.tell(Event{Kind: UpstreamError, Connection: c.number, At: time.Now(), Text: upstream, Err: fmt.Errorf("dial %s at %s: %w", c.p.c.Name, upstream, err)})
			if !c.p.c.Polite {
				c.client.breakIt()
			}
		}
		return
	}
	c.p.mu.Lock() // whoever arms a fault meanwhile looks for the halves under it
	c.mu.Lock()
	c.server = server
	over := c.over
	if !over {
		c.pair()
	}
	c.mu.Unlock()
	c.p.mu.Unlock()
	if !over {
		c.pump()
	}
}

// dial connects to the dependency. Where descriptors are missing it waits until there are some again.
func (c *conn) dial(ctx context.Context, upstream string) (*socket, error) {
	if s := dialNear(upstream); s != nil {
		return s, nil
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		server, err := c.p.dialer.DialContext(ctx, "tcp", upstream)
		if err == nil {
			return c.p.takeOver(server.(*net.TCPConn), ctx.Done())
		}
		if !noDescriptors(err) {
			return nil, err
		}
		c.p.short(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// awaitLate holds the dial as long as the faults say: late accepts, and late connects where connect(2) itself can't be held.
func (c *conn) awaitLate() bool {
	for _, l := range c.delays() {
		l.m.bitten(0, l.text)
		select {
		case <-time.After(l.delay):
		case <-l.state.changed:
		case <-c.done:
			return false
		}
	}
	return true
}

// lateness is how long a connection must wait for one fault.
type lateness struct {
	m     *meeting
	state *state
	delay time.Duration
	text  string
}

func (c *conn) delays() (all []lateness) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	for _, f := range c.p.faults {
		m, st := c.meetings[f], f.state.Load()
		if m == nil || !st.on {
			continue
		}
		if f.b.Hang { // a SYN that can't be left unanswered any more, or not for a share of connections alone
			all = append(all, lateness{m, st, forever, "accepted, not answered"})
		}
		if f.b.Late != nil {
			delay := f.b.Late(f.random(c.number, saltLate))
			all = append(all, lateness{m, st, delay, "left alone for " + delay.String()})
		}
		if f.b.Connect != nil && !c.p.c.Intercepted {
			delay := f.b.Connect(f.random(c.number, saltConnect))
			all = append(all, lateness{m, st, delay, "connected late by " + delay.String()})
		}
	}
	return all
}
