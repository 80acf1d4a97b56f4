package probes

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (p httpProbe) checkCORS() error {
	u, err := url.Parse(p.spec.CORS)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
		return fmt.Errorf("cors %q: expected an origin, for example https://app.example.com", p.spec.CORS)
	}
	if p.spec.Match != "" || p.spec.JSON != "" {
		return fmt.Errorf("cors sends a preflight, whose answer has no body: match and json belong to a probe without it")
	}
	return nil
}

// preflight asks, as a browser would, whether the request may be sent from the origin: https://fetch.spec.whatwg.org/#cors-preflight-fetch.
func (p httpProbe) preflight(ctx context.Context) (Answer, error) {
	headers := http.Header{}
	headers.Set("Origin", p.spec.CORS)
	headers.Set("Access-Control-Request-Method", p.method)
	asked := p.unsafeHeaders()
	if len(asked) > 0 {
		headers.Set("Access-Control-Request-Headers", strings.Join(asked, ","))
	}
	p.what = strings.Replace(p.what, p.method, "OPTIONS", 1)
	answer, got, err := p.send(ctx, http.MethodOptions, headers, "")
	if err != nil {
		return answer, err
	}
	return answer, p.checkPreflight(got, asked)
}

func (p httpProbe) checkPreflight(got reply, asked []string) error {
	if p.spec.Status == 0 && got.status >= 300 { // a browser refuses a redirected preflight
		return expected(p.what, "status 200..299 to a preflight", statusText(got.status, got.body))
	}
	if err := p.checkStatus(got); err != nil {
		return err
	}
	const origin, methods, names = "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"
	if allowed := got.header.Get(origin); allowed != "*" && allowed != p.spec.CORS {
		return expected(p.what, origin+" "+p.spec.CORS, shortOr(allowed, "none"))
	}
	always := p.method == http.MethodGet || p.method == http.MethodHead || p.method == http.MethodPost
	if !always && !allows(got.header, methods, p.method) {
		return expected(p.what, methods+" with "+p.method, shortOr(got.header.Get(methods), "none"))
	}
	for _, name := range asked {
		if !allows(got.header, names, name) {
			return expected(p.what, names+" with "+name, shortOr(got.header.Get(names), "none"))
		}
	}
	return p.checkHeaders(got)
}

// unsafeHeaders returns the headers of the request that a browser asks for first, in lower case and order.
func (p httpProbe) unsafeHeaders() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(p.spec.Headers)) {
		lower := strings.ToLower(name)
		switch lower {
		case "accept", "accept-language", "content-language", "host", "origin", "user-agent", "cookie":
			continue
		case "content-type":
			kind, _, _ := strings.Cut(strings.ToLower(p.spec.Headers[name]), ";")
			switch strings.TrimSpace(kind) {
			case "application/x-www-form-urlencoded", "multipart/form-data", "text/plain":
				continue
			}
		}
		names = append(names, lower)
	}
	slices.Sort(names)
	return names
}

// allows reports whether a list header of the answer holds value. The star never stands for Authorization.
func allows(header http.Header, list, value string) bool {
	for _, line := range header.Values(list) {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.TrimSpace(item)
			if strings.EqualFold(item, value) || item == "*" && !strings.EqualFold(value, "authorization") {
				return true
			}
		}
	}
	return false
}
