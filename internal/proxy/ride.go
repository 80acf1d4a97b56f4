package proxy

import (
	"sync"
	"sync/atomic"

	"github.com/chaos-startup/chaos/faults"
)

// ride is a connection's time in the reactor.
type ride struct {
	c       *conn
	reactor *reactor
	fds     [2]int        // where its directions read, by faults.Direction
	back    chan struct{} // closed when it is over
	full    int           // reads in a row that brought as much as they could

	wanted atomic.Bool // somebody wants the connection back
	mu     sync.Mutex  // held while bytes are passed on; nobody but the reactor may wait for it: the gate may be closed meanwhile
	over   bool
}

// bulk is after how many full reads in a row a connection is better off with pipes.
const bulk = 4

// ride lets the reactor pass the bytes on for as long as nothing else happens.
func (c *conn) ride() {
	re := c.p.engine()
	if re == nil {
		return
	}
	r := &ride{c: c, reactor: re, back: make(chan struct{})}
	r.mu.Lock()
	c.mu.Lock()
	r.fds = [2]int{faults.Upstream: c.client.fd, faults.Downstream: c.server.fd}
	fresh := c.client.bare() && c.server.bare()
	if fresh {
		c.riding = r
	}
	c.mu.Unlock()
	if !fresh || !c.halves[0].mayBeFast() || re.admit(r) != nil {
		r.end()
	}
	r.release()
	<-r.back
}

// alight takes the connection back from the reactor. It is false while that is just at work on it: then it comes back by itself, at once.
func (c *conn) alight() bool {
	c.mu.Lock()
	r := c.riding
	c.mu.Unlock()
	if r == nil {
		return true
	}
	r.wanted.Store(true)
	if !r.mu.TryLock() {
		return false
	}
	r.end()
	r.mu.Unlock()
	return true
}

// release lets others have the connection, and gives it to whoever asked meanwhile.
func (r *ride) release() {
	r.mu.Unlock()
	if r.wanted.Load() {
		r.mu.Lock()
		r.end()
		r.mu.Unlock()
	}
}

// end is the end of the ride. Ride locked.
func (r *ride) end() {
	if r.over {
		return
	}
	r.over = true
	r.reactor.dismiss(r)
	r.c.mu.Lock()
	r.c.riding = nil
	r.c.mu.Unlock()
	close(r.back)
}

// step passes on what has come at one descriptor, once.
func (r *ride) step(fd int, buf []byte) {
	r.mu.Lock()
	defer r.release()
	defer r.recovered()
	if r.over {
		return
	}
	d := faults.Upstream
	if fd == r.fds[faults.Downstream] {
		d = faults.Downstream
	}
	h := r.c.halves[d]
	n, err := receive(fd, buf)
	switch {
	case err != nil && wouldWait(err):
		return
	case err != nil:
		h.refused = err
	case n > 0 && r.pass(h, buf[:n]), n == 0 && r.passEnd(h):
		return
	}
	r.end()
}

// passEnd passes on that a source has ended. It is false when the halves must go on, or both have ended.
func (r *ride) passEnd(h *half) bool {
	if !h.mayBeFast() {
		return false
	}
	h.atEnd = true
	if h.d == faults.Upstream {
		r.c.clientEnded()
	}
	r.reactor.deafen(r.fds[h.d])
	h.lastByte()
	return !r.c.halves[1-h.d].atEnd
}

// pass writes data. It is false when the half must go on with it.
func (r *ride) pass(h *half, data []byte) bool {
	if !h.passes(data) {
		return false
	}
	n, err := transmit(r.fds[1-h.d], data)
	h.c.bytes[h.d].Add(int64(n))
	if err != nil || n < len(data) {
		h.unsent = append([]byte(nil), data[n:]...)
		return false
	}
	if r.full++; n < smallRead {
		r.full = 0
	}
	h.copier.bulk = r.full >= bulk
	return !h.copier.bulk
}

func (r *ride) recovered() {
	if p := recover(); p != nil {
		r.c.panicked(p)
		r.end()
	}
}
