package toxiapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// collection is every proxy of an API, by name. It is safe for concurrent use; one request at a time changes it.
type collection struct {
	start   starter
	resolve resolver
	seed    uint64
	tell    func(Incident) // nil: nobody
	budget  *proxy.Budget

	mu      sync.Mutex
	proxies map[string]*entry
}

// proxyInput describes a proxy. In an update, what is nil stays as it is.
type proxyInput struct {
	Name     string  `json:"name"`
	Listen   *string `json:"listen"`
	Upstream *string `json:"upstream"`
	Enabled  *bool   `json:"enabled"`

	Toxics json.RawMessage `json:"toxics"` // for a proxy that is made; Toxiproxy's clients send back what they were told with an update
}

// want is a checked description.
type want struct {
	name, listen, upstream string
	numbered               string // listen, resolved
	enabled                bool
	toxics                 []Toxic // that it is made with; nil: none are asked for
}

func newCollection(o Options) *collection {
	return &collection{start: o.start, resolve: o.resolve, seed: o.Seed, tell: o.On, proxies: map[string]*entry{}}
}

// numbered resolves the listening address. It may ask a name server: nothing must be locked.
func (c *collection) numbered(ctx context.Context, in proxyInput) string {
	return c.resolve(ctx, text(in.Listen))
}

// check fills in what is not given and checks what is.
func (in proxyInput) check(have want) (want, error) {
	w := have
	if in.Listen != nil {
		w.listen = *in.Listen
	}
	if in.Upstream != nil {
		w.upstream = *in.Upstream
	}
	if in.Enabled != nil {
		w.enabled = *in.Enabled
	}
	if w.listen == "" {
		w.listen = "127.0.0.1:0" // Toxiproxy would listen on every interface
	}
	if err := CheckListen(w.listen); err != nil {
		return want{}, wrong(err.Error())
	}
	if err := CheckUpstream(w.upstream); err != nil {
		return want{}, wrong(err.Error())
	}
	return w, nil
}

// missingFields is Toxiproxy's error for a description that lacks something; at names the place in a list.
func (in proxyInput) missingFields(at string) error {
	switch {
	case in.Name == "":
		return wrong(missingField + ": name" + at)
	case in.Upstream == nil || *in.Upstream == "":
		return wrong(missingField + ": upstream" + at)
	}
	return nil
}

// list returns every proxy.
func (c *collection) list() map[string]Proxy {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]Proxy, len(c.proxies))
	for name, e := range c.proxies {
		out[name] = e.show()
	}
	return out
}

// ordered returns the entries by name. Collection locked.
func (c *collection) ordered() []*entry {
	return slices.SortedFunc(maps.Values(c.proxies), func(a, b *entry) int { return cmp.Compare(a.Name, b.Name) })
}

// with does something to one proxy and returns what it then is.
func (c *collection) with(name string, do func(e *entry) error) (Proxy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.proxies[name]
	if !ok {
		return Proxy{}, missing(noSuchProxy)
	}
	if err := do(e); err != nil {
		return Proxy{}, err
	}
	return e.show(), nil
}

func (c *collection) get(name string) (Proxy, error) {
	return c.with(name, func(*entry) error { return nil })
}

// create makes a proxy, with these toxics if its description has none.
func (c *collection) create(ctx context.Context, in proxyInput, toxics []Toxic) (Proxy, error) {
	if err := in.missingFields(""); err != nil {
		return Proxy{}, err
	}
	w, err := in.checkNew(want{name: in.Name, enabled: true})
	if err != nil {
		return Proxy{}, err
	}
	if w.toxics == nil {
		w.toxics = toxics
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.proxies[w.name]; ok {
		return Proxy{}, conflict(proxyExists)
	}
	e, err := c.make(ctx, w)
	if err != nil {
		return Proxy{}, err
	}
	return e.show(), nil
}

// make adds a proxy that is not there. Locked.
func (c *collection) make(ctx context.Context, w want) (*entry, error) {
	e := &entry{asked: w.listen, Proxy: Proxy{Name: w.name, Listen: w.listen, Upstream: w.upstream, Toxics: w.toxics}}
	if w.enabled {
		if err := c.open(ctx, e); err != nil {
			return nil, err
		}
	}
	c.proxies[w.name] = e
	return e, nil
}

// open lets a proxy serve. A disabled one keeps its port, so that nobody else takes it, but gives it up for another proxy. Locked.
func (c *collection) open(ctx context.Context, e *entry) error {
	err := e.open(ctx, c)
	if err == nil || !inUse(err) {
		return err
	}
	for _, other := range c.ordered() {
		if other != e && !other.Enabled && other.front != nil && samePort(other.Listen, e.Listen) {
			if shut := other.shut(ctx); shut != nil {
				return errors.Join(err, shut)
			}
			return e.open(ctx, c)
		}
	}
	return err
}

// populate makes or replaces proxies, up to the first that fails; those it has dealt with are returned with the error. A proxy that is there
// with the same addresses (port 0 again is the same) stays as it is, with its toxics; one that differs is replaced. Toxics of a description are
// those that the proxy has then.
func (c *collection) populate(ctx context.Context, list []proxyInput) ([]Proxy, error) {
	for i, in := range list {
		if err := in.missingFields(fmt.Sprintf(" at proxy %d", i+1)); err != nil {
			return nil, err
		}
	}
	for _, in := range list {
		if _, err := in.equipment(); err != nil {
			return nil, err
		}
	}
	var done []Proxy
	for _, in := range list {
		w, err := in.checkNew(want{name: in.Name, numbered: c.numbered(ctx, in), enabled: true})
		if err != nil {
			return done, err
		}
		p, err := c.put(ctx, w)
		if err != nil {
			return done, err
		}
		done = append(done, p)
	}
	return done, nil
}

func (c *collection) put(ctx context.Context, w want) (Proxy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.proxies[w.name]
	if ok && (!e.moves(w) || w.listen == e.asked) && e.Upstream == w.upstream {
		err := e.equip(w.toxics)
		return e.show(), err
	}
	if !ok {
		e, err := c.make(ctx, w)
		if err != nil {
			return Proxy{}, err
		}
		return e.show(), nil
	}
	if err := c.change(ctx, e, w, w.toxics); err != nil {
		return Proxy{}, err
	}
	return e.show(), nil
}

// moves says whether a description asks for another listening address: port 0 always does.
func (e *entry) moves(w want) bool { return w.listen != e.Listen && w.numbered != e.Listen }

// update changes a proxy.
func (c *collection) update(ctx context.Context, name string, in proxyInput) (Proxy, error) {
	numbered := c.numbered(ctx, in)
	return c.with(name, func(e *entry) error {
		if in.Upstream != nil && *in.Upstream == "" {
			return wrong(missingField + ": upstream")
		}
		w, err := in.check(want{name: name, listen: e.Listen, upstream: e.Upstream, numbered: numbered, enabled: e.Enabled})
		if err != nil {
			return err
		}
		return c.change(ctx, e, w, e.Toxics)
	})
}

// change makes a proxy what is wanted, or leaves it as it was. Locked.
func (c *collection) change(ctx context.Context, e *entry, w want, toxics []Toxic) error {
	if e.moves(w) {
		if err := c.move(ctx, e, w, toxics); err != nil {
			return err
		}
	} else if e.Upstream != w.upstream {
		e.redirect(w.upstream)
	}
	if len(toxics) == 0 {
		e.dropAll()
	} else if err := e.equip(toxics); err != nil {
		return err
	}
	if !w.enabled {
		e.pause()
		return nil
	}
	return c.open(ctx, e)
}

// move changes where a proxy listens. Its port is given up only when it has the new one, unless the port itself is the same.
func (c *collection) move(ctx context.Context, e *entry, w want, toxics []Toxic) error {
	next := &entry{asked: w.listen, Proxy: Proxy{Name: e.Name, Listen: w.listen, Upstream: w.upstream, Toxics: toxics}}
	served := e.Enabled
	if samePort(e.Listen, w.numbered) {
		if err := e.shut(ctx); err != nil {
			return err
		}
	}
	if w.enabled {
		if err := c.open(ctx, next); err != nil {
			if served {
				err = errors.Join(err, c.open(ctx, e))
			}
			return err
		}
	}
	err := e.shut(ctx)
	*e = *next
	return err
}

// remove ends a proxy.
func (c *collection) remove(ctx context.Context, name string) error {
	_, err := c.with(name, func(e *entry) error {
		delete(c.proxies, name)
		return e.shut(ctx)
	})
	return err
}

// reset removes every toxic and lets every proxy serve.
func (c *collection) reset(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, e := range c.ordered() {
		e.dropAll()
		errs = append(errs, c.open(ctx, e))
	}
	return errors.Join(errs...)
}

// close ends every proxy.
func (c *collection) close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, e := range c.ordered() {
		errs = append(errs, e.shut(ctx))
	}
	clear(c.proxies)
	return errors.Join(errs...)
}
