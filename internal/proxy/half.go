package proxy

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// half is one direction of a connection. While no fault that is on treats the connection's bytes it copies them as fast as the kernel can (fast);
// else they pass the chain (slow). It changes over between two reads: what was read is either written already or goes into the chain, so that
// no byte is lost, doubled or overtaken. Only the half writes to its destination, through its sender while it is slow.
type half struct {
	c        *conn
	d        faults.Direction
	from, to *socket
	copier   copier

	carry   []byte        // read when a fault had come on already: it must pass the chain
	unsent  []byte        // read before, and not written yet
	atEnd   bool          // the source has ended, and the reactor passed that on already
	refused error         // what the source said before
	woken   chan struct{} // something changed: look at the connection's mode again
	flushed chan *chunk   // marks that have come out of the chain
	watches []watching

	breaks atomic.Bool // the stream does not end, it breaks: RST behind the last byte instead of FIN
	closes atomic.Bool // behind the last byte the whole connection is closed, not this direction alone
}

// errChanged says that a read was ended because the connection's mode may have changed.
var errChanged = errors.New("look again at what the connection is under")

// pair makes the halves of a connection that has both its sides. Proxy and connection locked.
func (c *conn) pair() {
	for _, d := range []faults.Direction{faults.Upstream, faults.Downstream} {
		h := &half{c: c, d: d, from: c.client, to: c.server, woken: make(chan struct{}, 1), flushed: make(chan *chunk, 1)}
		if d == faults.Downstream {
			h.from, h.to = c.server, c.client
		}
		for i := range c.p.c.Watches {
			if w := &c.p.c.Watches[i]; w.Upstream == (d == faults.Upstream) {
				h.watches = append(h.watches, watching{Watch: w})
			}
		}
		h.copier.h = h
		c.halves[d] = h
	}
}

// pump lets both directions run and returns when they ended.
func (c *conn) pump() {
	c.ride()
	if c.silent.Load() {
		c.sever()
	}
	if c.halves[faults.Upstream].atEnd && c.halves[faults.Downstream].atEnd {
		return
	}
	var down sync.WaitGroup
	down.Go(c.halves[faults.Downstream].run)
	c.halves[faults.Upstream].run()
	down.Wait()
}

// wake makes the half look at the connection's mode again, also out of a read.
func (h *half) wake() {
	select {
	case h.woken <- struct{}{}:
	default:
	}
	h.from.setReadDeadline(time.Unix(1, 0))
}

// run copies the direction from its first byte to its end.
func (h *half) run() {
	defer h.c.recovered()
	h.sendRest()
	for over := h.atEnd && !h.c.ended() && !h.c.silent.Load(); !over; {
		switch c := h.c; {
		case c.ended():
			over = h.windDown()
		case c.silent.Load():
			over = h.mute()
		case h.refused != nil:
			over = h.sourceEnded(h.refused)
			h.refused = nil
		case h.carry != nil || c.active.Load() > 0:
			over = h.slow()
		default:
			over = h.fast()
		}
	}
}

// mayBeFast says whether bytes need not pass the chain.
func (h *half) mayBeFast() bool { return h.c.active.Load() == 0 && !h.c.silent.Load() && !h.c.ended() }

// examine asks the gate and looks for what watches wait for, before data is passed on.
func (h *half) examine(data []byte) {
	h.c.p.gate()
	for i := range h.watches {
		h.watches[i].look(data)
	}
}

// stopped says what a failed read means: changed when it was only woken, else that the source has ended, which is noted.
func (h *half) stopped(err error) (changed bool) {
	if errors.Is(err, os.ErrDeadlineExceeded) && !h.c.ended() {
		h.c.undeadline(h.from)
		return true
	}
	if h.c.ended() {
		return true
	}
	if h.d == faults.Upstream {
		h.c.clientEnded()
	}
	if !errors.Is(err, io.EOF) {
		h.breaks.Store(true)
	}
	return false
}

// lastByte is behind the last byte that was written: it ends the direction as its source, or a fault, wants it.
func (h *half) lastByte() {
	c := h.c
	switch {
	case c.silent.Load(): // the end of the dead is no news to the service
	case h.breaks.Load():
		c.delivered(h.to)
		c.reset([]string{"reset by the dependency", "reset by the service"}[h.d])
	case h.closes.Load():
		c.closeOrderly("closed")
	default:
		h.to.closeWrite()
	}
}

// failed is after a write that did not work: its reader is gone.
func (h *half) failed(err error) {
	if h.c.silent.Load() && !h.c.clientGone.Load() && h.d == faults.Upstream {
		return // what could not be sent to the dead is no news to the service
	}
	if !closedHere(err) {
		h.c.reset([]string{"reset by the service", "reset by the dependency"}[h.d])
	}
}

// windDown is after the connection's end: an orderly one still sends FIN, and reads what comes so that it is not a RST.
func (h *half) windDown() (over bool) {
	if !h.c.flushing() {
		return true
	}
	h.to.closeWrite()
	h.from.setReadDeadline(time.Now().Add(closeTimeout))
	_, _ = io.Copy(io.Discard, onlyReader{h.from})
	return true
}

// onlyReader hides that a connection could be spliced: nothing of it is to go anywhere.
type onlyReader struct{ io.Reader }

// mute is the direction of a dead connection: what the service sends is lost until it closes, and it hears nothing.
func (h *half) mute() (over bool) {
	if h.d == faults.Downstream {
		<-h.c.done
		return false
	}
	buf := make([]byte, 4096)
	for !h.c.ended() && !h.c.clientGone.Load() {
		if _, err := h.from.Read(buf); err != nil {
			h.stopped(err)
		}
	}
	h.c.finish("closed by the service", false)
	return false
}

// fast copies without a chain until the direction ended (true) or must be looked at again.
func (h *half) fast() (over bool) {
	for h.mayBeFast() {
		err := h.copier.once()
		switch {
		case err == nil:
		case errors.Is(err, errChanged):
			return false
		case errors.As(err, new(writeError)):
			h.failed(err)
			return !h.c.flushing() && !h.c.silent.Load()
		default:
			if h.sourceEnded(err) {
				return true
			}
		}
	}
	return false
}

// sourceEnded treats a failed read. It says whether the direction is over.
func (h *half) sourceEnded(err error) (over bool) {
	if h.stopped(err) {
		return false
	}
	h.lastByte()
	return !h.c.ended()
}

// sendRest writes what the reactor had read and could not write.
func (h *half) sendRest() {
	if len(h.unsent) == 0 || h.c.ended() && !h.c.flushing() {
		return
	}
	n, err := h.to.Write(h.unsent)
	h.c.bytes[h.d].Add(int64(n))
	h.unsent = nil
	if err != nil {
		h.failed(err)
	}
}

// passes says whether data may be passed on as it is: no fault came on while it was on its way here. Else it is kept for the chain.
func (h *half) passes(data []byte) bool {
	h.examine(data)
	if !h.mayBeFast() || !h.c.witnessed(h.d, data) {
		h.carry = append([]byte(nil), data...)
		return false
	}
	return true
}

// writeError is the failure of a write.
type writeError struct{ error }

// Unwrap returns what the socket said.
func (e writeError) Unwrap() error { return e.error }

// watching is a Watch on one direction of one connection.
type watching struct {
	*Watch
	tail []byte
}

const watchWindow = 4096

// look runs Do if data completes a match.
func (w *watching) look(data []byte) {
	before := len(w.tail)
	window := append(w.tail, data...)
	for _, at := range w.Pattern.FindAllIndex(window, -1) {
		if at[1] > before {
			w.Do()
			break
		}
	}
	w.tail = append(w.tail[:0], window[max(0, len(window)-watchWindow):]...)
}

// recovered turns a panic in a link into an event and ends that connection only.
func (c *conn) recovered() {
	if r := recover(); r != nil {
		c.panicked(r)
	}
}

func (c *conn) panicked(with any) {
	c.p.tell(Event{Kind: Panic, Connection: c.number, At: time.Now(), Err: fmt.Errorf("panic in a link: %v", with)})
	c.reset("chaos failed")
}

// interrupted and wouldWait say that a system call did nothing yet: it is to be made again, at once or when the socket is ready.
func interrupted(err error) bool { return errors.Is(err, syscall.EINTR) }
func wouldWait(err error) bool   { return errors.Is(err, syscall.EAGAIN) }
