package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/faults"
)

const (
	dialTimeout  = 10 * time.Second
	closeTimeout = 5 * time.Second // how long an orderly close waits for the peer
)

// conn is one accepted connection.
type conn struct {
	p      *Proxy
	number int
	letIn  time.Time // by Connect; zero: unknown
	client *net.TCPConn
	server *net.TCPConn // nil until dialled, or when it must stay silent
	under  []atomic.Bool
	met    []atomic.Bool // by fault: it bit this connection

	silent     atomic.Bool // its dependency died: nothing passes any more
	clientGone atomic.Bool
	up, down   atomic.Int64
	queues     []*queue

	mu   sync.Mutex
	how  string
	over bool
	done chan struct{}
}

// serve treats one accepted connection from its admission to its end.
func (p *Proxy) serve(client *net.TCPConn, number int, letIn time.Time) {
	c := &conn{
		p: p, number: number, letIn: letIn, client: client, done: make(chan struct{}),
		under: make([]atomic.Bool, len(p.faults)), met: make([]atomic.Bool, len(p.faults)),
	}
	p.tell(Event{Kind: Accepted, Connection: c.number, At: time.Now()})
	p.gate()
	decisive, resets, ok := p.admit(c)
	if !ok {
		_ = client.Close()
		return
	}
	defer p.remove(c)
	for _, r := range resets {
		c.resetBy(r.fault, r.state)
	}
	switch {
	case decisive == nil:
		c.connect()
	case decisive.b.Accept == faults.CloseIt:
		c.bitten(decisive, 0, "accepted, then closed")
		c.drainAndClose()
	case decisive.b.Accept == faults.LeaveSilent:
		c.bitten(decisive, 0, "accepted, never answered")
		c.stayUnanswered(decisive)
	default: // refused, but the kernel had accepted it already
		c.bitten(decisive, 0, "reset instead of refused")
		c.reset("reset by " + decisive.Fault.Kind)
	}
}

// resetting is a fault that resets a connection, in the state in which it was met.
type resetting struct {
	fault *fault
	state *state
}

// admit registers a connection and puts it under the faults that are on. decisive is the fault that keeps it from the
// dependency, if any; resets are those that reset it.
func (p *Proxy) admit(c *conn) (decisive *fault, resets []resetting, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, false
	}
	p.accepted++
	p.conns[c] = struct{}{}
	for _, f := range p.faults {
		if !f.on() || f.early(c) && !f.meetsOpen() {
			continue // it was open already when the fault came on
		}
		if !p.meets(f, c) {
			continue
		}
		c.under[f.index].Store(true)
		if f.late > 0 {
			f.late--
			c.met[f.index].Store(true)
		}
		switch {
		case f.b.Accept == faults.ResetIt && f.b.Refuse == 0:
			resets = append(resets, resetting{f, f.state.Load()})
		case decisive == nil && (f.b.Accept != faults.LetIn || f.b.Refuse != 0):
			decisive = f
		}
	}
	return decisive, resets, true
}

// meets says whether a fault that is on is for a new connection. What Connect drew already is not drawn again. Proxy locked.
func (p *Proxy) meets(f *fault, c *conn) bool {
	switch drawn := p.c.Intercepted && f.partial(); {
	case drawn && f.b.Refuse != 0:
		return false // Connect let it in
	case drawn && f.b.Connect != nil:
		return f.late > 0
	}
	return f.take(c.number)
}

func (p *Proxy) remove(c *conn) {
	_ = c.client.Close()
	if c.server != nil {
		_ = c.server.Close()
	}
	c.finish("closed by both sides", false)
	p.mu.Lock()
	delete(p.conns, c)
	p.up += c.up.Load()
	p.down += c.down.Load()
	p.mu.Unlock()
	c.mu.Lock()
	how := c.how
	c.mu.Unlock()
	p.tell(Event{Kind: Closed, Connection: c.number, At: time.Now(), Text: how, BytesUp: c.up.Load(), BytesDown: c.down.Load()})
}

// finish ends the connection once; the first reason stays. With flush, what is queued is still sent. It says whether this call was
// the one.
func (c *conn) finish(how string, flush bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.over = true
	if c.how == "" {
		c.how = how
	}
	// The queues first: once done is closed the chains end and close them, and one that is not abandoned by then sends FIN where RST is due.
	defer close(c.done)
	for _, q := range c.queues {
		if flush {
			_ = q.Close()
		} else {
			q.abandon()
		}
	}
	return true
}

// sockets returns what is open of the connection.
func (c *conn) sockets() []*net.TCPConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return []*net.TCPConn{c.client}
	}
	return []*net.TCPConn{c.client, c.server}
}

// hardClose gives the sockets back whatever still happens on them.
func (c *conn) hardClose() {
	for _, s := range c.sockets() {
		_ = s.Close()
	}
}

// endBy remembers why the connection will end when what is on its way to q was sent.
func (c *conn) endBy(q *atomic.Bool, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.how == "" {
		c.how = how
	}
	q.Store(true)
}

// delivered waits until the peer's kernel has what was written before a stream that breaks, for closeTimeout at most: a RST throws away
// what has not left yet.
func (c *conn) delivered(q *queue) {
	raw, err := q.to.SyscallConn()
	if err != nil || !q.breaks.Load() {
		return
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(closeTimeout); time.Now().Before(end); {
		waiting := 0
		if err := raw.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) }); err != nil || waiting == 0 { // #nosec G115 -- a file descriptor
			return
		}
		select {
		case <-tick.C:
		case <-c.done:
			return
		}
	}
}

// reset sends RST to both sides, also on an idle connection: linger 0 and close on the real sockets (Toxiproxy's reset_peer sends FIN to
// open connections and nothing to idle ones).
func (c *conn) reset(how string) {
	if !c.finish(how, false) {
		return
	}
	for _, s := range c.sockets() {
		_ = s.SetLinger(0)
		_ = s.Close()
	}
}

// resetBy resets the connection because of a fault that was met in state st, later if the fault says so, unless it is lifted before.
func (c *conn) resetBy(f *fault, st *state) {
	if f.state.Load() != st {
		return
	}
	after := f.b.After
	if after <= 0 {
		c.bitten(f, 0, "reset")
		c.reset("reset by " + f.Fault.Kind)
		return
	}
	c.p.work.Go(func() {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
			c.bitten(f, 0, "reset")
			c.reset("reset by " + f.Fault.Kind)
		case <-st.changed:
		case <-c.done:
		}
	})
}

// closeOrderly sends what is queued and then FIN to both sides. Their readers drain until the peers close too, or for closeTimeout: unread
// bytes would turn the FIN into a RST.
func (c *conn) closeOrderly(how string) {
	if !c.finish(how, true) {
		return
	}
	c.mu.Lock()
	piped := c.queues != nil
	c.mu.Unlock()
	for _, s := range c.sockets() {
		if !piped {
			_ = s.CloseWrite()
		}
		_ = s.SetReadDeadline(time.Now().Add(closeTimeout))
	}
}

// sever ends the side of the dependency alone: to the service it is as if the host had died.
func (c *conn) sever() {
	c.mu.Lock()
	server := c.server
	c.mu.Unlock()
	if server != nil {
		_ = server.SetLinger(0)
		_ = server.Close()
	}
}

func (c *conn) bitten(f *fault, bytes int, text string) {
	c.p.bite(f, c.number, !c.met[f.index].Swap(true), bytes, text)
}

// drainAndClose sends FIN and reads what comes until the client closes too.
func (c *conn) drainAndClose() {
	c.closeOrderly("closed at once")
	c.discard(nil)
}

// stayUnanswered swallows what the client sends until it, or the lift, ends the connection.
func (c *conn) stayUnanswered(f *fault) {
	c.discard(func(n int) { c.bitten(f, n, "swallowed") })
	<-c.done
}

// discard reads the client to its end.
func (c *conn) discard(each func(int)) {
	buf := make([]byte, 4096)
	for {
		n, err := c.client.Read(buf)
		c.up.Add(int64(n))
		if n > 0 && each != nil {
			each(n)
		}
		if err != nil {
			c.clientGone.Store(true)
			c.finish("closed by the service", false)
			return
		}
	}
}

// connect dials the dependency and lets both directions run through the chain until they ended.
func (c *conn) connect() {
	if !c.awaitLateConnect() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	go func() {
		select {
		case <-c.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.p.c.Upstream)
	if err != nil {
		if c.finish("the dependency could not be reached", false) {
			c.p.tell(Event{Kind: UpstreamError, Connection: c.number, At: time.Now(), Err: fmt.Errorf("dial %s at %s: %w", c.p.c.Name, c.p.c.Upstream, err)})
			_ = c.client.SetLinger(0)
		}
		return
	}
	c.mu.Lock()
	c.server = server.(*net.TCPConn)
	over := c.over
	c.queues = []*queue{newQueue(c.server, &c.up, &c.silent), newQueue(c.client, &c.down, &c.silent)}
	c.mu.Unlock()
	if !over {
		c.pump()
	}
}

// awaitLateConnect holds the dial as long as the faults say, where connect(2) itself can't be held.
func (c *conn) awaitLateConnect() bool {
	if c.p.c.Intercepted {
		return true
	}
	for _, f := range c.p.faults {
		st := f.state.Load()
		if f.b.Connect == nil || !st.on || !c.under[f.index].Load() {
			continue
		}
		delay := f.b.Connect(f.random(c.number, 2))
		c.bitten(f, 0, "connected late by "+delay.String())
		select {
		case <-time.After(delay):
		case <-st.changed:
		case <-c.done:
			return false
		}
	}
	return true
}

// source reads one side for a chain; queues count what was delivered.
type source struct {
	c      *conn
	from   *net.TCPConn
	ahead  *queue
	client bool
	ended  chan struct{}
}

// Read waits while the other side has too much to send already. A RST from the peer is passed on as one, behind what came before it.
func (s *source) Read(p []byte) (int, error) {
	s.ahead.waitRoom()
	n, err := s.from.Read(p)
	if err == nil {
		return n, nil
	}
	if s.client {
		s.c.clientGone.Store(true)
	}
	if !errors.Is(err, io.EOF) {
		s.ahead.breaks.Store(true)
	}
	if s.client && s.c.silent.Load() {
		s.c.finish("closed by the service", false)
	}
	close(s.ended)
	return n, err
}
