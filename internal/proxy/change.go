package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// errClosed is what a closed proxy says.
var errClosed = errors.New("the proxy is closed")

// Add puts one more fault in, dormant. Errors: its id is taken, or the proxy is closed.
func (p *Proxy) Add(in Injection) error {
	f := newFault(in, p.c.Seed, p.c.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return fmt.Errorf("add fault %s to %s: %w", in.ID, p.c.Name, errClosed)
	case p.fault(in.ID) != nil:
		return fmt.Errorf("add fault %s to %s: there is one of that id", in.ID, p.c.Name)
	case f.b.Hang && p.pit == nil && p.c.Intercepted:
		l, err := listen(context.Background(), "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("add fault %s to %s: %w", in.ID, p.c.Name, err)
		}
		l.pit, p.pit = true, l
		p.work.Go(func() { p.acceptLoop(l) })
	}
	p.faults = append(slices.Clip(p.faults), f) // those who range over the old list go on
	return nil
}

// Remove lifts a fault and forgets it. It says whether there was one.
func (p *Proxy) Remove(id string) bool {
	p.mu.Lock()
	f := p.fault(id)
	if f == nil {
		p.mu.Unlock()
		return false
	}
	act := p.lift(f)
	p.faults = slices.DeleteFunc(slices.Clone(p.faults), func(o *fault) bool { return o == f })
	for c := range p.conns {
		delete(c.meetings, f)
		c.forget(f)
	}
	p.listeners()
	p.mu.Unlock()
	act()
	return true
}

// Disable refuses new connections and ends open ones, until Enable. The port stays taken.
func (p *Proxy) Disable() {
	p.mu.Lock()
	p.disabled = true
	p.listeners()
	open := p.ordered()
	p.mu.Unlock()
	for _, c := range open {
		c.dismiss("the proxy was disabled")
	}
}

// Enable admits connections again.
func (p *Proxy) Enable() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disabled = false
	p.listeners()
}

// SetUpstream lets new connections go to another address. Open ones stay where they are.
func (p *Proxy) SetUpstream(address string) { p.upstream.Store(&address) }
