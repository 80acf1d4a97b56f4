package proxy

import (
	"sync/atomic"
	"syscall"
	"time"
)

// Budget is how many descriptors the connections of several proxies may have together, so that whoever drives the proxies can still be reached when
// the limit of the process is near. A nil Budget has no end. It is safe for concurrent use.
type Budget struct {
	all     int64
	free    atomic.Int64
	waiting atomic.Int32 // connections for which there is nothing
}

// NewBudget makes a budget of n descriptors; there is always enough for one connection.
func NewBudget(n int) *Budget {
	b := &Budget{all: int64(max(n, perConnection))}
	b.free.Store(b.all)
	return b
}

const (
	perConnection = 2 // the client's socket and the dependency's
	perPipe       = 2
	perProxy      = 5 // the listening socket, one for hangs, the connection that waits for its turn, the reactor's two
)

// take takes n unless less than leave would be left.
func (b *Budget) take(n, leave int64) bool {
	if b == nil {
		return true
	}
	for {
		free := b.free.Load()
		if free-n < leave {
			return false
		}
		if b.free.CompareAndSwap(free, free-n) {
			return true
		}
	}
}

// give is the opposite of take; less than nothing spends what may not be there.
func (b *Budget) give(n int64) {
	if b != nil {
		b.free.Add(n)
	}
}

// quarter is from where on there is no shortage any more, and what pipes, which connections can do without, leave.
func (b *Budget) quarter() int64 {
	if b == nil {
		return 0
	}
	return b.all / 4
}

// roomy says whether a quarter of the budget is free, and nobody waits.
func (b *Budget) roomy() bool {
	return b == nil || b.free.Load() >= b.quarter() && b.waiting.Load() == 0
}

// afford takes what a connection needs, waiting until others end. It is false when the proxy was closed meanwhile.
func (p *Proxy) afford(l *listener) bool {
	if p.c.Budget.take(perConnection, 0) {
		return true
	}
	p.c.Budget.waiting.Add(1)
	defer p.c.Budget.waiting.Add(-1)
	l.waits(true) // a fault that hangs must not wait for us
	defer l.waits(false)
	for {
		dropPipes()
		if p.c.Budget.take(perConnection, 0) {
			return true
		}
		p.short(syscall.EMFILE)
		select {
		case <-time.After(shortPause):
		case <-p.done:
			return false
		}
	}
}

// short tells once that descriptors are missing: from then on the service may wait for chaos.
func (p *Proxy) short(err error) {
	if p.shortage.first() {
		p.tell(Event{Kind: Shortage, At: time.Now(), Err: err})
	}
}

// repay gives back what a connection had, and tells of the end of a shortage.
func (p *Proxy) repay() {
	if p.c.Budget == nil {
		return
	}
	p.c.Budget.give(perConnection)
	if p.c.Budget.roomy() && p.shortage.happened.CompareAndSwap(true, false) {
		p.tell(Event{Kind: ShortageOver, At: time.Now()})
	}
}
