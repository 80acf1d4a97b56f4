package probes

import (
	"net"
	"net/netip"
	"strings"
)

// Address is where a probe of a service connects to first, as host:port; with its variables, where it has some. "" when it connects nowhere, or
// when it asks what is rather a server that the service uses (sql, redis, clickhouse).
func (s Spec) Address() string {
	switch {
	case s.TCP != nil:
		return s.TCP.Address
	case s.GRPC != nil:
		return s.GRPC.Address
	case s.HTTP != nil:
		return authority(s.HTTP.URL)
	case s.WebSocket != nil:
		return authority(s.WebSocket.URL)
	case s.Metrics != nil:
		return authority(s.Metrics.URL)
	case s.JWT != nil:
		return authority(s.JWT.URL)
	}
	return ""
}

// authority is host:port of a URL. It may hold variables, so it is no URL yet.
func authority(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndex(rest, "@")+1:]
	if _, _, err := net.SplitHostPort(rest); err == nil {
		return rest
	}
	port := "80"
	if scheme == "https" || scheme == "wss" {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(rest, "[]"), port)
}

// Here says whether a host names this machine by itself: loopback, or no address in particular.
func Here(host string) bool {
	if host == "" || strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.Unmap().IsLoopback() || addr.IsUnspecified())
}
