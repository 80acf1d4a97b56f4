package toxiapi

import (
	"context"
	"fmt"
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
