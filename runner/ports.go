package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
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
	used map[int]io.Closer // what holds each port that is out
}

func newPortPool() *portPool {
	return &portPool{next: portLow + rand.IntN(portHigh-portLow), used: map[int]io.Closer{}} // #nosec G404 -- which free port is taken decides nothing in a trial
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
		if p.used[port] != nil {
			continue
		}
		held, err := hold(ctx, port)
		if err != nil {
			continue // another run has given it out
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			_ = held.Close() // it is not given out: nobody asks
			continue
		}
		p.used[port] = held
		return port, nil
	}
	return 0, fmt.Errorf("take a port: none of %d..%d is free on 127.0.0.1: end what listens there", portLow, portHigh-1)
}

// release takes a port back. One that is not out is passed over.
func (p *portPool) release(port int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.used[port]
	if held == nil {
		return nil
	}
	delete(p.used, port)
	return held.Close()
}

// close takes every port back.
func (p *portPool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for port, held := range p.used {
		errs = append(errs, held.Close())
		delete(p.used, port)
	}
	return errors.Join(errs...)
}

// holds says whether hold keeps other runs away here.
const holds = runtime.GOOS == "linux"

// hold keeps other runs on this machine from giving out a port between its choice and the bind of whoever gets it. It takes the name of
// an abstract socket, which the kernel forgets with the process. Other systems have none: there two runs may choose the same port.
func hold(ctx context.Context, port int) (io.Closer, error) {
	if !holds {
		return io.NopCloser(nil), nil
	}
	return (&net.ListenConfig{}).Listen(ctx, "unix", fmt.Sprintf("@chaos-port-%d", port))
}
