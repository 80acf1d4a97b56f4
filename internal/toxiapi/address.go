package toxiapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// resolving is how long a name server may take to know a listening address.
const resolving = 5 * time.Second

// resolver returns a listening address in numbers, as Toxiproxy compares them; what can't be resolved stays as it is.
type resolver func(ctx context.Context, listen string) string

// resolved asks the system. Of the addresses of a name it takes the one that listening would take: the first of IPv4, if there is one.
func resolved(ctx context.Context, listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if n, err := net.LookupPort("tcp", port); err == nil {
		port = strconv.Itoa(n)
	}
	if a, err := netip.ParseAddr(host); err == nil || host == "" {
		if host != "" {
			host = a.Unmap().String()
		}
		return net.JoinHostPort(host, port)
	}
	ctx, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(all) == 0 {
		return listen
	}
	best := all[0]
	for _, a := range all {
		if a.Unmap().Is4() {
			best = a
			break
		}
	}
	return net.JoinHostPort(best.Unmap().String(), port)
}

// CheckListen says what is wrong with a listening address, in the kernel's words where it has some.
func CheckListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return &net.OpError{Op: "listen", Net: "tcp", Err: err}
	}
	return checkPort("listen", address, port, 0)
}

// CheckUpstream says what is wrong with the address of a dependency. Whether somebody listens there shows with the first connection.
func CheckUpstream(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("upstream %q: expected host:port, such as 127.0.0.1:6379", address)
	}
	return checkPort("upstream", address, port, 1)
}

func checkPort(what, address, port string, least int) error {
	n, err := strconv.Atoi(port)
	if err != nil {
		_, err = net.LookupPort("tcp", port)
		n = least
	}
	if err != nil || n < least || n > 65535 {
		return fmt.Errorf("%s %q: the port must be from %d to 65535", what, address, least)
	}
	return nil
}

func samePort(a, b string) bool {
	_, p, err := net.SplitHostPort(a)
	_, q, also := net.SplitHostPort(b)
	return err == nil && also == nil && p == q
}
