// Package resolver answers the names of a trial's dependencies: a small DNS server, UDP and TCP, on a loopback address of the trial's own.
//
// Each declared name stands for a loopback address that means that dependency and nothing else, so that the connect which
// follows can be told from all others. Faults make a name fail, or answer late or wrongly; they are decided with the trial's gate held, so they are as
// exact as those on connections. All other names are passed to the system's own nameservers, byte for byte.
//
// What it refuses to do: it caches nothing, it follows nothing, it listens on no address but loopback ones, and it does not know how the
// service comes to ask it; that is internal/process's.
package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// Config says which names a resolver knows and which faults it holds ready.
type Config struct {
	Slot  int    // the block of addresses that is tried first: the same slot gives the same addresses, unless somebody has them
	Hosts []Host // at most MaxHosts
	Seed  uint64
	// System answers what is not declared, and its search list is what a program's resolver may have appended to a declared name.
	System System
	// Gate runs decide when everything that the service has said up to now is known. It is called without locks; Arm and Lift may be called
	// meanwhile. nil: decide is just run.
	Gate func(decide func())
	// On is told what happened. It must be quick and is called from many goroutines, without locks. nil: nobody.
	On func(Event)
}

// Host is one dependency and its names.
type Host struct {
	Dependency string
	Names      []string // lower case, without the dot at the end
	Injections []Injection
}

// Injection is one fault, dormant until Arm.
type Injection struct {
	ID          string // unique in the resolver
	Resolution  faults.Resolution
	Connections int     // only the first that many queries of each name and type; 0: all
	Toxicity    float64 // seeded share of queries; 0 or 1: all
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of event.
const (
	Asked   EventKind = "asked"   // a declared name was asked for: Dependency, Name, Type, Result
	Foreign EventKind = "foreign" // a name that nobody declared was asked for, for the first time: Name
	Bite    EventKind = "bite"    // Fault met its first query since it was armed: Dependency, Text
)

// Event is something that happened to a resolver. Result is what was answered: answered, no_data, nxdomain, servfail, refused, silent,
// wrong_address, or delayed when the truth is only late.
type Event struct {
	Kind       EventKind
	At         time.Time
	Dependency string
	Fault      string
	Name       string // without the dot at the end
	Type       string // A, AAAA, ...
	Result     string
	Text       string
}

// Resolver is one running DNS server. It is safe for concurrent use.
type Resolver struct {
	c       Config
	block   int
	sockets []*socket // the first is the main one; the others lie beside a nameserver of the system
	hosts   []*host   // fixed
	names   map[string]*host

	mu      sync.Mutex
	faults  map[string]*fault
	foreign map[string]bool
	asked   int // queries for declared names
	passed  int // queries for others
	closed  bool

	done   chan struct{}
	cancel context.CancelFunc
	slots  chan struct{}
	work   sync.WaitGroup
}

// maxForeign bounds how many undeclared names are told.
const maxForeign = 1000

// Start listens and serves until Close.
func Start(ctx context.Context, c Config) (*Resolver, error) {
	if len(c.Hosts) > MaxHosts {
		return nil, fmt.Errorf("start a resolver: %d dependencies have names, and at most %d can: take names away", len(c.Hosts), MaxHosts)
	}
	r := &Resolver{
		c: c, names: map[string]*host{}, faults: map[string]*fault{}, foreign: map[string]bool{}, done: make(chan struct{}),
		slots: make(chan struct{}, maxServing),
	}
	for i, h := range c.Hosts {
		r.add(i, h)
	}
	if err := r.listen(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a resolver: %w", err), r.closeSockets())
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, s := range r.sockets {
		r.work.Go(func() { r.serveUDP(ctx, s) })
		r.work.Go(func() { r.serveTCP(ctx, s) })
	}
	return r, nil
}

// add makes a host known by its names, alone and with each domain of the search list.
func (r *Resolver) add(index int, c Host) {
	h := &host{Host: c, index: index, asked: map[query]int{}}
	r.hosts = append(r.hosts, h)
	for _, name := range c.Names {
		r.names[name] = h
	}
	for _, in := range c.Injections {
		f := newFault(in, h, r.c.Seed)
		h.faults = append(h.faults, f)
		r.faults[in.ID] = f
	}
}

// find returns the host that a name means. A resolver library may have appended a domain of its search list.
func (r *Resolver) find(name string) *host {
	if h := r.names[name]; h != nil {
		return h
	}
	for _, domain := range r.c.System.Search {
		if short, ok := strings.CutSuffix(name, "."+domain); ok {
			if h := r.names[short]; h != nil {
				return h
			}
		}
	}
	return nil
}

// Addr is where the resolver listens, by UDP and TCP.
func (r *Resolver) Addr() netip.AddrPort { return r.sockets[0].addr }

// Standard says whether that is port 53, the only one that a resolv.conf can name.
func (r *Resolver) Standard() bool { return r.Addr().Port() == port }

// Near is where a query for the nameserver at target should go instead: some programs compare the address that an answer comes from, so
// where the nameserver has a loopback address the resolver listens on that too.
func (r *Resolver) Near(target netip.Addr) netip.AddrPort {
	for _, s := range r.sockets[1:] {
		if s.addr.Addr() == target.Unmap() {
			return s.addr
		}
	}
	return r.Addr()
}

// Is says whether target is where the resolver listens.
func (r *Resolver) Is(target netip.AddrPort) bool {
	for _, s := range r.sockets {
		if s.addr == netip.AddrPortFrom(target.Addr().Unmap(), target.Port()) {
			return true
		}
	}
	return false
}

// Stats are the figures of a resolver so far.
type Stats struct {
	Asked  int            // queries for declared names
	Passed int            // queries for all others
	Hit    map[string]int // queries that met a fault, by its ID
}

// Stats returns the figures so far.
func (r *Resolver) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Asked: r.asked, Passed: r.passed, Hit: map[string]int{}}
	for id, f := range r.faults {
		s.Hit[id] = f.hit
	}
	return s
}

func (r *Resolver) tell(e Event) {
	if r.c.On != nil {
		r.c.On(e)
	}
}

// Close lifts every fault, stops answering and waits for every goroutine, or until ctx ends. It may be called again.
func (r *Resolver) Close(ctx context.Context) error {
	for id := range r.faults { // fixed after Start
		r.Lift(id)
	}
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	var err error
	if first {
		close(r.done)
		r.cancel()
		err = r.closeSockets()
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.work.Wait()
	}()
	select {
	case <-finished:
		return err
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("close the resolver at %s: %w", r.Addr(), ctx.Err()))
	}
}

func (r *Resolver) closeSockets() error {
	var errs []error
	for _, s := range r.sockets {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// ended says whether an error of a socket only means that it was closed.
func ended(err error) bool { return errors.Is(err, net.ErrClosed) }
