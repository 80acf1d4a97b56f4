package faults

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"time"
	"unicode/utf8"
)

// websocketError refuses upgrades or closes WebSockets with a code.
func websocketError() Kind {
	return Kind{
		Name: "websocket_error",
		Doc: "A WebSocket server that restarts (1012), fails inside (1011), is overloaded (1013) or does not accept the user (1008), or that refuses the upgrade " +
			"(`refuse`). Without `refuse` the upgrade goes through to the real server; behind its 101, and on WebSockets that are open, at once or at the end of the frame " +
			"that is on its way, the service gets a Close frame, and the connection ends when it has answered with its own, or after 1 s. The server sees the connection end " +
			"without a Close frame. With `refuse` open WebSockets go on. Other requests pass untouched, and so do TLS without `tls` and WebSockets over HTTP/2; a WebSocket whose upgrade was " +
			"not seen goes on.",
		Client: "The upgrade works and the next read fails with the close code and its reason (coder/websocket: `received close frame: status = StatusInternalError and reason = ...`; " +
			"browsers and node: a close event with that code, wasClean). With `refuse` the upgrade fails (coder/websocket: `expected handshake response status code 101 but got 503`; " +
			"node: an error event).",
		Example:   "{on: gateway, during: websocket, fault: {websocket_error: {code: 1012, reason: service restart}}}",
		Protocols: []string{"websocket", "http"},
		Params: []Param{
			{Name: "code", Type: TypeInt, Default: int64(1011), Min: int64(1000), Max: int64(4999), Unit: "close code",
				Doc: "The close code: 1000 to 1003, 1007 to 1014, or 3000 to 4999."},
			{Name: "reason", Type: TypeString, Default: "", Doc: "The reason in the Close frame, 123 bytes of UTF-8 at most."},
			{Name: "refuse", Type: TypeInt, Default: int64(0), Min: int64(0), Max: int64(599), Unit: "HTTP status",
				Doc: "The upgrade is refused with this status, from 200; 0: it is not."},
			{Name: "path", Type: TypeString, Default: "", Doc: "A regular expression: only upgrades whose target (path and query) matches; empty: all."},
			tlsParam(),
		},
		Behave: func(s Spec) Behaviour {
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation {
				return orUnderTLS(s, whole, "http/1.1", func(whole bool) Conversation { return newWSTalk(s, whole) })
			}}
		},
		check: checkWebSocketError,
	}
}

// checkWebSocketError refuses codes that no frame may carry, and reasons that do not fit into one.
func checkWebSocketError(s Spec) []Problem {
	problems := badExpression(s, "path")
	if code := s.Int("code"); code >= 1004 && code <= 1006 || code >= 1015 && code < 3000 {
		problems = append(problems, Problem{Param: "code",
			Text: fmt.Sprintf("websocket_error.code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999: a frame cannot carry %d", code)})
	}
	if reason := s.Text("reason"); len(reason) > 123 || !utf8.ValidString(reason) {
		problems = append(problems, Problem{Param: "reason", Text: fmt.Sprintf("websocket_error.reason must be UTF-8 of 123 bytes at most, got %d", len(reason))})
	}
	if status := s.Int("refuse"); status > 0 && status < 200 {
		problems = append(problems, Problem{Param: "refuse", Text: fmt.Sprintf("websocket_error.refuse must be 0 or from 200 to 599, got %d", status)})
	}
	return problems
}

// echoTime is how long the service may take to answer a Close frame.
const echoTime = time.Second

// wsTalk is the conversation: HTTP/1 as far as the upgrade, then frames.
type wsTalk struct {
	*httpTalk
	frame     []byte // the Close; nil: upgrades are refused
	text      string
	path      *regexp.Regexp
	sent, got wsFrames // by the service, and what it gets
	said      bool     // the Close was sent
	until     time.Time
}

func newWSTalk(s Spec, whole bool) *wsTalk {
	w := &wsTalk{httpTalk: newHTTPTalk(whole), path: expression(s.Text("path"))}
	w.beyond = w.frames
	if status := int(s.Int("refuse")); status > 0 {
		a := httpAnswer{status: status, kind: "text/plain; charset=utf-8", cut: -1}
		if a.hasBody() {
			a.body = a.words() + "\n"
		}
		w.mine, w.say = w.wanted, a.say
		return w
	}
	w.frame = closeFrame(int(s.Int("code")), s.Text("reason"))
	w.text = fmt.Sprintf("closed the WebSocket with %d", s.Int("code"))
	return w
}

// wanted says whether a request is for a WebSocket that the fault is about.
func (w *wsTalk) wanted(h head) bool {
	return named(h.upgrade, "websocket") && w.path.MatchString(h.target)
}

// Run implements Conversation.
func (w *wsTalk) Run(talk Talk) {
	w.begin(talk)
	defer w.end()
	w.interrupt()
	for !w.over {
		d, c, due, ok := w.next()
		switch {
		case due, !ok && w.said: // the lift does not take back what was said
			w.close()
			return
		case !ok:
			return
		case c.Data == nil && w.said:
			w.close()
			return
		}
		w.takes(d, c)
		w.interrupt()
	}
}

func (w *wsTalk) next() (d Direction, c Chunk, due, ok bool) {
	if w.said {
		return w.talk.NextUntil(w.until)
	}
	d, c, ok = w.talk.Next()
	return d, c, false, ok
}

// interrupt sends the Close if this is the moment for it: between two frames to the service.
func (w *wsTalk) interrupt() {
	if w.said || !w.on || w.frame == nil || w.down.state != isTunnel || !w.wanted(w.upgraded) || !w.got.between() || w.ended[Downstream] {
		return
	}
	w.said, w.until = true, time.Now().Add(echoTime)
	w.talk.Bite(0, w.text)
	w.pass(Downstream, w.frame)
}

// frames takes what comes behind the upgrade.
func (w *wsTalk) frames(d Direction, data []byte) {
	frames := &w.sent
	if d == Downstream {
		frames = &w.got
		w.interrupt()
	}
	for len(data) > 0 && !w.over {
		n, ended := frames.step(data)
		if !w.said {
			w.pass(d, data[:n])
		}
		data = data[n:]
		if !ended {
			continue
		}
		if d == Upstream && w.said && frames.closes {
			w.close()
		} else if d == Downstream {
			w.interrupt()
		}
	}
}
