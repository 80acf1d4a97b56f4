package probes

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// say sends messages of these types.
func say(ctx context.Context, c *websocket.Conn, kinds ...string) {
	for _, k := range kinds {
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"type":"`+k+`"}`))
	}
}

var chatSequence = []string{"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"}

// chat is a server with one path for each way to behave. closed gets the close code that the sound path met.
func chat(t *testing.T, closed chan<- websocket.StatusCode) string {
	t.Helper()
	mux := http.NewServeMux()
	on := func(path string, talk func(ctx context.Context, c *websocket.Conn)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer func() { _ = c.CloseNow() }()
			talk(r.Context(), c)
		})
	}
	waitForPeer := func(ctx context.Context, c *websocket.Conn) websocket.StatusCode {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return websocket.CloseStatus(err)
			}
		}
	}
	on("/sound", func(ctx context.Context, c *websocket.Conn) {
		say(ctx, c, "welcome")
		if _, message, err := c.Read(ctx); err != nil || string(message) != "hi" {
			return
		}
		say(ctx, c, chatSequence[0], "heartbeat", chatSequence[1], chatSequence[2], chatSequence[3], chatSequence[4], "idle")
		closed <- waitForPeer(ctx, c)
	})
	on("/order", func(ctx context.Context, c *websocket.Conn) {
		say(ctx, c, "agent_started", "tool_executing", "agent_thinking")
		waitForPeer(ctx, c)
	})
	on("/short", func(ctx context.Context, c *websocket.Conn) {
		say(ctx, c, "agent_started")
		_ = c.Close(websocket.StatusInternalError, "no supervisor")
	})
	on("/cut", func(ctx context.Context, c *websocket.Conn) { say(ctx, c, "agent_started") })
	on("/mute", func(ctx context.Context, c *websocket.Conn) { waitForPeer(ctx, c) })
	on("/text", func(ctx context.Context, c *websocket.Conn) {
		_ = c.Write(ctx, websocket.MessageText, []byte("plain hello"))
		waitForPeer(ctx, c)
	})
	on("/huge", func(ctx context.Context, c *websocket.Conn) {
		_ = c.Write(ctx, websocket.MessageText, []byte(strings.Repeat("x", maxRead+1)))
		waitForPeer(ctx, c)
	})
	on("/chatter", func(ctx context.Context, c *websocket.Conn) {
		for ctx.Err() == nil && c.Write(ctx, websocket.MessageText, []byte(`{"type":"noise"}`)) == nil { //nolint:revive // until the peer goes
		}
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			http.Error(w, "token expired", http.StatusUnauthorized)
			return
		}
		if c, err := websocket.Accept(w, r, nil); err == nil {
			waitForPeer(r.Context(), c)
			_ = c.CloseNow()
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http", "ws", 1)
}

func TestWebSocketSequence(t *testing.T) {
	closed := make(chan websocket.StatusCode, 1)
	url := chat(t, closed)
	got, err := ask(t, Spec{WebSocket: &WebSocket{URL: url + "/sound", Send: "hi", Expect: chatSequence}}, Env{})
	require.NoError(t, err)
	assert.Equal(t, 101, got.Status)
	assert.Contains(t, got.Body, `{"type":"agent_completed"}`)
	assert.Equal(t, websocket.StatusNormalClosure, <-closed, "the probe says good-bye")
}

func TestWebSocketHolds(t *testing.T) {
	url := chat(t, nil)
	for name, ws := range map[string]WebSocket{
		"connects":   {URL: url + "/mute"},
		"refused":    {URL: url + "/auth", Status: 401},
		"not found":  {URL: url + "/nowhere", Status: 404},
		"header":     {URL: url + "/auth", Headers: map[string]string{"Authorization": "Bearer good"}},
		"regexp":     {URL: url + "/text", Expect: []string{"/^plain .*o$/"}},
		"fail on":    {URL: url + "/order", Expect: []string{"agent_started", "tool_executing"}, FailOn: []string{"agent_started", "agent_thinking"}},
		"subset":     {URL: url + "/order", Expect: []string{"agent_started", "agent_thinking"}},
		"http url":   {URL: strings.Replace(url, "ws", "http", 1) + "/text", Expect: []string{"/plain/"}},
		"both kinds": {URL: url + "/order", Expect: []string{"agent_started", `/"tool_executing"/`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, Spec{WebSocket: &ws}, Env{})
			require.NoError(t, err)
		})
	}
}

func TestWebSocketFailsWithTheReason(t *testing.T) {
	url := chat(t, nil)
	for name, c := range map[string]struct {
		ws   WebSocket
		want string
	}{
		"order": {WebSocket{URL: url + "/order", Expect: chatSequence[:3]},
			"expected message 3 of 3, tool_executing, got agent_started, tool_executing, agent_thinking, then no answer within 2s"},
		"closed":      {WebSocket{URL: url + "/short", Expect: chatSequence}, "expected message 2 of 5, agent_thinking, got agent_started, then close 1011 (no supervisor)"},
		"cut":         {WebSocket{URL: url + "/cut", Expect: chatSequence}, "expected message 2 of 5, agent_thinking, got agent_started, then a closed connection"},
		"mute":        {WebSocket{URL: url + "/mute", Send: "hi", Expect: chatSequence}, "expected message 1 of 5, agent_started, got no answer within 2s"},
		"no type":     {WebSocket{URL: url + "/text", Expect: []string{"hello"}}, "got a message without type: plain hello, then no answer within 2s"},
		"fail on":     {WebSocket{URL: url + "/order", Expect: chatSequence[:3], FailOn: []string{"tool_executing"}}, `expected message 2 of 3, agent_thinking, got agent_started, then {"type":"tool_executing"}`},
		"fail on all": {WebSocket{URL: url + "/text", Expect: []string{"x"}, FailOn: []string{"/^plain/"}}, "expected message 1 of 1, x, got plain hello"},
		"huge":        {WebSocket{URL: url + "/huge", Expect: []string{"x"}}, "got a message of more than 1 MiB"},
		"refused":     {WebSocket{URL: url + "/auth", Headers: map[string]string{"Authorization": "Bearer " + secret}}, "expected an upgrade, got status 401: token expired"},
		"not refused": {WebSocket{URL: url + "/mute", Status: 403}, "expected the upgrade refused with status 403, got it accepted"},
		"other status": {WebSocket{URL: url + "/auth", Status: 403},
			"expected the upgrade refused with status 403, got status 401: token expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(c.want, "within 2s") {
				c.ws.Within = timeline.Duration(2 * time.Second)
			}
			_, err := ask(t, Spec{WebSocket: &c.ws}, Env{})
			require.Error(t, err)
			assert.ErrorContains(t, err, "websocket "+c.ws.URL+": ")
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestWebSocketIsBoundedByMessages(t *testing.T) {
	url := chat(t, nil)
	got, err := ask(t, Spec{WebSocket: &WebSocket{URL: url + "/chatter", Expect: []string{"x"}}}, Env{})
	require.ErrorContains(t, err, "got 10000 messages, the last noise, noise")
	assert.LessOrEqual(t, len(got.Body), maxAnswer)
}

func TestTurnedAway(t *testing.T) {
	close := func(code websocket.StatusCode, first ...string) string {
		return serveHTTP(t, func(w http.ResponseWriter, r *http.Request, _ string) {
			if c, err := websocket.Accept(w, r, nil); err == nil {
				say(r.Context(), c, first...)
				_ = c.Close(code, "")
			}
		})
	}
	busy := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusServiceUnavailable) })
	for name, c := range map[string]struct {
		url  string
		want bool
	}{
		"refused":                {"http://" + closedPort(t), true},
		"busy":                   {busy, true},
		"try again later":        {close(websocket.StatusTryAgainLater), true},
		"restarts":               {close(websocket.StatusServiceRestart), true},
		"later, but not at once": {close(websocket.StatusTryAgainLater, "welcome"), false},
		"broken":                 {close(websocket.StatusInternalError), false},
		"gone":                   {close(websocket.StatusNormalClosure), false},
	} {
		got, err := ask(t, Spec{WebSocket: &WebSocket{URL: c.url, Send: "hi", Expect: []string{"x"}}}, Env{})
		require.Error(t, err)
		assert.Equal(t, c.want, TurnedAway(got, err), name)
	}
}
