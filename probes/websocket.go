package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

func webSocketKind() Kind {
	return Kind{
		Name: "websocket",
		Doc: "Connects, sends one message and waits for messages in order: each by the field type of a JSON message or, between slashes, by a regular " +
			"expression on its text. Other messages in between are passed over. With reconnect the connection is dropped then, as a network would, and " +
			"all must hold once more on a new one, so many times. After a message of fail_on the rest is not waited for. With status the upgrade must be refused instead.",
		Example: "websocket:\n  url: ws://127.0.0.1:8080/ws\n  send: '{\"type\":\"user_message\",\"text\":\"hi\"}'\n" +
			"  expect: [agent_started, agent_thinking, '/\"tool\": ?\"search\"/', agent_completed]\n  within: 5s",
		Also: []string{
			"websocket:                             # the session goes on after the connection broke\n  url: ws://127.0.0.1:8080/ws?session=${unique}\n" +
				"  send: '{\"type\":\"ping\"}'\n  expect: [pong]\n  fail_on: [error]\n  reconnect: 1",
			"websocket: {url: 'ws://127.0.0.1:8080/ws', status: 401}     # nobody gets in without a token",
		},
		used:  func(s Spec) bool { return s.WebSocket != nil },
		build: func(s Spec, _ Env) (attempt, error) { return s.WebSocket.build() },
	}
}

type webSocketProbe struct {
	spec   WebSocket
	what   string
	expect []messageMatch
	failOn []messageMatch
}

// messageMatch recognises one message: by its type, or by its text if re is set.
type messageMatch struct {
	kind string
	re   *regexp.Regexp
}

func (m messageMatch) holds(text, kind string) bool {
	if m.re != nil {
		return m.re.MatchString(text)
	}
	return kind == m.kind
}

func (ws WebSocket) build() (attempt, error) {
	p := webSocketProbe{spec: ws}
	var errs []error
	var secrets []string
	if u, err := parseURL(ws.URL, "ws", "wss", "http", "https"); err != nil {
		errs = append(errs, err)
	} else {
		p.what, secrets = safeURL(u)
		p.what = "websocket " + p.what
	}
	if ws.Status != 0 && (len(ws.Expect) > 0 || ws.Send != "") {
		errs = append(errs, errors.New("status says that the upgrade is refused: then nothing can be sent or expected"))
	}
	if ws.Status != 0 && (ws.Status < 200 || ws.Status > 599) {
		errs = append(errs, fmt.Errorf("status %d: expected 200 to 599", ws.Status))
	}
	if ws.Reconnect < 0 || ws.Reconnect > 0 && ws.Status != 0 {
		errs = append(errs, errors.New("reconnect: expected how often to connect again; it does not go with status"))
	}
	if ws.Within < 0 {
		errs = append(errs, errors.New("within must not be negative"))
	}
	var err error
	p.expect, err = matches("expect", ws.Expect)
	errs = append(errs, err)
	p.failOn, err = matches("fail_on", ws.FailOn)
	errs = append(errs, err)
	if len(ws.FailOn) > 0 && len(ws.Expect) == 0 {
		errs = append(errs, errors.New("fail_on needs expect: without it no message is waited for"))
	}
	return attempt{p.ask, append(secrets, headerSecrets(ws.Headers)...)}, errors.Join(errs...)
}

// matches reads the messages that a field names.
func matches(field string, list []string) ([]messageMatch, error) {
	var out []messageMatch
	var errs []error
	for _, e := range list {
		m := messageMatch{kind: e}
		if inner, ok := betweenSlashes(e); ok {
			re, err := compile(field+" "+e, inner)
			m.re, errs = re, append(errs, err)
		}
		if e == "" || m.kind == "//" {
			errs = append(errs, errors.New(field+": an empty message cannot be told from others"))
		}
		out = append(out, m)
	}
	return out, errors.Join(errs...)
}

func betweenSlashes(s string) (string, bool) {
	if len(s) < 2 || s[0] != '/' || s[len(s)-1] != '/' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// ask connects as often as the probe says; all but the last connection are dropped without a word.
func (p webSocketProbe) ask(ctx context.Context) (Answer, error) {
	for again := 0; ; again++ {
		last := again == p.spec.Reconnect
		answer, err := p.talk(ctx, last)
		if err != nil && again > 0 {
			return answer, fmt.Errorf("connected again (%d of %d): %w", again, p.spec.Reconnect, err)
		}
		if err != nil || last {
			return answer, err
		}
	}
}

// talk is one connection from its begin to its end.
func (p webSocketProbe) talk(ctx context.Context, politely bool) (Answer, error) {
	w, done := newWire(ctx)
	defer done()
	headers := http.Header{"User-Agent": {userAgent}}
	for name, value := range p.spec.Headers {
		headers.Set(name, value)
	}
	options := &websocket.DialOptions{HTTPClient: w.client(), HTTPHeader: headers, Host: headers.Get("Host")}
	conn, resp, err := websocket.Dial(ctx, p.spec.URL, options) //nolint:bodyclose // what is left of it is in memory; the wire is closed
	answer := Answer{}
	if resp != nil {
		answer.Status = resp.StatusCode
	}
	if err != nil {
		return p.refused(ctx, answer, resp, err)
	}
	defer func() { _ = conn.CloseNow() }()
	if p.spec.Status != 0 {
		return answer, expected(p.what, "the upgrade refused with status "+strconv.Itoa(p.spec.Status), "it accepted")
	}
	conn.SetReadLimit(maxRead)
	if p.spec.Send != "" {
		if err := conn.Write(ctx, websocket.MessageText, []byte(p.spec.Send)); err != nil {
			return answer, unanswered(ctx, p.what, "the message to be taken", err)
		}
	}
	answer.Body, err = p.listen(ctx, conn)
	if err == nil && politely {
		_ = conn.Close(websocket.StatusNormalClosure, "") // politely; the attempt's context bounds it by closing the wire
	}
	return answer, err
}

// refused compares a failed upgrade with the status that was expected of it, if any.
func (p webSocketProbe) refused(ctx context.Context, answer Answer, resp *http.Response, err error) (Answer, error) {
	want := "an upgrade"
	if p.spec.Status != 0 {
		want = "the upgrade refused with status " + strconv.Itoa(p.spec.Status)
	}
	if resp == nil {
		return answer, unanswered(ctx, p.what, want, err)
	}
	if resp.Body != nil {
		if body, errBody := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); errBody == nil {
			answer.Body = string(body)
		}
	}
	if answer.Status == p.spec.Status {
		return answer, nil
	}
	if answer.Status == http.StatusSwitchingProtocols {
		return answer, expected(p.what, want, "a handshake that breaks the protocol: "+short(innermost(err).Error()))
	}
	return answer, expected(p.what, want, "status "+statusText(answer.Status, []byte(answer.Body)))
}

// maxMessages bounds how many messages are passed over before the sequence is complete.
const maxMessages = 10_000

// listen reads messages until the expected ones came in order. The text is what came, one message a line.
func (p webSocketProbe) listen(ctx context.Context, conn *websocket.Conn) (string, error) {
	var came strings.Builder
	var kinds []string
	next := 0
	for range maxMessages {
		if next == len(p.expect) {
			return came.String(), nil
		}
		_, data, err := conn.Read(ctx)
		if err != nil {
			return came.String(), p.missing(next, kinds, ended(ctx, err), errors.Join(context.Cause(ctx), err))
		}
		if came.Len() < maxAnswer {
			came.Write(data)
			came.WriteByte('\n')
		}
		kind := messageType(data)
		kinds = append(kinds, named(kind, short(string(data))))
		if p.expect[next].holds(string(data), kind) {
			next++
			continue
		}
		if slices.ContainsFunc(p.failOn, func(m messageMatch) bool { return m.holds(string(data), kind) }) {
			return came.String(), p.missing(next, kinds[:len(kinds)-1], short(string(data)), nil)
		}
	}
	return came.String(), p.missing(next, kinds, fmt.Sprintf("more than %d messages", maxMessages), nil)
}

// named is how an error names a message.
func named(kind, text string) string {
	if kind != "" {
		return kind
	}
	return "a message without type: " + text
}

func messageType(data []byte) string {
	var m struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &m) != nil {
		return ""
	}
	return m.Type
}

// ended says how a connection ended before the sequence was complete.
func ended(ctx context.Context, err error) string {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		text := fmt.Sprintf("close %d", closed.Code)
		if closed.Reason != "" {
			text += " (" + short(closed.Reason) + ")"
		}
		return text
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return "a message of more than 1 MiB"
	}
	text, _ := why(ctx, err)
	return text
}

// shownKinds is how many of the messages that came an error shows, from the last.
const shownKinds = 8

func (p webSocketProbe) missing(next int, kinds []string, end string, cause error) error {
	want := fmt.Sprintf("message %d of %d, %s", next+1, len(p.expect), p.spec.Expect[next])
	got := end
	if n := len(kinds); n > 0 {
		shown := short(strings.Join(kinds[max(0, n-shownKinds):], ", "))
		if n > shownKinds {
			shown = fmt.Sprintf("%d messages, the last %s", n, shown)
		}
		got = shown + ", then " + end
	}
	return &mismatch{what: p.what, want: want, got: got, cause: cause}
}

// TurnedAway says of the failed attempt of a websocket probe that nobody took its message: the connection or the upgrade was refused, or it
// was told to try again later (1013) or that the service restarts (1012) before anything else was said.
func TurnedAway(got Answer, err error) bool {
	var closed websocket.CloseError
	if got.Status != http.StatusSwitchingProtocols {
		return true
	}
	again := errors.As(err, &closed) && (closed.Code == websocket.StatusTryAgainLater || closed.Code == websocket.StatusServiceRestart)
	return again && got.Body == ""
}

// SaidNo says of the failed attempt of a websocket probe that the service answered, with a message that fail_on names.
func SaidNo(err error) bool {
	var m *mismatch
	return errors.As(err, &m) && m.cause == nil
}
