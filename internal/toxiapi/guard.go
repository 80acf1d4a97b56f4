package toxiapi

import (
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guarded lets only those through who may drive the proxies. Anybody's page can make a browser send requests to a loopback address, so that
// whatever a browser adds is refused; and a name that anybody can point there (DNS rebinding) is no name of ours.
func (o Options) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.UserAgent(), "Mozilla/"):
			http.Error(w, "User agent not allowed", http.StatusForbidden) // Toxiproxy's rule and words
		case r.Header.Get("Origin") != "" || !slices.Contains([]string{"", "none"}, r.Header.Get("Sec-Fetch-Site")):
			writeError(w, &apiError{"requests of a browser are refused: Origin and Sec-Fetch-Site must not be set", http.StatusForbidden})
		case o.Token == "" && !o.knows(r.Host):
			writeError(w, &apiError{fmt.Sprintf("the host %q is not a loopback address: name it with --allow-host, or set a token", r.Host), http.StatusForbidden})
		case o.Token != "" && !o.proves(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeError(w, &apiError{"a token is needed: send `Authorization: Bearer TOKEN`, or put it into the address as http://:TOKEN@host:port",
				http.StatusUnauthorized})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knows says whether a Host header names this machine from itself, or is allowed.
func (o Options) knows(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if slices.ContainsFunc(o.AllowHosts, func(a string) bool { return strings.EqualFold(a, name) || strings.EqualFold(a, host) }) {
		return true
	}
	return IsLoopback(name)
}

// IsLoopback says whether a host, without port, is this machine and reachable from it alone.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// proves says whether a request has the token: as Bearer, or as the password of Basic, which is how a client sends what stands in its URL.
func (o Options) proves(r *http.Request) bool {
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		_, given, _ = r.BasicAuth()
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(o.Token)) == 1
}
