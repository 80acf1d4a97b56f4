package e2e

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// echoServer is coder/websocket's: it echoesWeb, and answers "flood" with a mebibyte. ended gets how each WebSocket ended for it.
func echoServer(t *testing.T) (addr string, ended chan error) {
	t.Helper()
	ended = make(chan error, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		for err == nil {
			var kind websocket.MessageType
			var text []byte
			if kind, text, err = c.Read(r.Context()); err != nil {
				break
			}
			if string(text) == "flood" {
				text = make([]byte, 1<<20)
			}
			err = c.Write(r.Context(), kind, text)
		}
		ended <- err
		_ = c.CloseNow()
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), ended
}

func dialWebSocket(t *testing.T, p *proxy.Proxy, path string) (*websocket.Conn, context.Context, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c, _, err := websocket.Dial(ctx, "ws://"+p.Addr().String()+path, nil)
	if err == nil {
		c.SetReadLimit(1 << 21)
		t.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, ctx, err
}

// echoesWeb says something and returns what comes back.
func echoesWeb(ctx context.Context, c *websocket.Conn, text string) string {
	if err := c.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return err.Error()
	}
	_, got, err := c.Read(ctx)
	if err != nil {
		return err.Error()
	}
	return string(got)
}

const restarting = `failed to get reader: received close frame: status = StatusServiceRestart and reason = "restarting"`

func TestWebSocketErrorOnLiveAndNewConnections(t *testing.T) {
	addr, ended := echoServer(t)
	p, bites := beforeWeb(t, addr, "websocket_error", map[string]any{"code": 1012, "reason": "restarting", "path": "^/ws"})
	old, ctx, err := dialWebSocket(t, p, "/ws")
	require.NoError(t, err)
	other, _, err := dialWebSocket(t, p, "/other")
	require.NoError(t, err)
	assert.Equal(t, "hello", echoesWeb(ctx, old, "hello"))
	p.Arm("f")
	_, _, err = old.Read(ctx)
	assert.EqualError(t, err, restarting, "idle, and closed nevertheless")
	bittenWeb(t, bites, "closed the WebSocket with 1012")
	var closed websocket.CloseError
	assert.False(t, errors.As(<-ended, &closed), "the server sees the connection end without a Close frame")
	fresh, _, err := dialWebSocket(t, p, "/ws/2")
	require.NoError(t, err, "the upgrade works")
	_, _, err = fresh.Read(ctx)
	assert.EqualError(t, err, restarting)
	assert.Equal(t, "untouched", echoesWeb(ctx, other, "untouched"))
	p.Lift("f")
	fresh, _, err = dialWebSocket(t, p, "/ws")
	require.NoError(t, err)
	assert.Equal(t, "again", echoesWeb(ctx, fresh, "again"))
}

// TestWebSocketErrorInALongMessage: the frame that is on its way comes whole, or the Close comes instead of it.
func TestWebSocketErrorInALongMessage(t *testing.T) {
	addr, _ := echoServer(t)
	p, _ := beforeWeb(t, addr, "websocket_error", map[string]any{"code": 1012, "reason": "restarting"})
	for range 20 {
		c, ctx, err := dialWebSocket(t, p, "/")
		require.NoError(t, err)
		require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("flood")))
		p.Arm("f")
		_, text, err := c.Read(ctx)
		if err == nil {
			assert.Len(t, text, 1<<20)
			_, _, err = c.Read(ctx)
		}
		assert.ErrorContains(t, err, "status = StatusServiceRestart")
		p.Lift("f")
	}
}

func TestWebSocketErrorRefusesUpgrades(t *testing.T) {
	addr, _ := echoServer(t)
	p, bites := beforeWeb(t, addr, "websocket_error", map[string]any{"refuse": 503})
	old, ctx, err := dialWebSocket(t, p, "/")
	require.NoError(t, err)
	p.Arm("f")
	_, _, err = dialWebSocket(t, p, "/ws")
	assert.EqualError(t, err, "failed to WebSocket dial: expected handshake response status code 101 but got 503")
	bittenWeb(t, bites, "answered GET /ws with 503")
	assert.Equal(t, "goes on", echoesWeb(ctx, old, "goes on"))
	p.Lift("f")
	fresh, _, err := dialWebSocket(t, p, "/ws")
	require.NoError(t, err)
	assert.Equal(t, "again", echoesWeb(ctx, fresh, "again"))
}

// webSocketNode opens a WebSocket for each line and says how it ends, or what is echoed.
const webSocketNode = `
const open = () => new Promise(done => {
  const w = new WebSocket(process.argv[1]); let text = '';
  w.onopen = () => { text += 'open '; setTimeout(() => { if (w.readyState === 1) w.send('hello'); }, 50); };
  w.onmessage = m => { text += m.data + ' '; w.close(1000); };
  w.onerror = e => done(text + 'error ' + e.message); // node 20 sends no close event when the upgrade failed
  w.onclose = e => done(text + 'close ' + e.code + ' ' + e.reason + ' clean=' + e.wasClean);
});
(async () => { for await (const line of require('readline').createInterface({input: process.stdin})) console.log(await open()); process.exit(0); })();
`

func TestWebSocketErrorWithNode(t *testing.T) {
	t.Setenv("NODE_OPTIONS", "--experimental-websocket")
	if runs(t, "node", "-p", "typeof WebSocket") != "function\n" {
		t.Skip("this node has no WebSocket")
	}
	addr, _ := echoServer(t)
	p, _ := beforeWeb(t, addr, "websocket_error", map[string]any{"code": 1013, "reason": "later"})
	ask := node(t, webSocketNode, "ws://"+p.Addr().String())
	assert.Equal(t, "open hello close 1000  clean=true", ask(""))
	p.Arm("f")
	assert.Equal(t, "open close 1013 later clean=true", ask(""))
	p.Lift("f")
	assert.Equal(t, "open hello close 1000  clean=true", ask(""))

	refusing, _ := beforeWeb(t, addr, "websocket_error", map[string]any{"refuse": 403})
	refusing.Arm("f")
	refused := node(t, webSocketNode, "ws://"+refusing.Addr().String())
	assert.Equal(t, "error Received network error or non-101 status code.", refused(""))
	refusing.Lift("f")
	assert.Equal(t, "open hello close 1000  clean=true", refused(""))
}
