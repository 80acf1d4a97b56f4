package runner

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/internal/resolver"
	"github.com/chaos-startup/chaos/timeline"
)

// resolvConf is where the system's own nameservers are told.
const resolvConf = "/etc/resolv.conf"

// dnsPort is where programs ask for names, whichever nameserver they ask.
const dnsPort = 53

// naming is the resolver of one trial and the ways in which the service comes to ask it.
type naming struct {
	resolver *resolver.Resolver
	hosts    []string // the dependencies with names, by their number in the resolver
	conf     string   // the resolv.conf that the service sees; "": the system's
	confErr  error    // why it sees the system's
}

// named says whether some dependency of the plan has names.
func named(list []experiments.Dependency) bool {
	return slices.ContainsFunc(list, func(d experiments.Dependency) bool { return len(d.Names) > 0 })
}

// startResolver answers the names of the dependencies, where there are any. It comes before the proxies, which may have to listen on the
// addresses that it gives.
func (t *trial) startResolver(ctx context.Context) error {
	if !named(t.plan.Dependencies) {
		return nil
	}
	system, err := resolver.ReadSystem(resolvConf)
	if err != nil {
		return err
	}
	n := &naming{}
	c := resolver.Config{Slot: t.index, Seed: t.plan.Seed, System: system, Gate: t.gate.Do, On: t.resolved}
	for _, d := range t.plan.Dependencies {
		if len(d.Names) > 0 {
			n.hosts = append(n.hosts, d.Name)
			c.Hosts = append(c.Hosts, resolver.Host{Dependency: d.Name, Names: d.Names, Injections: t.resolutions(d.Name)})
		}
	}
	if n.resolver, err = resolver.Start(ctx, c); err != nil {
		return err
	}
	t.naming = n
	if n.confErr = t.suite.ownResolvConf(); n.confErr == nil && !n.resolver.Standard() {
		n.confErr = fmt.Errorf("port %d of %s can't be had, and a resolv.conf can name no other", dnsPort, n.resolver.Addr().Addr())
	}
	if n.confErr == nil {
		n.conf = filepath.Join(t.dir, "resolv.conf")
		text := system.Conf(n.resolver.Addr().Addr())
		if err := os.WriteFile(n.conf, []byte(text), 0o644); err != nil { // #nosec G306 -- read by the service
			return fmt.Errorf("write the service's resolv.conf: %w", err)
		}
	}
	return t.reachable()
}

// reachable is an error when the trial is about names and the service would not ask for them here.
func (t *trial) reachable() error {
	if t.naming.conf != "" || t.suite.intercepting == nil {
		return nil
	}
	for _, i := range t.plan.Inject {
		if isNaming(i) {
			return fmt.Errorf("the fault `%s` on %s can't be met here: the service can't be made to ask chaos for names (chaos doctor): %w; and %w: run "+
				"it as root, or where connects can be intercepted", i.Fault, i.On, t.suite.intercepting, t.naming.confErr)
		}
	}
	return nil
}

// isNaming says whether an injection is carried out by the resolver, and not by the dependency's proxy.
func isNaming(i experiments.Injection) bool { return i.Fault.Behaviour().Resolve != nil }

func (t *trial) resolutions(dependency string) []resolver.Injection {
	var out []resolver.Injection
	for _, i := range t.injector.items {
		if i.On == dependency && isNaming(i.Injection) {
			out = append(out, resolver.Injection{
				ID: i.id, Resolution: *i.Fault.Behaviour().Resolve, Connections: i.Connections, Toxicity: i.Toxicity,
			})
		}
	}
	return out
}

// arm makes the proxy, or the resolver, let a fault act. Gate held.
func (t *trial) arm(i *injection) {
	if isNaming(i.Injection) {
		t.naming.resolver.Arm(i.id)
		return
	}
	t.dependency(i.On).proxy.Arm(i.id)
}

// lift ends what arm began. Gate held.
func (t *trial) lift(i *injection) {
	t.lifts.Add(1)
	for _, r := range t.replicas {
		r.lifts.Add(1)
		defer r.lifted.ring()
	}
	defer t.lifted.ring()
	if isNaming(i.Injection) {
		t.naming.resolver.Lift(i.id)
		return
	}
	t.dependency(i.On).proxy.Lift(i.id)
}

// hits are the figures of a fault.
func (t *trial) hits(d *dependency, i *injection) proxy.FaultStats {
	if isNaming(i.Injection) {
		return proxy.FaultStats{ID: i.id, ConnectionsHit: t.naming.resolver.Stats().Hit[i.id]}
	}
	return d.proxy.Stats().Fault(i.id)
}

// aliases are the addresses that stand for a dependency and that its proxy must listen on itself, because no connect is redirected.
func (t *trial) aliases(dependency string) []netip.Addr {
	if t.naming == nil || t.suite.intercepting == nil {
		return nil
	}
	if i := slices.Index(t.naming.hosts, dependency); i >= 0 {
		return []netip.Addr{t.naming.resolver.Address(i)}
	}
	return nil
}

// byName finds the dependency that an address stands for because its name was answered with it; wrong: a fault gave that address.
func (t *trial) byName(target netip.Addr) (d *dependency, wrong bool) {
	if t.naming == nil {
		return nil, false
	}
	i, wrong := t.naming.resolver.Means(target)
	if i < 0 {
		return nil, false
	}
	return t.dependency(t.naming.hosts[i]), wrong
}

// asks answers a connect to a nameserver, whichever it is: it is the resolver that is asked.
func (t *trial) asks(a process.Attempt) process.Answer {
	if t.naming == nil || a.Target.Port() != dnsPort || t.naming.resolver.Is(a.Target) {
		return process.Answer{}
	}
	return process.Answer{Redirect: t.naming.resolver.Near(a.Target.Addr())}
}

// astray notes a connect to the wrong address that a fault gave; nobody listens there.
func (t *trial) astray(d *dependency, a process.Attempt) {
	t.connecting(d)
	e := timeline.Event{Kind: timeline.Connect, Dependency: d.name, Target: a.Target.String(), Result: "astray", PID: a.PID}
	t.bounded(time.Now(), t.requests.note(e))
}

// resolved turns what the resolver saw into events. No lock is held.
func (t *trial) resolved(e resolver.Event) {
	switch e.Kind {
	case resolver.Asked:
		t.bounded(e.At, timeline.Event{Kind: timeline.Resolve, Dependency: e.Dependency, Name: e.Name, Text: e.Type, Result: e.Result})
	case resolver.Foreign:
		t.recorder.AddAt(e.At, timeline.Event{Kind: timeline.UndeclaredName, Name: t.mask(e.Name)})
	case resolver.Bite:
		t.recorder.AddAt(e.At, timeline.Event{Kind: timeline.FaultBite, Fault: e.Fault, Dependency: e.Dependency, Text: e.Text})
	}
}

// tellNaming says at the start how names are answered, or that they are not.
func (t *trial) tellNaming() {
	n := t.naming
	if n == nil {
		return
	}
	var ways []string
	if n.conf != "" {
		ways = append(ways, "a resolv.conf of the service's own")
	}
	if t.suite.intercepting == nil {
		ways = append(ways, "connects to nameservers that are redirected")
	}
	text := fmt.Sprintf("a resolver at %s answers the names of %s, by %s", n.resolver.Addr(), strings.Join(n.hosts, ", "), strings.Join(ways, " and "))
	switch {
	case len(ways) == 0:
		t.recorder.Add(timeline.Event{Kind: timeline.MissingEvidence, Text: fmt.Sprintf(
			"the names of %s are not answered by chaos: %v; and %v", strings.Join(n.hosts, ", "), n.confErr, t.suite.intercepting)})
		return
	case n.conf == "":
		text += "; queries that are sent without connect(2), as musl does, are not seen: " + n.confErr.Error()
	}
	t.recorder.Add(timeline.Event{Kind: timeline.Resolver, Text: text})
}

// closeResolver ends the resolver, when everybody who asks is gone.
func (t *trial) closeResolver(ctx context.Context) {
	if t.naming == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	if err := t.naming.resolver.Close(ctx); err != nil {
		t.harness(err)
	}
}
