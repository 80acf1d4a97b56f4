package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func httpKind() Kind {
	return Kind{
		Name: "http",
		Doc: "Sends one request and checks the answer: status (default: any of 200..399), headers and body by regular expression, and one value " +
			"of a JSON body. With cors an OPTIONS preflight is sent instead: a browser at that origin may send the request with its method and " +
			"headers (and cors_methods, cors_credentials), and one at cors_refused may not. With rate_limit the request must hold so often, and " +
			"be refused with 429 then. Redirects are not followed; at most 1 MiB of the body is read.",
		Example: "http:\n  method: POST\n  url: http://127.0.0.1:8080/threads\n  headers: {Content-Type: application/json}\n" +
			"  body: '{\"title\":\"hello\"}'\n  status: 201\n  json: $.thread.messages[0].role\n  equals: user",
		Also: []string{
			"http:                                  # browsers of one origin may send it, others may not\n  url: http://127.0.0.1:8080/threads\n" +
				"  method: POST\n  headers: {Authorization: Bearer x, Content-Type: application/json}\n  cors: https://app.example.com\n" +
				"  cors_methods: [PUT, DELETE]\n  cors_credentials: true\n  cors_refused: https://evil.example",
			"http:                                  # 20 requests of a client are served, and one of the next five is refused\n" +
				"  url: http://127.0.0.1:8080/search\n  headers: {X-Client: 'probe-${unique}'}\n  rate_limit: {allowed: 20, extra: 5, retry_after: true}",
			"http: {url: 'http://127.0.0.1:8080/report', status: 200}    # five users at once\nparallel: 5",
		},
		used:  func(s Spec) bool { return s.HTTP != nil },
		build: func(s Spec, _ Env) (attempt, error) { return s.HTTP.build() },
	}
}

// httpProbe is an HTTP with everything parsed that can be parsed before the attempt.
type httpProbe struct {
	spec   HTTP
	method string
	what   string // "GET http://...", for errors
	want   string // what should come, for errors; "" is the status
	limit  int    // how much of a body is read; 0 is maxRead
	match  *regexp.Regexp
	header map[string]*regexp.Regexp
	json   jsonPath
}

func (h HTTP) build() (attempt, error) {
	p, secrets, err := h.parse()
	errs := []error{err}
	if h.RateLimit != nil {
		errs = append(errs, h.RateLimit.check(h))
	}
	switch {
	case h.asksCORS():
		errs = append(errs, p.checkCORS())
		return attempt{p.preflights, secrets}, errors.Join(errs...)
	case h.RateLimit != nil:
		return attempt{p.exhaust, secrets}, errors.Join(errs...)
	}
	return attempt{p.ask, secrets}, errors.Join(errs...)
}

// parse reads everything of a request and its answer that can be read before the attempt.
func (h HTTP) parse() (p httpProbe, secrets []string, err error) {
	p = httpProbe{spec: h, method: strings.ToUpper(h.Method), header: map[string]*regexp.Regexp{}}
	if p.method == "" {
		p.method = http.MethodGet
	}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	if u, err := parseURL(h.URL, "http", "https"); err != nil {
		keep(err)
	} else {
		var shown string
		shown, secrets = safeURL(u)
		p.what = p.method + " " + shown
		if _, err := http.NewRequestWithContext(context.Background(), p.method, h.URL, nil); err != nil {
			keep(fmt.Errorf("method %q is not one", h.Method))
		}
	}
	secrets = append(secrets, headerSecrets(h.Headers)...)
	if h.Status != 0 && (h.Status < 100 || h.Status > 599) {
		keep(fmt.Errorf("status %d: expected 100 to 599, or nothing for any of 200..399", h.Status))
	}
	p.match, err = compile("match", h.Match)
	keep(err)
	for name, pattern := range h.Header {
		p.header[name], err = compile("header "+name, pattern)
		keep(err)
	}
	switch {
	case h.JSON != "":
		p.json, err = parseJSONPath(h.JSON)
		keep(err)
	case h.Equals != nil:
		keep(errors.New("equals needs json, the path of the value, for example $.status"))
	}
	return p, secrets, errors.Join(errs...)
}

func (p httpProbe) ask(ctx context.Context) (Answer, error) {
	answer, got, err := p.request(ctx)
	if err != nil {
		return answer, err
	}
	return answer, p.check(got)
}

// request sends the request that the probe declares.
func (p httpProbe) request(ctx context.Context) (Answer, reply, error) {
	return p.send(ctx, p.method, p.headers(), p.spec.Body)
}

func (p httpProbe) headers() http.Header {
	headers := make(http.Header, len(p.spec.Headers))
	for name, value := range p.spec.Headers {
		headers.Set(name, value)
	}
	return headers
}

// reply is what came back over HTTP.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	cut     bool  // the body is longer than what is read of it
	bodyErr error // the body ended before its end, in words for the user
}

// send sends one request on a fresh connection and reads the answer. A body that does not end in time is an error, after the
// status was compared: a wrong status tells more.
func (p httpProbe) send(ctx context.Context, method string, headers http.Header, body string) (Answer, reply, error) {
	w, done := newWire(ctx)
	defer done()
	req, err := http.NewRequestWithContext(ctx, method, p.spec.URL, strings.NewReader(body))
	if err != nil {
		return Answer{}, reply{}, unanswered(ctx, p.what, p.wantStatus(), innermost(err))
	}
	req.Header = headers
	if host := headers.Get("Host"); host != "" {
		req.Host = host
	}
	if headers.Get("User-Agent") == "" {
		headers.Set("User-Agent", userAgent)
	}
	if user := req.URL.User; user != nil && headers.Get("Authorization") == "" {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	req.Close = true
	resp, err := httpOnWire{w}.RoundTrip(req)
	if err != nil {
		return Answer{}, reply{}, unanswered(ctx, p.what, p.wantStatus(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	limit := cmp.Or(p.limit, maxRead)
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	got := reply{status: resp.StatusCode, header: resp.Header, body: data[:min(len(data), limit)], cut: len(data) > limit}
	answer := Answer{Status: got.status, Body: string(got.body[:min(len(got.body), maxAnswer)])}
	if err != nil {
		reason, cause := why(ctx, err)
		got.bodyErr = hidden{fmt.Sprintf("status %d and %d bytes of a body that did not end: %s", got.status, len(data), reason), cause}
	}
	return answer, got, nil
}

const userAgent = "chaos-probe"

func (p httpProbe) check(got reply) error {
	if err := p.checkStatus(got); err != nil {
		return err
	}
	if got.bodyErr != nil {
		return &mismatch{what: p.what, want: "a complete answer", got: got.bodyErr.Error(), cause: got.bodyErr}
	}
	if err := p.checkHeaders(got); err != nil {
		return err
	}
	if p.match != nil && !p.match.Match(got.body) {
		return expected(p.what, "a body that matches "+p.spec.Match, shortOr(string(got.body), "an empty body"))
	}
	if p.spec.JSON == "" {
		return nil
	}
	if got.cut {
		return expected(p.what, "a JSON body", "more than 1 MiB")
	}
	return p.json.check(p.what, got.body, p.spec.Equals)
}

func (p httpProbe) wantStatus() string {
	if p.want != "" {
		return p.want
	}
	if p.spec.Status == 0 {
		return "status 200..399"
	}
	return "status " + strconv.Itoa(p.spec.Status)
}

func (p httpProbe) checkStatus(got reply) error {
	want := p.spec.Status
	if got.status == want || want == 0 && got.status >= 200 && got.status < 400 {
		return nil
	}
	return expected(p.what, p.wantStatus(), statusText(got.status, got.body))
}

// statusText is a status with what came with it.
func statusText(status int, body []byte) string {
	text := strconv.Itoa(status)
	if body := short(string(body)); body != "" {
		text += ": " + body
	}
	return text
}

func (p httpProbe) checkHeaders(got reply) error {
	for _, name := range slices.Sorted(maps.Keys(p.header)) {
		values := got.header.Values(name)
		if len(values) == 0 {
			return expected(p.what, "header "+name, "none")
		}
		if value := strings.Join(values, ", "); p.header[name] != nil && !p.header[name].MatchString(value) {
			return expected(p.what, fmt.Sprintf("header %s that matches %s", name, p.spec.Header[name]), shortOr(value, "an empty value"))
		}
	}
	return nil
}
