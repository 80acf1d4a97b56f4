package toxiapi

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// Proxy is a proxy, as the API shows it.
type Proxy struct {
	Name     string  `json:"name"`
	Listen   string  `json:"listen"`
	Upstream string  `json:"upstream"`
	Enabled  bool    `json:"enabled"`
	Toxics   []Toxic `json:"toxics"`
}

// front is what of *proxy.Proxy is used.
type front interface {
	Addr() netip.AddrPort
	Add(proxy.Injection) error
	Remove(id string) bool
	Arm(id string)
	Disable()
	Enable()
	SetUpstream(addr string)
	Stats() proxy.Stats
	Close(ctx context.Context) error
}

// starter starts a proxy: proxy.Start, or in the fuzz test one without sockets.
type starter func(ctx context.Context, c proxy.Config) (front, error)

// entry is one proxy of a Collection, which locks it.
type entry struct {
	Proxy
	asked string // the listening address as it was asked for; Listen is what became of it
	front front  // nil before it was enabled for the first time, and after it gave up its port
	base  counts // what front had counted when its labels were last changed
	past  counts // what fronts before it counted under the same labels

	reporter *reporter // of front
}

// counts are the byte counters of a proxy.
type counts struct{ up, down, receivedUp, receivedDown int64 }

func countsOf(s proxy.Stats) counts {
	return counts{s.BytesUp, s.BytesDown, s.ReceivedUp, s.ReceivedDown}
}

// plus adds other, times one or minus one.
func (c counts) plus(other counts, times int64) counts {
	return counts{
		c.up + times*other.up, c.down + times*other.down,
		c.receivedUp + times*other.receivedUp, c.receivedDown + times*other.receivedDown,
	}
}

// closing is how long the end of a proxy may take: its goroutines only have to notice.
const closing = 5 * time.Second

// show copies what the API tells of the proxy: Toxiproxy lists the toxics of the upstream first.
func (e *entry) show() Proxy {
	p := e.Proxy
	p.Toxics = make([]Toxic, 0, len(e.Toxics))
	for _, stream := range []string{upstream, downstream} {
		for _, t := range e.Toxics {
			if t.Stream == stream {
				p.Toxics = append(p.Toxics, t)
			}
		}
	}
	return p
}

// open lets the proxy serve.
func (e *entry) open(ctx context.Context, c *collection) error {
	if e.Enabled {
		return nil
	}
	if e.front != nil {
		e.front.Enable()
		e.Enabled = true
		return nil
	}
	f, err := e.start(ctx, c)
	if err != nil {
		return err
	}
	e.front, e.Enabled = f, true
	e.relabel(f.Addr().String(), e.Upstream)
	return nil
}

// start makes a front for the entry, with its toxics on.
func (e *entry) start(ctx context.Context, all *collection) (front, error) {
	c := proxy.Config{Name: e.Name, Listen: e.Listen, Upstream: e.Upstream, Seed: all.seed, Polite: true, Budget: all.budget}
	e.reporter = &reporter{tell: all.tell, name: e.Name}
	if all.tell != nil {
		c.On = e.reporter.on
	}
	for _, t := range e.Toxics {
		if t.plays() {
			c.Injections = append(c.Injections, t.injection())
		}
	}
	f, err := all.start(context.WithoutCancel(ctx), c)
	if err != nil {
		return nil, err
	}
	for _, in := range c.Injections {
		f.Arm(in.ID)
	}
	return f, nil
}

// pause closes the port to everybody and ends the open connections.
func (e *entry) pause() {
	if e.Enabled {
		e.front.Disable()
		e.Enabled = false
	}
}

// shut gives the port back as well.
func (e *entry) shut(ctx context.Context) error {
	e.pause()
	if e.front == nil {
		return nil
	}
	e.past = e.counted()
	f := e.front
	e.front, e.base = nil, counts{}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	defer e.reporter.finish()
	return f.Close(ctx)
}

// counted is what the proxy has counted under its present labels.
func (e *entry) counted() counts {
	if e.front == nil {
		return e.past
	}
	return e.past.plus(countsOf(e.front.Stats()), 1).plus(e.base, -1)
}

// relabel sets the addresses. Counters begin anew under new ones, as they are labels of the metrics.
func (e *entry) relabel(listen, upstream string) {
	if listen == e.Listen && upstream == e.Upstream {
		return
	}
	e.Listen, e.Upstream = listen, upstream
	e.past, e.base = counts{}, counts{}
	if e.front != nil {
		e.base = countsOf(e.front.Stats())
	}
}

// redirect points the proxy at another dependency: connections to the old one end, as in Toxiproxy.
func (e *entry) redirect(upstream string) {
	e.pause()
	if e.front != nil {
		e.front.SetUpstream(upstream)
	}
	e.relabel(e.Listen, upstream)
}

// add puts a toxic on the proxy.
func (e *entry) add(t Toxic) error {
	if e.front != nil && t.plays() {
		if err := e.front.Add(t.injection()); err != nil {
			return fmt.Errorf("add the toxic %s to %s: %w", t.Name, e.Name, err)
		}
		e.front.Arm(t.Name)
	}
	e.Toxics = append(e.Toxics, t)
	return nil
}

// replace changes a toxic in its place.
func (e *entry) replace(at int, t Toxic) error {
	e.lift(e.Toxics[at])
	e.Toxics[at] = t
	if e.front == nil || !t.plays() {
		return nil
	}
	if err := e.front.Add(t.injection()); err != nil {
		return fmt.Errorf("change the toxic %s of %s: %w", t.Name, e.Name, err)
	}
	e.front.Arm(t.Name)
	return nil
}

func (e *entry) lift(t Toxic) {
	if e.front != nil && t.plays() {
		e.front.Remove(t.Name)
	}
}

// drop takes a toxic away.
func (e *entry) drop(at int) {
	e.lift(e.Toxics[at])
	e.Toxics = slices.Delete(e.Toxics, at, at+1)
}

func (e *entry) dropAll() {
	for len(e.Toxics) > 0 {
		e.drop(len(e.Toxics) - 1)
	}
}

func (e *entry) toxic(name string) int {
	return slices.IndexFunc(e.Toxics, func(t Toxic) bool { return t.Name == name })
}

// inUse says whether an address could not be had because somebody else has it.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
