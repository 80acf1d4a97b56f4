package process

import (
	"net/netip"
	"sync"
	"time"
)

// pending knows which thread waits for which answer.
//
// A thread is in one connect(2) at a time. If it comes again with the same one
// before it has got its answer, a signal has interrupted it and the kernel has
// begun the call anew (always so before Linux 5.19): that is no new attempt,
// and it shares the decision of the first.
type pending struct {
	mu    sync.Mutex
	calls map[int]*waiting // by thread
}

// restart is how soon after an answer that met nobody the interrupted call
// comes again; later it is a new one.
const restart = 100 * time.Millisecond

// waiting is one notification: first without an answer, then being answered,
// then answered or missed.
type waiting struct {
	tid, fd  int
	target   netip.AddrPort
	decision *decision
	replaced chan struct{} // closed when the kernel has begun the call anew
	over     chan struct{} // closed when the answer was given or met nobody
	first    bool          // the decision is this one's to make
	giving   bool          // the answer is on its way; guarded by pending
	missed   time.Time     // when it met nobody; guarded by pending
}

type outcome int

const (
	onItsWay outcome = iota // not answered yet
	missed                  // the answer met nobody, just now
	stale                   // or long ago
)

// decision is what Decide said. It may be read once ready is closed.
type decision struct {
	answer Answer
	until  time.Time // the end of the delay
	ready  chan struct{}
}

func newPending() *pending { return &pending{calls: map[int]*waiting{}} }

// enter notes a call; first says that the caller has to make the decision.
func (p *pending) enter(call connectCall) (w *waiting, first bool) {
	w = &waiting{
		tid: call.tid, fd: call.fd, target: call.target, replaced: make(chan struct{}), over: make(chan struct{}),
	}
	for {
		over := p.tryEnter(w)
		if over == nil {
			return w, w.first
		}
		// The answer to the thread's call before is on its way. It may have
		// got it, and be with its next call already, before we know.
		<-over
	}
}

// tryEnter returns a channel to wait for, or nil once w is entered.
func (p *pending) tryEnter(w *waiting) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.calls[w.tid]
	switch {
	case before == nil || before.fd != w.fd || before.target != w.target:
		w.first = true
	case before.giving && before.outcome() == onItsWay:
		return before.over
	case before.outcome() == stale:
		w.first = true
	default:
		close(before.replaced)
		w.decision = before.decision
	}
	if w.first {
		w.decision = &decision{ready: make(chan struct{})}
	}
	if len(p.calls) >= maxRemembered {
		clear(p.calls)
	}
	p.calls[w.tid] = w
	return nil
}

// outcome is what became of the answer to a call that is still remembered.
func (w *waiting) outcome() outcome {
	select {
	case <-w.over:
		if time.Since(w.missed) < restart {
			return missed
		}
		return stale
	default:
		return onItsWay
	}
}

// give has the answer sent, and forgets the call if it was received.
func (p *pending) give(w *waiting, send func() error) {
	p.mu.Lock()
	w.giving = true
	p.mu.Unlock()
	err := send() // ENOENT: the caller was killed or interrupted
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		w.missed = time.Now()
	} else if p.calls[w.tid] == w {
		delete(p.calls, w.tid)
	}
	close(w.over)
}

// make decides, and lets everybody know who shares the decision.
func (d *decision) make(answer Answer) {
	d.answer = answer
	d.until = time.Now().Add(answer.Delay)
	close(d.ready)
}
