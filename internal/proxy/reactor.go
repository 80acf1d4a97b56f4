package proxy

import "time"

// engine returns the proxy's reactor, which begins when it is first needed. nil: there is none here, or not any more.
func (p *Proxy) engine() *reactor {
	p.reacting.Lock()
	defer p.reacting.Unlock()
	if p.reactor == nil && !p.still {
		r, err := newReactor()
		if err != nil { // no descriptors, or not Linux: goroutines do it all
			return nil
		}
		p.reactor = r
		p.turning.Go(r.run)
	}
	if p.still {
		return nil
	}
	return p.reactor
}

// stopEngine is for when every connection is gone.
func (p *Proxy) stopEngine() {
	p.reacting.Lock()
	p.still = true
	r := p.reactor
	p.reacting.Unlock()
	if r != nil {
		r.end()
	}
	p.turning.Wait()
}

// alarm returns what is closed when t has come: much more exactly than a timer of the runtime does it, which is up to a millisecond late. stop is to be
// called when nobody waits any more.
func (p *Proxy) alarm(t time.Time) (rung <-chan struct{}, stop func()) {
	if e := p.engine(); e != nil {
		a := e.at(t)
		return a.rung, func() { e.forget(a) }
	}
	rings := make(chan struct{})
	timer := time.AfterFunc(time.Until(t), func() { close(rings) })
	return rings, func() { timer.Stop() }
}
