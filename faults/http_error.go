package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// httpError answers requests with an error.
func httpError() Kind {
	hour, whole := timeline.Duration(time.Hour), int64(-1)
	return Kind{
		Name: "http_error",
		Doc: "An API or a gateway that is up and says no: overloaded (503, 429), broken (500, 502), a wrong token (401, 403). Requests are answered by the fault, " +
			"on new and on open keep-alive connections, and never reach the dependency; after the lift the same connections work again. Answers keep their " +
			"order, a request whose head had begun to pass when the fault came on still passes, and a request body is read before the answer up to 256 KiB; beyond, " +
			"and with Expect: 100-continue, the answer closes the connection. HTTP/2, TLS without `tls`, and what follows an upgrade pass untouched. Where the " +
			"beginning of a connection was not seen, its requests are found at the first chunk that begins with a request line.",
		Client: "The status, with Date, Content-Type, Content-Length, Connection and the body; Retry-After if asked. No error of the transport, unless `cut` is used " +
			"(net/http: `unexpected EOF`; curl: exit 18, `transfer closed with N bytes remaining to read`; node: `aborted`, fetch: `terminated`) or `slow_headers` exceeds the " +
			"client's limit (net/http: `timeout awaiting response headers`).",
		Example:   "{on: llm, during: services, fault: {http_error: {status: 429, retry_after: 2s}}}",
		Protocols: []string{"http", "websocket", "clickhouse"},
		Params: []Param{
			{Name: "status", Type: TypeInt, Default: int64(503), Min: int64(200), Max: int64(599), Unit: "HTTP status", Doc: "The status code."},
			{Name: "retry_after", Type: TypeDuration, Default: timeline.Duration(0), Min: timeline.Duration(0), Max: 24 * hour,
				Doc: "Retry-After, in whole seconds, rounded up; 0: no such header."},
			{Name: "body", Type: TypeString, Default: "", Doc: "The body; empty: the words of the status."},
			{Name: "content_type", Type: TypeString, Default: "text/plain; charset=utf-8", Doc: "Content-Type of the body."},
			{Name: "path", Type: TypeString, Default: "", Doc: "A regular expression: only requests whose target (path and query) matches; empty: all."},
			{Name: "slow_headers", Type: TypeDuration, Default: timeline.Duration(0), Min: timeline.Duration(0), Max: hour,
				Doc: "The time between two lines of the answer's head: it dribbles."},
			{Name: "cut", Type: TypeInt, Default: whole, Min: whole, Max: int64(1 << 30), Unit: "bytes",
				Doc: "So many bytes of the body come, then the connection is closed, although Content-Length promised more; -1: the whole body."},
			tlsParam(),
		},
		Behave: func(s Spec) Behaviour {
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation {
				return orUnderTLS(s, whole, "http/1.1", func(whole bool) Conversation {
					a, t := newHTTPAnswer(s), newHTTPTalk(whole)
					path := expression(s.Text("path"))
					t.mine = func(h head) bool { return path.MatchString(h.target) }
					t.say = a.say
					return t
				})
			}}
		},
		check: checkHTTPError,
	}
}

// checkHTTPError refuses what cannot be sent.
func checkHTTPError(s Spec) []Problem {
	problems := append(badExpression(s, "path"), unprintable(s, "content_type")...)
	if a := newHTTPAnswer(s); a.cut >= 0 && a.cut >= len(a.body) {
		problems = append(problems, Problem{Param: "cut", Text: fmt.Sprintf("http_error.cut must be less than the %d bytes of the body, got %d", len(a.body), a.cut)})
	}
	return problems
}

// expression compiles a regular expression that checkHTTPError or its like has seen; empty matches everything.
func expression(text string) *regexp.Regexp {
	re, err := regexp.Compile(text)
	if err != nil {
		return regexp.MustCompile("")
	}
	return re
}

// badExpression reports a parameter that is no regular expression.
func badExpression(s Spec, param string) []Problem {
	if _, err := regexp.Compile(s.Text(param)); err != nil {
		return []Problem{{Param: param, Text: fmt.Sprintf("%s.%s: expected a regular expression: %v", s.Kind, param, err)}}
	}
	return nil
}

// unprintable reports a parameter with which a header could be forged.
func unprintable(s Spec, param string) []Problem {
	for _, r := range s.Text(param) {
		if r < ' ' || r > '~' {
			return []Problem{{Param: param, Text: fmt.Sprintf("%s.%s: expected printable ASCII, got %s", s.Kind, param, show(s.Text(param)))}}
		}
	}
	return nil
}

// httpAnswer is what the fault says.
type httpAnswer struct {
	status     int
	kind, body string
	retryAfter time.Duration
	slow       time.Duration // between two lines of the head
	cut        int           // bytes of the body that come; -1: all
}

func newHTTPAnswer(s Spec) httpAnswer {
	a := httpAnswer{status: int(s.Int("status")), kind: s.Text("content_type"), body: s.Text("body"), retryAfter: s.Duration("retry_after"),
		slow: s.Duration("slow_headers"), cut: int(s.Int("cut"))}
	if a.body == "" && a.hasBody() {
		a.body = a.words() + "\n"
	}
	if !a.hasBody() {
		a.body = ""
	}
	return a
}

func (a httpAnswer) hasBody() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// words is the reason phrase.
func (a httpAnswer) words() string {
	if text := http.StatusText(a.status); text != "" {
		return text
	}
	return "Status " + fmt.Sprint(a.status)
}

// say answers one request and says whether the connection ends with it.
func (a httpAnswer) say(talk Talk, h head, size int, last bool) bool {
	body := a.body
	switch {
	case h.method == http.MethodHead:
		body = ""
	case a.cut >= 0:
		body = body[:a.cut]
	}
	talk.Bite(size, fmt.Sprintf("answered %s %s with %d", h.method, shown(h.target), a.status))
	a.head(talk, last)
	if body != "" {
		talk.Pass(Downstream, Chunk{Data: []byte(body), At: time.Now()})
	}
	return last || a.cut >= 0
}

// head sends the head, at once or line by line. What the lift finds unsent is sent at once.
func (a httpAnswer) head(talk Talk, last bool) {
	lines := a.lines(last)
	if a.slow <= 0 {
		talk.Pass(Downstream, Chunk{Data: []byte(strings.Join(lines, "")), At: time.Now()})
		return
	}
	next, slow := time.Now(), true
	for i, line := range lines {
		if i > 0 && slow {
			next = next.Add(a.slow)
			slow = talk.Wait(next)
		}
		talk.Pass(Downstream, Chunk{Data: []byte(line), At: time.Now()})
	}
}

// lines are those of the head, in the order in which servers send them.
func (a httpAnswer) lines(last bool) []string {
	lines := []string{fmt.Sprintf("HTTP/1.1 %d %s\r\n", a.status, a.words()), "Date: " + time.Now().UTC().Format(http.TimeFormat) + "\r\n"}
	if a.hasBody() {
		lines = append(lines, "Content-Type: "+a.kind+"\r\n", fmt.Sprintf("Content-Length: %d\r\n", len(a.body)))
	}
	if a.retryAfter > 0 {
		lines = append(lines, fmt.Sprintf("Retry-After: %d\r\n", (a.retryAfter+time.Second-1)/time.Second))
	}
	if last {
		return append(lines, "Connection: close\r\n", "\r\n")
	}
	return append(lines, "Connection: keep-alive\r\n", "\r\n")
}

// shown is a request's target as a timeline may show it: without query, which may hold a secret, and not too long.
func shown(target string) string {
	target, _, _ = strings.Cut(target, "?")
	if u, err := url.Parse(target); err == nil && u.User != nil {
		target = u.Redacted()
	}
	return target[:min(len(target), 80)]
}
