package proxy

import (
	"time"
)

// underWay is how long a connection that Connect let in may take until it is accepted. One that never comes (its caller died) is forgotten then.
const underWay = time.Second

// expected counts the connection that was accepted next, and returns when Connect let it in, and forgets that; the zero time: Connect knows nothing of it. They
// are accepted in the order in which they were let in.
func (p *Proxy) expected() time.Time {
	if !p.c.Intercepted {
		p.open.Add(1)
		return time.Time{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open.Add(1) // in the moment in which it is not on its way any more: a cap counts both
	if p.onTheirWay() == 0 {
		return time.Time{}
	}
	at := p.coming[0]
	p.coming = p.coming[1:]
	return at
}

// onTheirWay counts the connections that Connect let in and that are not accepted yet. Proxy locked.
func (p *Proxy) onTheirWay() int {
	for len(p.coming) > 0 && time.Since(p.coming[0]) > underWay {
		p.coming = p.coming[1:]
	}
	return len(p.coming)
}

// Connect decides what a connect(2) meets, in the order of the injections. The caller has asked the gate already.
func (p *Proxy) Connect() Decision {
	p.mu.Lock()
	p.attempts++
	d, met := p.decide(p.attempts)
	switch {
	case d.Errno != 0:
		p.refused++
	case d.Via.IsValid():
	default:
		if d.Delay == 0 && p.onTheirWay() < backlog {
			p.coming = append(p.coming, time.Now())
		}
		for _, m := range met {
			m.fault.late++
		}
	}
	p.mu.Unlock()
	for _, m := range met {
		p.bite(m.fault, 0, true, 0, m.text)
	}
	return d
}

// encounter is a fault that a connect(2) met, and how.
type encounter struct {
	fault *fault
	text  string
}

// decide is Connect without its counts. Proxy locked.
func (p *Proxy) decide(number int) (d Decision, met []encounter) {
	var longest time.Duration
	for _, f := range p.faults {
		switch {
		case !f.on() || p.spares(f, p.onTheirWay()):
		case f.b.Refuse != 0:
			if f.take(number) {
				return Decision{Errno: f.b.Refuse}, []encounter{{f, "connect refused"}}
			}
		case f.b.Hang:
			if f.take(number) {
				return Decision{Via: p.pit.addr}, []encounter{{f, "connect is not answered"}}
			}
		case f.b.Connect != nil && (!f.partial() || f.take(number)):
			delay := f.b.Connect(f.random(number, saltConnect))
			if delay >= longest {
				longest, d.Lifted = delay, f.state.Load().changed
			}
			d.Delay += delay
			met = append(met, encounter{f, "connect is late by " + d.Delay.String()})
		}
	}
	return d, met
}

// spares says whether a fault is only for connections beyond a number of open ones, which is not reached. Proxy locked.
func (p *Proxy) spares(f *fault, coming int) bool { return f.b.Cap > 0 && p.Open()+coming < f.b.Cap }

// listeners makes the listening sockets refuse, hang or admit as the faults say. Proxy locked.
func (p *Proxy) listeners() {
	refuse, hang, pit := p.disabled, false, false
	for _, f := range p.faults {
		// A share or a number of connections can't be told apart by the kernel; the accept side treats those.
		switch {
		case !f.on():
		case f.b.Hang:
			pit = true
			hang = hang || !f.partial()
		case f.b.Refuse != 0 && !f.partial():
			refuse = refuse || !p.c.Intercepted
		}
	}
	for _, l := range p.listening {
		switch {
		case refuse:
			l.refuse()
		case hang && !p.c.Intercepted:
			l.hang()
		default:
			l.admit()
		}
	}
	if p.pit == nil {
		return
	}
	if pit {
		p.pit.hang()
	} else {
		p.pit.admit()
	}
}
