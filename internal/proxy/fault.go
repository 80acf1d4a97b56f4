package proxy

import (
	"hash/fnv"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// fault is one injection of a proxy. What links read is atomic; everything else is under the proxy's lock.
type fault struct {
	Injection
	index int
	b     faults.Behaviour
	key   uint64 // of its random choices
	state atomic.Pointer[state]

	armed  bool
	cycle  *time.Timer // the next turn of a Cycle
	taken  int         // connections that are or were under it, for Connections
	bitten bool        // since it was armed
	late   int         // connections that Connect counted already and that are not accepted yet

	hit   atomic.Int64
	bytes atomic.Int64
}

// state is whether a fault acts right now. changed is closed when that is over.
type state struct {
	on      bool
	since   time.Time
	changed chan struct{}
}

func newFault(in Injection, index int, seed uint64, dependency string) *fault {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dependency + "/" + in.ID))
	f := &fault{Injection: in, index: index, b: in.Fault.Behaviour(), key: seed ^ h.Sum64()}
	f.state.Store(&state{changed: make(chan struct{})})
	return f
}

// set flips the state; links notice at once. Proxy locked.
func (f *fault) set(on bool, now time.Time) {
	old := f.state.Swap(&state{on: on, since: now, changed: make(chan struct{})})
	close(old.changed)
}

func (f *fault) on() bool { return f.state.Load().on }

// random returns the source of the random choices of one use: the same for the same seed, dependency, fault, connection and salt.
func (f *fault) random(connection int, salt uint64) *rand.Rand {
	return rand.New(rand.NewPCG(f.key, uint64(connection)<<2|salt)) // #nosec G404 G115 -- must be replayable
}

// partial says whether the fault is for a share or a number of connections only.
func (f *fault) partial() bool { return f.Connections > 0 || f.Toxicity > 0 && f.Toxicity < 1 }

// selects decides from the seed whether the connection of that number belongs to the fault's share.
func (f *fault) selects(connection int) bool {
	if f.Toxicity <= 0 || f.Toxicity >= 1 {
		return true
	}
	return f.random(connection, 3).Float64() < f.Toxicity
}

// take puts one more connection under the fault, unless it has all it may have. Proxy locked.
func (f *fault) take(connection int) bool {
	if !f.selects(connection) || f.Connections > 0 && f.taken >= f.Connections {
		return false
	}
	f.taken++
	return true
}

// meetsOpen says whether the fault means anything to connections that are open when it comes on.
func (f *fault) meetsOpen() bool {
	return f.b.Open != faults.LeaveOpen || f.b.Lift != faults.GoOn || f.b.Filter != nil || f.b.Stock != nil
}

// early says whether c was let in by Connect before the fault came on. The proxy may get round to accept it only then, but to its service it
// was open.
func (f *fault) early(c *conn) bool { return !c.letIn.IsZero() && c.letIn.Before(f.state.Load().since) }

// Arm makes the fault come on. Open connections are treated in the order in which they came. It never blocks; arming what is armed does nothing.
func (p *Proxy) Arm(id string) {
	p.mu.Lock()
	f := p.fault(id)
	if f == nil || f.armed || p.closed {
		p.mu.Unlock()
		return
	}
	f.armed, f.bitten, f.late = true, false, 0
	act := p.turnOn(f)
	p.mu.Unlock()
	act()
}

// Lift makes the fault go off; what it held is passed on, or stays dead, as its kind says. It never blocks.
func (p *Proxy) Lift(id string) {
	p.mu.Lock()
	f := p.fault(id)
	if f == nil || !f.armed {
		p.mu.Unlock()
		return
	}
	f.armed = false
	if f.cycle != nil {
		f.cycle.Stop()
		f.cycle = nil
	}
	act := p.turnOff(f)
	p.mu.Unlock()
	act()
}

func (p *Proxy) fault(id string) *fault {
	for _, f := range p.faults {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// turnOn makes an armed fault act. It returns what must be done without the lock. Proxy locked.
func (p *Proxy) turnOn(f *fault) func() {
	var under []*conn
	for _, c := range p.ordered() {
		if !c.under[f.index].Load() && f.meetsOpen() && f.take(c.number) {
			c.under[f.index].Store(true)
		}
		if c.under[f.index].Load() {
			under = append(under, c)
		}
	}
	f.set(true, time.Now())
	st := f.state.Load()
	p.listeners()
	p.turn(f, f.b.Cycle.Down, func() func() { return p.turnOff(f) })
	return func() {
		if f.b.Open == faults.ResetOpen {
			for _, c := range under {
				c.resetBy(f, st)
			}
		}
	}
}

// turnOff makes a fault stop acting. Proxy locked.
func (p *Proxy) turnOff(f *fault) func() {
	if !f.on() {
		return func() {}
	}
	var under []*conn
	if f.b.Lift != faults.GoOn {
		for _, c := range p.ordered() {
			if c.under[f.index].Load() {
				under = append(under, c)
				if f.b.Lift == faults.StayDead {
					c.silent.Store(true)
				}
			}
		}
	}
	f.set(false, time.Now())
	p.listeners()
	if f.armed {
		p.turn(f, f.b.Cycle.Up, func() func() { return p.turnOn(f) })
	}
	return func() {
		for _, c := range under {
			if f.b.Lift == faults.CloseThem {
				c.closeOrderly("closed when " + f.Fault.Kind + " was lifted")
			} else {
				c.sever()
			}
		}
	}
}

// turn plans the next turn of a fault that comes and goes. Proxy locked.
func (p *Proxy) turn(f *fault, after time.Duration, next func() func()) {
	if after <= 0 {
		return
	}
	var mine *time.Timer
	mine = time.AfterFunc(after, func() {
		p.mu.Lock()
		if f.cycle != mine || !f.armed || p.closed {
			p.mu.Unlock()
			return
		}
		act := next()
		p.mu.Unlock()
		act()
	})
	f.cycle = mine
}

// listeners makes the listening sockets refuse or admit as the faults say. Proxy locked.
func (p *Proxy) listeners() {
	refuse := false
	for _, f := range p.faults {
		// A share or a number of connections can't be refused by the kernel; the accept side resets those.
		if f.on() && f.b.Refuse != 0 && !f.partial() {
			refuse = true
		}
	}
	for _, l := range p.listening {
		if refuse && !p.c.Intercepted {
			l.refuse()
		} else {
			l.admit()
		}
	}
}

// bite counts that the fault met a connection, and tells of the first time since it was armed.
func (p *Proxy) bite(f *fault, connection int, first bool, bytes int, text string) {
	now := time.Now()
	if first {
		f.hit.Add(1)
	}
	f.bytes.Add(int64(bytes))
	p.mu.Lock()
	told := f.bitten
	f.bitten = true
	p.mu.Unlock()
	if !told {
		p.tell(Event{Kind: Bite, Fault: f.ID, Connection: connection, At: now, Text: text})
	}
}

// underWay is how long a connection that Connect let in may take until it is accepted. One that never comes (its caller died) is forgotten then.
const underWay = time.Second

// expected returns when Connect let in the connection that was accepted next, and forgets it; the zero time: Connect knows nothing of it. They
// are accepted in the order in which they were let in.
func (p *Proxy) expected() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	number := p.attempts
	var d Decision
	var longest time.Duration
	var late []*fault
	var by *fault
	for _, f := range p.faults {
		if !f.on() {
			continue
		}
		if f.b.Refuse != 0 && f.take(number) {
			by = f
			break
		}
		if f.b.Connect == nil || f.partial() && !f.take(number) {
			continue
		}
		delay := f.b.Connect(f.random(number, 2))
		if delay >= longest {
			longest, d.Lifted = delay, f.state.Load().changed
		}
		d.Delay += delay
		late = append(late, f)
	}
	switch {
	case by != nil:
		d.Errno = by.b.Refuse
		p.refused++
	case d.Delay == 0 && p.onTheirWay() < backlog:
		p.coming = append(p.coming, time.Now())
	}
	if by == nil {
		for _, f := range late {
			f.late++
		}
	}
	p.mu.Unlock()
	for _, f := range late {
		p.bite(f, 0, true, 0, "connect is late by "+d.Delay.String())
	}
	if by != nil {
		p.bite(by, 0, true, 0, "connect refused")
	}
	return d
}
