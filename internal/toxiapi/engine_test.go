package toxiapi

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// engine is a front without sockets, for the fuzz test: it would be led to listen anywhere.
type engine struct {
	c        proxy.Config
	have     map[string]proxy.Injection
	armed    map[string]bool
	disabled bool
	closed   bool
	upstream string
}

// engines starts engines and remembers them.
type engines struct{ all []*engine }

func (s *engines) start(_ context.Context, c proxy.Config) (front, error) {
	e := &engine{c: c, have: map[string]proxy.Injection{}, armed: map[string]bool{}, upstream: c.Upstream}
	for _, in := range c.Injections {
		if err := e.Add(in); err != nil {
			return nil, err
		}
	}
	s.all = append(s.all, e)
	return e, nil
}

func (s *engines) of(name string) *engine {
	i := slices.IndexFunc(s.all, func(e *engine) bool { return e.c.Name == name && !e.closed })
	if i < 0 {
		return nil
	}
	return s.all[i]
}

func (e *engine) Addr() netip.AddrPort {
	if a, err := netip.ParseAddrPort(e.c.Listen); err == nil && a.Port() > 0 {
		return a
	}
	return netip.MustParseAddrPort("127.0.0.1:1024")
}

func (e *engine) Add(in proxy.Injection) error {
	if _, ok := e.have[in.ID]; ok {
		return fmt.Errorf("%s is there already", in.ID)
	}
	e.have[in.ID] = in
	return nil
}

func (e *engine) Remove(id string) bool {
	_, ok := e.have[id]
	delete(e.have, id)
	delete(e.armed, id)
	return ok
}

func (e *engine) Arm(id string)               { e.armed[id] = true }
func (e *engine) Disable()                    { e.disabled = true }
func (e *engine) Enable()                     { e.disabled = false }
func (e *engine) SetUpstream(addr string)     { e.upstream = addr }
func (e *engine) Stats() proxy.Stats          { return proxy.Stats{} }
func (e *engine) Close(context.Context) error { e.closed = true; return nil }
