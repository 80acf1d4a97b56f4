package runner

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/probes"
)

// side says who reads a variable: ${postgres} is the proxy for the service and the real address for probes, which must see
// past the proxies.
type side int

const (
	forService side = iota
	forProbes
)

// lookup answers the variables of one trial: ${dir}, ${bin}, ${trial}, ${seed}, ${port.NAME}, ${file.NAME}, ${ca.FILE}, ${DEP} and
// ${DEP.host|port|upstream|upstream_host|upstream_port|database|user|password}.
func (t *trial) lookup(ctx context.Context, s side) func(string) (string, error) {
	if s == forProbes {
		return probes.ByAttempt(t.variable(ctx, s))
	}
	return t.variable(ctx, s)
}

func (t *trial) variable(ctx context.Context, s side) func(string) (string, error) {
	return func(name string) (string, error) {
		switch name {
		case "dir":
			return t.dir, nil
		case "bin":
			return t.suite.bin, nil
		case "trial":
			return t.name, nil
		case "replica":
			return strconv.Itoa(max(1, t.replica)), nil
		case "seed":
			return strconv.FormatUint(t.plan.Seed, 10), nil
		}
		head, rest, dotted := strings.Cut(name, ".")
		if dotted && head == "port" {
			return t.port(ctx, rest)
		}
		if dotted && head == "file" {
			return t.file(rest)
		}
		if dotted && head == "ca" {
			return t.suite.authority.file(rest)
		}
		for _, d := range t.dependencies {
			if d.name == head {
				return d.variable(ctx, t, s, rest)
			}
		}
		return "", fmt.Errorf("${%s}: no such variable in this trial", name)
	}
}

// port returns the trial's port of that name, taking a free one the first time.
func (t *trial) port(ctx context.Context, name string) (string, error) {
	if p, ok := t.ports[name]; ok {
		return strconv.Itoa(p), nil
	}
	p, err := t.suite.ports.take(ctx)
	if err != nil {
		return "", err
	}
	t.ports[name] = p
	return strconv.Itoa(p), nil
}

func (t *trial) file(name string) (string, error) {
	path, ok := t.files[name]
	if !ok {
		return "", fmt.Errorf("${file.%s}: service.files names no %s", name, name)
	}
	return path, nil
}

// variable answers ${DEP} (attribute "") and ${DEP.attribute}.
func (d *dependency) variable(ctx context.Context, t *trial, s side, attribute string) (string, error) {
	address := d.upstream.address
	if s == forService && t.plan.Service.Interpose != "connect" {
		address = d.proxy.Addr().String()
	}
	switch attribute {
	case "":
		return address, nil
	case "host":
		return part(address, 0)
	case "port":
		return part(address, 1)
	case "upstream":
		return d.upstream.address, nil
	case "upstream_host":
		return part(d.upstream.address, 0)
	case "upstream_port":
		return part(d.upstream.address, 1)
	}
	return d.namespaced(ctx, t, attribute)
}

func part(address string, which int) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("split address %s: %w", address, err)
	}
	return []string{host, port}[which], nil
}
