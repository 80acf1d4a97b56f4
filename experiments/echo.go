package experiments

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/probes"
)

// Echoes reports whether p looks at nothing that ready does not look at: it holds whenever the claim is made, so it can't find a lie.
func (p Proof) Echoes(ready *Ready) bool {
	if ready == nil || p.From == fromStart || p.Parallel > 1 || p.Then != nil && !reflect.DeepEqual(p.Then, ready.Then) {
		return false
	}
	own, claim := kindOf(p.Spec), kindOf(ready.Spec)
	switch {
	case own.HTTP != nil && claim.HTTP != nil:
		return echoesHTTP(*own.HTTP, *claim.HTTP)
	case own.TCP != nil && claim.HTTP != nil:
		return own.TCP.Address == strings.Replace(claim.Address(), "localhost:", "127.0.0.1:", 1)
	}
	return reflect.DeepEqual(own, claim)
}

// kindOf is what a probe asks, without its timing.
func kindOf(s probes.Spec) probes.Spec {
	return probes.Spec{
		TCP: s.TCP, HTTP: s.HTTP, GRPC: s.GRPC, SQL: s.SQL, Redis: s.Redis, WebSocket: s.WebSocket, Exec: s.Exec, Log: s.Log,
		ClickHouse: s.ClickHouse, Metrics: s.Metrics, JWT: s.JWT,
	}
}

// echoesHTTP: the same request, of whose answer no more is looked at but the status.
func echoesHTTP(own, claim probes.HTTP) bool {
	if own.CORS != "" || own.CORSRefused != "" || own.RateLimit != nil {
		return false
	}
	if own.JSON != "" && (own.JSON != claim.JSON || own.Equals != nil && !reflect.DeepEqual(own.Equals, claim.Equals)) {
		return false
	}
	for name, re := range own.Header {
		if claim.Header[name] != re {
			return false
		}
	}
	return sameURL(own.URL, claim.URL) && method(own) == method(claim) && own.Body == claim.Body &&
		(len(own.Headers) == 0 && len(claim.Headers) == 0 || reflect.DeepEqual(own.Headers, claim.Headers)) &&
		(own.Match == "" || own.Match == claim.Match)
}

func method(h probes.HTTP) string {
	if h.Method == "" {
		return "GET"
	}
	return h.Method
}

func sameURL(a, b string) bool { return plainURL(a) == plainURL(b) }

func plainURL(url string) string {
	return strings.TrimSuffix(strings.Replace(url, "//localhost:", "//127.0.0.1:", 1), "/")
}

// warnAboutProofs warns of a file whose proofs can't find a false readiness. It is no mistake: a first file may begin so.
func (l *loader) warnAboutProofs() {
	const lie = "a service that lies about being ready passes, and `no_false_ready` shows nothing"
	switch {
	case len(l.f.Readiness) == 0 && l.f.Invariants.NoFalseReady:
		l.warn(keyNode(l.root, "invariants"), "there is no proof under `readiness`: "+lie, moreThanReady)
	case len(l.f.Readiness) > 0 && !slices.ContainsFunc(l.f.Readiness, func(p Proof) bool { return !p.Echoes(l.f.Service.Ready) }):
		l.warn(keyNode(l.root, "readiness"), "every proof asks only what `service.ready` asks: "+lie, moreThanReady)
	}
}

const moreThanReady = "add a proof for which the service needs its dependencies: a row that it writes, a cache that it fills, a message that it answers"

// warn adds a warning at n.
func (l *loader) warn(n *yaml.Node, text, suggest string) {
	r := &reporter{path: l.path, lines: l.lines, seen: map[string]bool{}}
	r.add(n, "warning: "+text, "", suggest)
	var found Problems
	if errors.As(r.err(Mask(l.f.Masked)), &found) {
		l.f.Warnings = append(l.f.Warnings, found...)
	}
}
