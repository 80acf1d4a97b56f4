package probes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (h HTTP) asksCORS() bool {
	return h.CORS != "" || h.CORSRefused != "" || len(h.CORSMethods) > 0 || h.CORSCredentials
}

func (p httpProbe) checkCORS() error {
	h := p.spec
	var errs []error
	for _, o := range []struct{ name, origin string }{{"cors", h.CORS}, {"cors_refused", h.CORSRefused}} {
		u, err := url.Parse(o.origin)
		if o.origin != "" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			errs = append(errs, fmt.Errorf("%s %q: expected an origin, for example https://app.example.com", o.name, o.origin))
		}
	}
	if h.CORS == "" && (len(h.CORSMethods) > 0 || h.CORSCredentials) {
		errs = append(errs, errors.New("cors_methods and cors_credentials need cors, the origin that is allowed"))
	}
	if h.CORS != "" && h.CORS == h.CORSRefused {
		errs = append(errs, errors.New("cors and cors_refused are the same origin"))
	}
	if h.Match != "" || h.JSON != "" || h.RateLimit != nil {
		errs = append(errs, errors.New("cors sends a preflight, whose answer has no body: match, json and rate_limit belong to a probe without it"))
	}
	return errors.Join(errs...)
}

// preflights asks, as browsers would, whether the request may be sent: https://fetch.spec.whatwg.org/#cors-preflight-fetch. The answer is
// that of the last preflight.
func (p httpProbe) preflights(ctx context.Context) (answer Answer, err error) {
	asked := p.unsafeHeaders()
	if p.spec.CORS != "" {
		for _, method := range append([]string{p.method}, p.spec.CORSMethods...) {
			var got reply
			method = strings.ToUpper(method)
			if answer, got, err = p.preflight(ctx, p.spec.CORS, method, asked); err != nil {
				return answer, err
			}
			if err = p.checkPreflight(got, method, asked); err != nil {
				return answer, err
			}
		}
	}
	if p.spec.CORSRefused == "" {
		return answer, nil
	}
	answer, got, err := p.preflight(ctx, p.spec.CORSRefused, p.method, asked)
	if err != nil {
		return answer, err
	}
	// Whatever the status: a browser sends nothing without this header.
	if allowed := got.header.Get(allowOrigin); allowed == "*" || allowed == p.spec.CORSRefused {
		return answer, expected(p.preflightWhat(), p.spec.CORSRefused+" refused", allowOrigin+" "+allowed)
	}
	return answer, nil
}

// The headers of an answer to a preflight.
const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowMethods     = "Access-Control-Allow-Methods"
	allowHeaders     = "Access-Control-Allow-Headers"
	allowCredentials = "Access-Control-Allow-Credentials"
)

func (p httpProbe) preflightWhat() string { return strings.Replace(p.what, p.method, "OPTIONS", 1) }

func (p httpProbe) preflight(ctx context.Context, origin, method string, asked []string) (Answer, reply, error) {
	headers := http.Header{}
	headers.Set("Origin", origin)
	headers.Set("Access-Control-Request-Method", method)
	if len(asked) > 0 {
		headers.Set("Access-Control-Request-Headers", strings.Join(asked, ","))
	}
	p.what = p.preflightWhat()
	return p.send(ctx, http.MethodOptions, headers, "")
}

func (p httpProbe) checkPreflight(got reply, method string, asked []string) error {
	p.what = p.preflightWhat()
	if p.spec.Status == 0 && got.status >= 300 { // a browser refuses a redirected preflight
		return expected(p.what, "status 200..299 to a preflight", statusText(got.status, got.body))
	}
	if err := p.checkStatus(got); err != nil {
		return err
	}
	cookies := p.spec.CORSCredentials
	allowed := got.header.Get(allowOrigin)
	if allowed != p.spec.CORS && (allowed != "*" || cookies) { // with cookies the star means nothing
		return expected(p.what, allowOrigin+" "+p.spec.CORS, shortOr(allowed, "none"))
	}
	if value := got.header.Get(allowCredentials); cookies && value != "true" {
		return expected(p.what, allowCredentials+" true", shortOr(value, "none"))
	}
	always := method == http.MethodGet || method == http.MethodHead || method == http.MethodPost
	if !always && !allows(got.header, allowMethods, method, cookies) {
		return expected(p.what, allowMethods+" with "+method, shortOr(got.header.Get(allowMethods), "none"))
	}
	for _, name := range asked {
		if !allows(got.header, allowHeaders, name, cookies) {
			return expected(p.what, allowHeaders+" with "+name, shortOr(got.header.Get(allowHeaders), "none"))
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

// allows reports whether a list header of the answer holds value. The star never stands for Authorization, and for nothing with cookies.
func allows(header http.Header, list, value string, cookies bool) bool {
	for _, line := range header.Values(list) {
		for item := range strings.SplitSeq(line, ",") {
			item = strings.TrimSpace(item)
			if strings.EqualFold(item, value) || item == "*" && !cookies && !strings.EqualFold(value, "authorization") {
				return true
			}
		}
	}
	return false
}
