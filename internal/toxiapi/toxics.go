package toxiapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// toxics returns the toxics of a proxy.
func (c *collection) toxics(name string) ([]Toxic, error) {
	p, err := c.get(name)
	return p.Toxics, err
}

// onToxic does something to one toxic of a proxy.
func (c *collection) onToxic(proxy, name string, do func(e *entry, at int) error) error {
	_, err := c.with(proxy, func(e *entry) error {
		at := e.toxic(name)
		if at < 0 {
			return missing(noSuchToxic)
		}
		return do(e, at)
	})
	return err
}

func (c *collection) toxic(proxy, name string) (out Toxic, err error) {
	err = c.onToxic(proxy, name, func(e *entry, at int) error {
		out = e.Toxics[at]
		return nil
	})
	return out, err
}

// addToxic puts a toxic on a proxy; it works at once, also on open connections where its kind means anything to them.
func (c *collection) addToxic(proxy string, in toxicInput) (Toxic, error) {
	t, invalid := in.create()
	_, err := c.with(proxy, func(e *entry) error {
		if invalid != nil {
			return invalid
		}
		if e.toxic(t.Name) >= 0 {
			return conflict(toxicExists)
		}
		return e.add(t)
	})
	return t, err
}

// updateToxic changes attributes and toxicity. What is wrong changes nothing.
func (c *collection) updateToxic(proxy, name string, in toxicInput) (out Toxic, err error) {
	err = c.onToxic(proxy, name, func(e *entry, at int) error {
		if out, err = in.update(e.Toxics[at]); err != nil {
			return err
		}
		return e.replace(at, out)
	})
	return out, err
}

func (c *collection) removeToxic(proxy, name string) error {
	return c.onToxic(proxy, name, func(e *entry, at int) error {
		e.drop(at)
		return nil
	})
}

// checkNew is check for a proxy that is to have what is described, toxics too.
func (in proxyInput) checkNew(have want) (w want, err error) {
	if w, err = in.check(have); err == nil {
		w.toxics, err = in.equipment()
	}
	return w, err
}

// equipment returns the toxics of a description, nil if it has none.
func (in proxyInput) equipment() ([]Toxic, error) {
	var list []json.RawMessage
	if len(in.Toxics) == 0 {
		return nil, nil
	}
	if err := decodeBody(json.NewDecoder(bytes.NewReader(in.Toxics)), &list); err != nil {
		return nil, in.ofToxics(err)
	}
	var out []Toxic
	for _, raw := range list {
		var one toxicInput
		err := decodeBody(strict(bytes.NewReader(raw)), &one)
		if err != nil {
			return nil, in.ofToxics(err)
		}
		t, err := one.create()
		if err == nil && slices.ContainsFunc(out, func(other Toxic) bool { return other.Name == t.Name }) {
			err = conflict(toxicExists + ": " + t.Name)
		}
		if err != nil {
			return nil, in.ofToxics(err)
		}
		out = append(out, t)
	}
	return out, nil
}

// ofToxics says whose toxics an error is about.
func (in proxyInput) ofToxics(err error) error {
	e := toAPI(err)
	return &apiError{fmt.Sprintf("toxics of %s: %s", in.Name, e.Message), e.Status}
}

// equip makes these the toxics of a proxy, unless it has them already or none are asked for.
func (e *entry) equip(toxics []Toxic) error {
	same := func(a, b Toxic) bool {
		return a.Name == b.Name && a.Stream == b.Stream && a.Type == b.Type && a.Toxicity == b.Toxicity && reflect.DeepEqual(a.spec, b.spec)
	}
	if len(toxics) == 0 || slices.EqualFunc(e.show().Toxics, (&entry{Proxy: Proxy{Toxics: toxics}}).show().Toxics, same) {
		return nil
	}
	e.dropAll()
	for _, t := range toxics {
		if err := e.add(t); err != nil {
			return err
		}
	}
	return nil
}

// load makes the proxies of a configuration, all or none.
func (c *collection) load(ctx context.Context, list []Config) error {
	for _, p := range list {
		in := proxyInput{Name: p.Name, Listen: &p.Listen, Upstream: &p.Upstream, Enabled: &p.Enabled}
		if _, err := c.create(ctx, in, p.Toxics); err != nil {
			return fmt.Errorf("the proxy %s: %w", p.Name, err)
		}
	}
	return nil
}
