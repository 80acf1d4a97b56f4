package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// Addresses come in blocks of 256 below 127.64.0.0/10: in each, .1 is the resolver's, .2 and up mean the dependencies, and .128 and up
// are where a wrong answer leads, so that nothing listens there.
const (
	port       = 53
	blocks     = 64 << 8
	firstHost  = 2
	firstWrong = 128
	// MaxHosts is how many dependencies of a trial can have names.
	MaxHosts = firstWrong - firstHost
	// blockTries bounds the search for a block whose port 53 is free: each other chaos on this machine takes one for each trial that runs.
	blockTries = 256
)

func address(block, last int) netip.Addr {
	block %= blocks
	return netip.AddrFrom4([4]byte{127, byte(64 + block>>8), byte(block), byte(last)}) // #nosec G115 -- in range by the constants
}

// Address is what the names of the i-th host mean.
func (r *Resolver) Address(i int) netip.Addr { return address(r.block, firstHost+i) }

// Wrong is what a fault may answer for the i-th host instead.
func (r *Resolver) Wrong(i int) netip.Addr { return address(r.block, firstWrong+i) }

// Means finds the host that an address stands for; wrong says that it is the one of a wrong answer. -1: none.
func (r *Resolver) Means(a netip.Addr) (i int, wrong bool) {
	a = a.Unmap()
	for i := range r.hosts {
		switch a {
		case r.Address(i):
			return i, false
		case r.Wrong(i):
			return i, true
		}
	}
	return -1, false
}

// socket is one address by UDP and TCP.
type socket struct {
	addr netip.AddrPort
	udp  *net.UDPConn
	tcp  *net.TCPListener
}

func (s *socket) close() error { return errors.Join(s.udp.Close(), s.tcp.Close()) }

// listen takes a block whose port 53 is free. Where that port is not ours to take, any other will do for connects that are redirected.
func (r *Resolver) listen(ctx context.Context) error {
	main, err := r.claim(ctx)
	if err != nil {
		return err
	}
	r.sockets = []*socket{main}
	for _, ns := range r.c.System.Nameservers {
		if !ns.Addr().IsLoopback() {
			continue
		}
		if s, err := bindAny(ctx, ns.Addr()); err == nil { // without it most programs are served all the same
			r.sockets = append(r.sockets, s)
		}
	}
	return nil
}

func (r *Resolver) claim(ctx context.Context) (*socket, error) {
	for try := range blockTries {
		r.block = r.c.Slot + try
		s, err := bind(ctx, netip.AddrPortFrom(address(r.block, 1), port))
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	r.block = r.c.Slot
	return bindAny(ctx, address(r.block, 1))
}

// bindAny takes a port that is free for UDP and for TCP.
func bindAny(ctx context.Context, a netip.Addr) (*socket, error) {
	for try := 0; ; try++ {
		s, err := bind(ctx, netip.AddrPortFrom(a, 0))
		if err == nil || try == 20 || !errors.Is(err, unix.EADDRINUSE) {
			return s, err
		}
	}
}

func bind(ctx context.Context, a netip.AddrPort) (*socket, error) {
	var l net.ListenConfig
	udp, err := l.ListenPacket(ctx, "udp", a.String())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", a, err)
	}
	bound := udp.(*net.UDPConn)
	number := bound.LocalAddr().(*net.UDPAddr).Port
	tcp, err := l.Listen(ctx, "tcp", net.JoinHostPort(a.Addr().String(), strconv.Itoa(number)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, err), udp.Close())
	}
	return &socket{addr: netip.AddrPortFrom(a.Addr(), uint16(number)), udp: bound, tcp: tcp.(*net.TCPListener)}, nil // #nosec G115 -- a port
}
