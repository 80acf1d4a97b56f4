package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// Proxy stands before one dependency. It is safe for concurrent use.
type Proxy struct {
	c         Config
	gated     atomic.Bool
	upstream  atomic.Pointer[string]
	dialer    net.Dialer
	listening []*listener // fixed after Start
	open      atomic.Int64
	unreached atomic.Int64
	shortage  bite

	mu       sync.Mutex
	faults   []*fault
	pit      *listener // where connects that hang are sent; nil: no fault needs it
	disabled bool
	conns    map[*conn]struct{}
	closed   bool
	attempts int
	refused  int
	accepted int
	coming   []time.Time // when Connect let in what is not accepted yet
	up, down int64       // of closed connections
	moves    int64
	inChain  int
	drift    [2]int64 // of closed connections, by faults.Direction

	reacting sync.Mutex
	reactor  *reactor
	still    bool // no reactor any more
	turning  sync.WaitGroup

	numbers atomic.Int64
	done    chan struct{} // closed by Close
	work    sync.WaitGroup
}

// Start listens and serves until Close. Errors name the dependency and the address.
func Start(ctx context.Context, c Config) (*Proxy, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	// Keep-alive probes cost system calls for each connection, and say nothing where both ends are on this machine.
	p := &Proxy{c: c, conns: map[*conn]struct{}{}, done: make(chan struct{}), dialer: net.Dialer{KeepAlive: -1}}
	p.upstream.Store(&c.Upstream)
	l, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", c.Name, err)
	}
	c.Budget.give(-perProxy)
	p.listening = []*listener{l}
	if c.Both {
		six := net.JoinHostPort("::1", strconv.Itoa(int(l.addr.Port())))
		if l6, err := listen(ctx, six); err == nil { // without IPv6 there is nothing to do
			p.listening = append(p.listening, l6)
		}
	}
	if err := p.listenOnAliases(ctx); err != nil {
		for _, l := range p.listening {
			l.close()
		}
		c.Budget.give(perProxy)
		return nil, fmt.Errorf("proxy of %s: %w", c.Name, err)
	}
	for _, l := range p.listening {
		p.work.Go(func() { p.acceptLoop(l) })
	}
	for _, in := range c.Injections {
		if err := p.Add(in); err != nil {
			return nil, errors.Join(err, p.Close(ctx))
		}
	}
	return p, nil
}

// listenOnAliases makes the proxy answer at its aliases: there the service may ask for the proxy's port or for the one it is used to.
func (p *Proxy) listenOnAliases(ctx context.Context) error {
	own := strconv.Itoa(int(p.Addr().Port()))
	ports := []string{own}
	if _, usual, err := net.SplitHostPort(p.c.Upstream); err == nil && usual != own {
		ports = append(ports, usual)
	}
	for _, a := range p.c.Aliases {
		for _, port := range ports {
			l, err := listen(ctx, net.JoinHostPort(a.String(), port))
			if err != nil {
				return err
			}
			p.listening = append(p.listening, l)
		}
	}
	return nil
}

// Addr is where the service must connect.
func (p *Proxy) Addr() netip.AddrPort { return p.listening[0].addr }

// SetGated says whether Gate must be asked: while a fault still depends on what the service says.
func (p *Proxy) SetGated(on bool) { p.gated.Store(on) }

func (p *Proxy) gate() {
	if p.c.Gate != nil && p.gated.Load() {
		p.c.Gate()
	}
}

func (p *Proxy) tell(e Event) {
	if p.c.On != nil {
		p.c.On(e)
	}
}

// acceptLoop goes on through a shortage of descriptors: they come back.
func (p *Proxy) acceptLoop(l *listener) {
	pause := time.Millisecond
	for {
		c, err := l.accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.short(err)
			select {
			case <-time.After(pause):
				pause = min(2*pause, 100*time.Millisecond)
				continue
			case <-p.done:
				return
			}
		}
		pause = time.Millisecond
		number, letIn := int(p.numbers.Add(1)), time.Time{} // here, where their order is known
		if l.pit {
			p.open.Add(1)
		} else {
			letIn = p.expected()
		}
		if !p.afford(l) {
			_ = c.Close()
			continue // the proxy was closed meanwhile
		}
		s, err := p.takeOver(c, p.done)
		if err != nil {
			p.repay()
			continue // as well
		}
		p.work.Go(func() {
			defer p.repay()
			p.serve(s, number, letIn)
		})
	}
}

// noDescriptors says whether an error will go away when others close something.
func noDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// ordered returns the open connections in the order in which they came. Proxy locked.
func (p *Proxy) ordered() []*conn {
	out := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *conn) int { return cmp.Compare(a.number, b.number) })
	return out
}

// Open is how many connections are open: accepted, and the service has not closed its side.
func (p *Proxy) Open() int { return int(p.open.Load()) }

// Serving is how many connections have not come to their end on both sides yet.
func (p *Proxy) Serving() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Stats returns the figures so far.
func (p *Proxy) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Attempts: p.attempts, Refused: p.refused, Accepted: p.accepted, Open: p.Open(), BytesUp: p.up, BytesDown: p.down, Moves: p.moves, InChain: p.inChain,
		Unreached: int(p.unreached.Load())}
	for c := range p.conns {
		s.BytesUp += c.bytes[faults.Upstream].Load()
		s.BytesDown += c.bytes[faults.Downstream].Load()
		s.ReceivedUp += c.drift[faults.Upstream].Load()
		s.ReceivedDown += c.drift[faults.Downstream].Load()
	}
	s.ReceivedUp += s.BytesUp + p.drift[faults.Upstream]
	s.ReceivedDown += s.BytesDown + p.drift[faults.Downstream]
	for _, f := range p.faults {
		s.Faults = append(s.Faults, FaultStats{ID: f.ID, ConnectionsHit: int(f.hit.Load()), BytesHit: f.bytes.Load()})
	}
	return s
}

// Close lifts every fault, ends what is still open and waits for every goroutine, or until ctx ends. It may be called again.
func (p *Proxy) Close(ctx context.Context) error {
	p.mu.Lock()
	all := p.faults
	p.mu.Unlock()
	for _, f := range all {
		p.Lift(f.ID)
	}
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	open := p.ordered()
	p.mu.Unlock()
	if first {
		close(p.done)
		p.c.Budget.give(perProxy)
		for _, l := range p.listening {
			l.close()
		}
		if p.pit != nil {
			p.pit.close()
		}
	}
	for _, c := range open {
		c.dismiss("the proxy was closed")
		c.hardClose()
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		p.work.Wait()
		p.stopEngine()
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close the proxy of %s: %w", p.c.Name, ctx.Err())
	}
}
