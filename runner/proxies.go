package runner

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/timeline"
	"golang.org/x/sys/unix"
)

// crowdLimit bounds the events of one kind for one dependency, phase or fault: neither a retry storm nor a service that changes its phase
// without end must fill the memory. The figures at the end count all connections.
const crowdLimit = 1000

// startProxies puts a proxy before every dependency, its faults in the chain and dormant.
func (t *trial) startProxies(ctx context.Context) error {
	if err := t.suite.intercepting; err != nil && t.plan.Service.Interpose == "connect" {
		return fmt.Errorf("service.interpose: connect needs the connect interceptor (chaos doctor): %w: give the service ${DEPENDENCY} as address, "+
			"with interpose: address", err)
	}
	for i, spec := range t.plan.Dependencies {
		up := t.suite.upstreams[i]
		if err := up.failure(); err != nil {
			return err
		}
		d := &dependency{name: spec.Name, upstream: up}
		watches, err := t.watches(d.name)
		if err != nil {
			return err
		}
		d.proxy, err = proxy.Start(ctx, proxy.Config{
			Name: spec.Name, Listen: spec.Listen, Upstream: up.address,
			Aliases: t.aliases(spec.Name), Both: t.plan.Service.Interpose == "connect", Intercepted: t.suite.intercepting == nil,
			Injections: t.injections(d.name), Seed: t.plan.Seed, Gate: t.gate.Sync, Watches: watches,
			On: func(e proxy.Event) { t.proxied(d, e) },
		})
		if err != nil {
			return err
		}
		t.dependencies = append(t.dependencies, d)
	}
	for _, d := range t.dependencies {
		d.proxy.SetGated(t.injector.gated(d.name))
	}
	return nil
}

func (t *trial) injections(dependency string) []proxy.Injection {
	var out []proxy.Injection
	for _, i := range t.injector.items {
		if i.On == dependency && !isNaming(i.Injection) {
			out = append(out, proxy.Injection{ID: i.id, Fault: i.Fault, Connections: i.Connections, Toxicity: i.Toxicity})
		}
	}
	return out
}

// watches arms and lifts by what is on the wire: sends: and receives:.
func (t *trial) watches(dependency string) ([]proxy.Watch, error) {
	var out []proxy.Watch
	add := func(i *injection, pattern string, upstream, until bool) error {
		if pattern == "" || i.On != dependency {
			return nil
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("compile byte trigger %q: %w", pattern, err)
		}
		out = append(out, proxy.Watch{Upstream: upstream, Pattern: re, Do: func() {
			t.gate.Do(func() { t.injector.happened(moment{watched: i, untilWatched: until}) })
		}})
		return nil
	}
	for _, i := range t.injector.items {
		if err := add(i, i.From.Sends, true, false); err != nil {
			return nil, err
		}
		if err := add(i, i.From.Receives, false, false); err != nil {
			return nil, err
		}
		if i.Until == nil {
			continue
		}
		if err := add(i, i.Until.Sends, true, true); err != nil {
			return nil, err
		}
		if err := add(i, i.Until.Receives, false, true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// proxied turns what a proxy saw into events. No lock is held.
func (t *trial) proxied(d *dependency, e proxy.Event) {
	switch e.Kind {
	case proxy.Accepted:
		if t.suite.intercepting != nil {
			t.connecting(d)
			e.At = time.Now() // behind the lines that were printed before it and read just now
		}
		t.bounded(e.At, t.requests.note(timeline.Event{Kind: timeline.Accept, Dependency: d.name, Connection: e.Connection}))
	case proxy.Closed:
		t.bounded(e.At, timeline.Event{
			Kind: timeline.Close, Dependency: d.name, Connection: e.Connection, Text: e.Text,
			Count: map[string]float64{"bytes_up": float64(e.BytesUp), "bytes_down": float64(e.BytesDown)},
		})
	case proxy.Bite:
		t.injector.met.Store(e.Fault, e.At)
		t.recorder.AddAt(e.At, timeline.Event{Kind: timeline.FaultBite, Fault: e.Fault, Dependency: d.name, Connection: e.Connection, Text: e.Text})
	case proxy.Denied:
		denied := timeline.Event{Kind: timeline.Denied, Fault: e.Fault, Dependency: d.name, Connection: e.Connection, Text: e.Text}
		t.bounded(e.At, t.requests.note(denied))
	case proxy.UpstreamError:
		t.bounded(e.At, timeline.Event{Kind: timeline.UpstreamError, Dependency: d.name, Connection: e.Connection, Error: fmt.Sprint(e.Err)})
	case proxy.Shortage:
		t.harness(fmt.Errorf("the proxy of %s: %w: raise the limit of open files (ulimit -n), or run fewer trials at a time (--parallel)", d.name, e.Err))
	case proxy.Panic:
		t.harness(fmt.Errorf("the proxy of %s failed on connection %d: %w", d.name, e.Connection, e.Err))
	}
}

// bounded adds an event unless too many of its kind came from that dependency, phase or fault, and says so once.
func (t *trial) bounded(at time.Time, e timeline.Event) {
	t.crowdMu.Lock()
	key := strings.Join([]string{string(e.Kind), e.Dependency, e.Phase, e.Fault}, " ")
	t.crowd[key]++
	n := t.crowd[key]
	t.crowdMu.Unlock()
	switch {
	case n <= crowdLimit:
		t.recorder.AddAt(at, e)
	case n == crowdLimit+1 && e.Kind != timeline.Connect && e.Kind != timeline.Accept && e.Kind != timeline.Close:
		t.recorder.AddAt(at, timeline.Event{
			Kind: timeline.MissingEvidence, Text: fmt.Sprintf("only the first %d events %s are kept", crowdLimit, strings.Join(strings.Fields(key), " of ")),
		})
	}
}

// connecting tells phases and faults that a connection to d is about to be made.
func (t *trial) connecting(d *dependency) {
	t.gate.Do(func() { t.connects(d) })
}

// connects is connecting with the gate held.
func (t *trial) connects(d *dependency) {
	if t.gone {
		return // a child that outlives it
	}
	if len(t.replicas) == 0 {
		t.apply(t.tracker.Connect(d.name))
	}
	t.injector.happened(moment{connect: d.name})
}

// decide answers each connect(2) of the service, before it happens.
func (t *trial) decide(a process.Attempt) process.Answer {
	if a.Network == "udp" {
		return t.asks(a)
	}
	d, way := t.aimed(a.Target)
	switch {
	case d == nil && a.Target.Port() == dnsPort && t.naming != nil:
		return t.asks(a)
	case d == nil:
		t.stranger(a.Target)
		return process.Answer{}
	case way == lost:
		t.astray(d, a)
		return process.Answer{}
	}
	if way == direct && t.plan.Service.Interpose != "connect" {
		t.connecting(d)
		t.bounded(time.Now(), timeline.Event{
			Kind: timeline.Escape, Dependency: d.name, Target: a.Target.String(), PID: a.PID,
			Text: "connected to the real " + d.name + " around its proxy",
		})
		return process.Answer{}
	}
	var decision proxy.Decision
	var at time.Time
	t.gate.Do(func() {
		// Not a.At: lines that were printed before the attempt are stamped when they are read, and that was just now.
		at = time.Now()
		t.connects(d)
		decision = d.proxy.Connect()
	})
	e := timeline.Event{Kind: timeline.Connect, Dependency: d.name, Target: a.Target.String(), Result: "allowed", PID: a.PID}
	answer := process.Answer{Errno: decision.Errno, Delay: decision.Delay, Release: decision.Lifted}
	switch {
	case decision.Via.IsValid():
		e.Result, answer.Redirect = "unanswered", decision.Via
	case decision.Errno != 0:
		e.Result, e.Error = "refused", errnoName(decision.Errno)
	case way != proxied:
		e.Result, answer.Redirect = "redirected", d.proxy.Addr()
	case decision.Delay > 0:
		e.Result = "delayed"
	}
	t.bounded(at, t.requests.note(e))
	return answer
}

// way is which address of a dependency a connect goes to.
type way int

const (
	proxied way = iota // its proxy's
	direct             // its real one
	byName             // the one that its names stand for, whatever the port
	lost               // a wrong one, which a fault gave for its name
)

// aimed finds the dependency that an address belongs to.
func (t *trial) aimed(target netip.AddrPort) (*dependency, way) {
	if d, wrong := t.byName(target.Addr()); wrong {
		return d, lost
	} else if d != nil {
		return d, byName
	}
	for _, d := range t.dependencies {
		if d.proxy.Addr().Port() == target.Port() && target.Addr().IsLoopback() {
			return d, proxied
		}
	}
	for _, d := range t.dependencies {
		if d.upstream.is(target) {
			return d, direct
		}
	}
	return nil, proxied
}

// stranger notes an address that nobody declared, once.
func (t *trial) stranger(target netip.AddrPort) {
	t.crowdMu.Lock()
	known := t.undeclared[target.String()] || len(t.undeclared) >= crowdLimit
	if !known {
		t.undeclared[target.String()] = true
	}
	t.crowdMu.Unlock()
	if known || target == t.suite.marks.address() || t.ownPort(target) {
		return
	}
	t.recorder.Add(timeline.Event{Kind: timeline.Undeclared, Target: target.String()})
}

func (t *trial) ownPort(target netip.AddrPort) bool {
	for _, p := range t.ports {
		if p == int(target.Port()) && target.Addr().IsLoopback() {
			return true
		}
	}
	return false
}

func errnoName(e syscall.Errno) string {
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return e.Error()
}
