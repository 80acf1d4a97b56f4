package runner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports are taken below Linux' ephemeral range (32768 up), so that no outgoing connection takes one between
// its choice and the service's bind, and so that a probe can't connect to itself.
const (
	portLow  = 20000
	portHigh = 32000
)

// portPool hands out free loopback ports, each to one user at a time.
type portPool struct {
	mu   sync.Mutex
	next int
	used map[int]bool
}

func newPortPool() *portPool {
	return &portPool{next: portLow + rand.IntN(portHigh-portLow), used: map[int]bool{}} // #nosec G404 -- which free port is taken decides nothing in a trial
}

// take returns a port that nobody listens on.
func (p *portPool) take(ctx context.Context) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range portHigh - portLow {
		port := p.next
		p.next++
		if p.next >= portHigh {
			p.next = portLow
		}
		if p.used[port] {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			continue
		}
		p.used[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("take a port: none of %d..%d is free on 127.0.0.1: end what listens there", portLow, portHigh-1)
}

func (p *portPool) release(ports []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range ports {
		delete(p.used, port)
	}
}
