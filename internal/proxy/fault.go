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
	b     faults.Behaviour
	key   uint64 // of its random choices
	state atomic.Pointer[state]

	armed bool
	cycle *time.Timer // the next turn of a Cycle
	taken int         // connections that are or were under it, for Connections
	late  int         // connections that Connect counted already and that are not accepted yet

	bitten atomic.Bool // since it was armed
	hit    atomic.Int64
	bytes  atomic.Int64
}

// state is whether a fault acts right now. changed is closed when that is over.
type state struct {
	on      bool
	since   time.Time
	changed chan struct{}
}

// stands says whether it is still so.
func (s *state) stands() bool {
	select {
	case <-s.changed:
		return false
	default:
		return true
	}
}

func newFault(in Injection, seed uint64, dependency string) *fault {
	h := fnv.New64a()
	_, _ = h.Write([]byte(dependency + "/" + in.ID))
	f := &fault{Injection: in, b: in.Fault.Behaviour(), key: seed ^ h.Sum64()}
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
	return rand.New(rand.NewPCG(f.key, uint64(connection)<<3|salt)) // #nosec G404 G115 -- must be replayable
}

// The salts of what is drawn for one connection; those of its two directions are faults.Downstream and faults.Upstream.
const (
	saltConnect uint64 = iota + 2
	saltShare
	saltTalk
	saltLate
)

// partial says whether the fault is for a share or a number of connections only.
func (f *fault) partial() bool {
	return f.Connections > 0 || f.Toxicity > 0 && f.Toxicity < 1 || f.b.Cap > 0
}

// selects decides from the seed whether the connection of that number belongs to the fault's share.
func (f *fault) selects(connection int) bool {
	if f.Toxicity <= 0 || f.Toxicity >= 1 {
		return true
	}
	return f.random(connection, saltShare).Float64() < f.Toxicity
}

// take puts one more connection under the fault, unless it has all it may have. Proxy locked.
func (f *fault) take(connection int) bool {
	if !f.selects(connection) || f.Connections > 0 && f.taken >= f.Connections {
		return false
	}
	f.taken++
	return true
}

// touches says whether the fault treats bytes.
func (f *fault) touches() bool { return f.b.Filter != nil || f.b.Converse != nil }

// meetsOpen says whether the fault means anything to connections that are open when it comes on.
func (f *fault) meetsOpen() bool {
	return f.b.Open != faults.LeaveOpen || f.b.Lift != faults.GoOn || f.touches()
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
	f.armed, f.late = true, 0
	f.bitten.Store(false)
	act := p.turnOn(f)
	p.mu.Unlock()
	act()
}

// Lift makes the fault go off; what it held is passed on, or stays dead, as its kind says. It never blocks.
func (p *Proxy) Lift(id string) {
	p.mu.Lock()
	act := p.lift(p.fault(id))
	p.mu.Unlock()
	act()
}

// lift returns what must be done without the lock. Proxy locked.
func (p *Proxy) lift(f *fault) func() {
	if f == nil || !f.armed {
		return func() {}
	}
	f.armed = false
	if f.cycle != nil {
		f.cycle.Stop()
		f.cycle = nil
	}
	return p.turnOff(f)
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
	f.set(true, time.Now())
	var under []*conn
	for _, c := range p.ordered() {
		m := c.meetings[f]
		if m == nil && f.meetsOpen() && f.take(c.number) {
			m = c.meet(f)
		}
		if m != nil {
			under = append(under, c)
			c.concern(m)
		}
	}
	st := f.state.Load()
	p.listeners()
	p.turn(f, f.b.Cycle.Down, func() func() { return p.turnOff(f) })
	return func() {
		p.wakeAll(f, under)
		if f.b.Open == faults.ResetOpen {
			p.resetAll(f, st, under)
		}
	}
}

// resetAll resets connections that were open when f came on. None of them lets a byte pass when it returns; their sockets are closed
// behind its back, since a thousand of them take a while.
func (p *Proxy) resetAll(f *fault, st *state, under []*conn) {
	var ended []*conn
	for _, c := range under {
		if c.resetBy(f, st) {
			ended = append(ended, c)
		}
	}
	if len(ended) == 0 {
		return
	}
	p.work.Go(func() {
		for _, c := range ended {
			c.abort()
		}
	})
}

// few is how many connections are woken at once; more are woken behind the back of who flips a fault.
const few = 16

// wakeAll lets connections notice that f came on or went off though no byte comes. Those that come need no waking: a half looks again between
// read and write.
func (p *Proxy) wakeAll(f *fault, list []*conn) {
	if !f.touches() && f.b.Lift == faults.GoOn {
		return
	}
	wake := func(list []*conn) {
		for _, c := range list {
			c.wake()
		}
	}
	if len(list) <= few {
		wake(list)
		return
	}
	p.work.Go(func() { wake(list) })
}

// turnOff makes a fault stop acting. It returns what must be done without the lock. Proxy locked.
func (p *Proxy) turnOff(f *fault) func() {
	if !f.on() {
		return func() {}
	}
	f.set(false, time.Now())
	var under, met []*conn
	for _, c := range p.ordered() {
		m := c.meetings[f]
		if m == nil {
			continue
		}
		met = append(met, c)
		if f.b.Lift != faults.GoOn {
			under = append(under, c)
			if f.b.Lift == faults.StayDead {
				c.silent.Store(true)
			}
		}
		c.relieve(m)
	}
	p.listeners()
	if f.armed {
		p.turn(f, f.b.Cycle.Up, func() func() { return p.turnOn(f) })
	}
	return func() {
		defer p.wakeAll(f, met)
		for _, c := range under {
			switch f.b.Lift {
			case faults.CloseThem:
				c.closeOrderly("closed when " + f.Fault.Kind + " was lifted")
			case faults.ResetThem:
				c.reset("reset when " + f.Fault.Kind + " was lifted")
			default:
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

// bite counts that the fault met a connection, and tells of the first time since it was armed.
func (p *Proxy) bite(f *fault, connection int, first bool, bytes int, text string) {
	if first {
		f.hit.Add(1)
	}
	f.bytes.Add(int64(bytes))
	if !f.bitten.Swap(true) {
		p.tell(Event{Kind: Bite, Fault: f.ID, Connection: connection, At: time.Now(), Text: text})
	}
}
