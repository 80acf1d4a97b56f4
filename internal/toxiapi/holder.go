package toxiapi

import (
	"net"
	"net/netip"

	"github.com/chaos-startup/chaos/internal/process"
)

// holder names who listens on the port of address, as far as /proc tells: programs of other users hide it.
func holder(address string) string {
	const unknown = "another program"
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return unknown
	}
	if _, err := netip.ParseAddr(host); err != nil { // none, or a name: whoever has the port anywhere
		host = "0.0.0.0"
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return unknown
	}
	if h, known := process.HolderOf(at); known {
		return h.String()
	}
	return unknown
}
