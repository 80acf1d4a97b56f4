package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/probes"
)

// lettingGo is for how long a port is waited for that the service of an earlier trial has had.
const lettingGo = 2 * time.Second

// forking is for how long any other port is: a process that is just being started holds for a moment what chaos has listened on to find a free one.
const forking = 300 * time.Millisecond

// addressFree makes sure that nobody listens yet where the service is asked whether it is ready: another's answer would count as its own, and it
// could not listen there itself.
func (t *trial) addressFree(ctx context.Context) error {
	if t.service.Ready == nil {
		return nil
	}
	for _, address := range t.ownAddresses(ctx, t.service.Ready.Address()) {
		until := time.Now().Add(forking)
		if t.suite.addresses.had(address) {
			until = time.Now().Add(lettingGo)
		}
		for listensAt(ctx, address) {
			left := time.Until(until)
			if left <= 0 || ctx.Err() != nil {
				return t.occupied(address)
			}
			rest(ctx, min(left, 10*time.Millisecond), nil)
		}
		t.suite.addresses.has(address)
	}
	return nil
}

// ownAddresses are the addresses of this machine that host:port means, but for those of dependencies.
func (t *trial) ownAddresses(ctx context.Context, address string) []netip.AddrPort {
	host, text, err := net.SplitHostPort(address)
	if err != nil || !probes.Here(host) {
		return nil
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", text)
	if err != nil || port == 0 {
		return nil
	}
	hosts := []string{host}
	if addr, err := netip.ParseAddr(host); err != nil || addr.IsUnspecified() {
		hosts = []string{"127.0.0.1", "::1"} // where a connect to it leads
	}
	var out []netip.AddrPort
	for _, host := range hosts {
		one := netip.AddrPortFrom(netip.MustParseAddr(host).Unmap(), uint16(port)) // #nosec G115 -- a port
		if t.ofDependency(one) {
			return nil
		}
		out = append(out, one)
	}
	return out
}

// ofDependency says whether a dependency is at an address, or its proxy because the file says so.
func (t *trial) ofDependency(address netip.AddrPort) bool {
	for _, d := range t.dependencies {
		_, fixed, _ := net.SplitHostPort(d.upstream.spec.Listen)
		if d.upstream.is(address) || fixed == strconv.Itoa(int(address.Port())) {
			return true
		}
	}
	return false
}

// listensAt says whether somebody listens there: then it can't be listened there, or, where that is not allowed, it is answered there.
func listensAt(ctx context.Context, address netip.AddrPort) bool {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address.String())
	switch {
	case err == nil:
		_ = l.Close() // it took no connection
		return false
	case errors.Is(err, syscall.EADDRINUSE):
		return true
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address.String())
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func (t *trial) occupied(address netip.AddrPort) error {
	who := "/proc does not tell who has it"
	if holder, known := process.HolderOf(address); known {
		who = holder.String() + " listens there"
	}
	return fmt.Errorf("%s, where service.ready asks, is in use before the service is started: %s: stop that, or give the service a port of its own, "+
		"${port.http}, and ask it there", address, who)
}

// addresses are those that services of the run have had. Safe for concurrent use.
type addresses struct {
	mu   sync.Mutex
	list map[netip.AddrPort]bool
}

func (a *addresses) had(address netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list[address]
}

func (a *addresses) has(address netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.list == nil {
		a.list = map[netip.AddrPort]bool{}
	}
	a.list[address] = true
}
