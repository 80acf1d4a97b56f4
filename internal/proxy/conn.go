package proxy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/faults"
)

const (
	dialTimeout  = 10 * time.Second
	closeTimeout = 5 * time.Second // how long an orderly close waits for the peer
	forever      = 1000 * time.Hour
)

// conn is one accepted connection.
type conn struct {
	p      *Proxy
	number int
	letIn  time.Time // by Connect; zero: unknown
	client *socket
	server *socket         // nil until dialled, or when it must stay silent
	bytes  [2]atomic.Int64 // delivered, by faults.Direction
	drift  [2]atomic.Int64 // read into the chain, less what came out of it: lost, held or made up by faults

	active     atomic.Int32 // how many faults that are on treat its bytes: above 0 they pass the chain
	silent     atomic.Bool  // its dependency died: nothing passes any more
	clientGone atomic.Bool
	left       atomic.Bool // it does not count as open any more
	halves     [2]*half    // by faults.Direction; set with mu and the proxy's lock held
	witnesses  atomic.Pointer[[]*conversation]

	meetings map[*fault]*meeting // proxy locked
	chain    *chain              // nil: bytes need none; proxy locked

	mu     sync.Mutex
	riding *ride // nil: the reactor has nothing to do with it
	how    string
	over   bool
	flush  bool               // what is on its way is still sent
	breaks bool               // its sockets are to be aborted, by whoever closes them first
	cancel context.CancelFunc // of the dial
	done   chan struct{}
}

// bite is something that happens at most once.
type bite struct{ happened atomic.Bool }

// first says whether it happens now.
func (b *bite) first() bool { return !b.happened.Swap(true) }

// leftOpen counts the connection as open no more.
func (c *conn) leftOpen() {
	if !c.left.Swap(true) {
		c.p.open.Add(-1)
	}
}

// clientEnded notes that the service closed its side.
func (c *conn) clientEnded() {
	c.clientGone.Store(true)
	c.leftOpen()
}

// wake makes both directions look again at what they are to do.
func (c *conn) wake() {
	c.alight()
	c.mu.Lock()
	halves := c.halves
	c.mu.Unlock()
	for _, h := range halves {
		if h != nil {
			h.wake()
		}
	}
}

// cancelledBy lets the end of the connection end its dial; false: it has ended.
func (c *conn) cancelledBy(cancel context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	return !c.over
}

// finish ends the connection once; the first reason stays. With flush, what is on its way is still sent. It says whether this call was
// the one.
func (c *conn) finish(how string, flush bool) bool { return c.end(how, flush, false) }

// shatter is finish for a connection whose sockets are to be aborted then.
func (c *conn) shatter(how string) bool { return c.end(how, false, true) }

func (c *conn) end(how string, flush, breaks bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.breaks = breaks
	c.over, c.flush = true, flush
	if c.how == "" {
		c.how = how
	}
	if c.cancel != nil {
		c.cancel()
	}
	close(c.done)
	return true
}

// ended says whether the connection is over.
func (c *conn) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// flushing says whether what is on its way is still to be sent, now that the connection is over.
func (c *conn) flushing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flush
}

// breaking says whether the connection ended with RST.
func (c *conn) breaking() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.breaks
}

// undeadline lets reads of s wait again, unless the connection is over and its readers only have so long.
func (c *conn) undeadline(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		s.setReadDeadline(time.Time{})
	}
}

// sockets returns what is open of the connection, and nothing while the reactor works on it: it ends as its state says when it is back from there.
func (c *conn) sockets() []*socket {
	if !c.alight() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return []*socket{c.client}
	}
	return []*socket{c.client, c.server}
}

// hardClose gives the sockets back whatever still happens on them.
func (c *conn) hardClose() {
	for _, s := range c.sockets() {
		s.close()
	}
}

// abort sends RST to both sides, also on an idle connection: linger 0 and close on the real sockets (Toxiproxy's reset_peer sends FIN to
// open connections and nothing to idle ones).
func (c *conn) abort() {
	for _, s := range c.sockets() {
		s.breakIt()
	}
}

// reset ends the connection with RST to both sides.
func (c *conn) reset(how string) {
	if c.shatter(how) {
		c.abort()
	}
}

// dismiss ends the connection at once because the proxy wants no more of it: with RST, or as an ordinary close does.
func (c *conn) dismiss(how string) {
	if !c.p.c.Polite {
		c.reset(how)
	} else if c.finish(how, false) {
		c.hardClose()
	}
}

// because remembers why the connection will end when what is on its way was sent.
func (c *conn) because(how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.how == "" {
		c.how = how
	}
}

// delivered waits until the peer's kernel has what was written to it, for closeTimeout at most: a RST throws away what has not left yet.
func (c *conn) delivered(to *socket) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(closeTimeout); time.Now().Before(end); {
		waiting := 0
		to.control(func(fd int) { waiting, _ = unix.IoctlGetInt(fd, unix.TIOCOUTQ) })
		if waiting == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-c.done:
			return
		}
	}
}

// resetBy ends the connection because of a fault that was met in state st: true says that it is over now and its sockets must be aborted. If
// the fault says so it does all of that later, unless it is lifted before.
func (c *conn) resetBy(f *fault, st *state) bool {
	if f.state.Load() != st {
		return false
	}
	if f.b.After <= 0 {
		return c.resetNow(f)
	}
	c.p.work.Go(func() {
		timer := time.NewTimer(f.b.After)
		defer timer.Stop()
		select {
		case <-timer.C:
			if c.resetNow(f) {
				c.abort()
			}
		case <-st.changed:
		case <-c.done:
		}
	})
	return false
}

func (c *conn) resetNow(f *fault) bool {
	c.p.mu.Lock()
	m := c.meetings[f]
	c.p.mu.Unlock()
	if m == nil {
		return false // the fault was removed
	}
	m.bitten(0, "reset")
	return c.shatter("reset by " + f.Fault.Kind)
}

// closeOrderly sends what is on its way and then FIN to both sides. Their readers drain until the peers close too, or for closeTimeout:
// unread bytes would turn the FIN into a RST.
func (c *conn) closeOrderly(how string) {
	if !c.finish(how, true) {
		return
	}
	c.mu.Lock()
	halves := c.halves
	c.mu.Unlock()
	if halves[faults.Upstream] == nil {
		for _, s := range c.sockets() {
			s.closeWrite()
			s.setReadDeadline(time.Now().Add(closeTimeout))
		}
		return
	}
	if !c.alight() {
		return // the halves will see it
	}
	for _, h := range halves {
		h.to.setWriteDeadline(time.Now().Add(closeTimeout))
		h.wake()
	}
}

// sever ends the side of the dependency alone: to the service it is as if the host had died.
func (c *conn) sever() {
	if !c.alight() {
		return // a silent connection is severed when it is back
	}
	c.mu.Lock()
	server := c.server
	c.mu.Unlock()
	if server != nil {
		server.breakIt()
	}
}

// drainAndClose sends FIN and reads what comes until the client closes too.
func (c *conn) drainAndClose() {
	c.closeOrderly("closed at once")
	c.discard(nil)
}

// stayUnanswered swallows what the client sends until it, or the lift, ends the connection.
func (c *conn) stayUnanswered(m *meeting) {
	c.discard(func(n int) { m.bitten(n, "swallowed") })
	<-c.done
}

// discard reads the client to its end.
func (c *conn) discard(each func(int)) {
	buf := make([]byte, 4096)
	for {
		n, err := c.client.Read(buf)
		c.bytes[faults.Upstream].Add(int64(n))
		if n > 0 && each != nil {
			each(n)
		}
		if err != nil {
			c.clientEnded()
			c.finish("closed by the service", false)
			return
		}
	}
}
