package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Requests one behind the other on one connection: each has its own answer, the server's or the fault's.
func TestHTTPErrorLiftedUnderLoad(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	t.Cleanup(server.Close)
	for _, late := range []bool{false, true} {
		p, spec := flippable(t, server.Listener.Addr().String(), "http_error", 429, late)
		c, err := net.Dial("tcp", p.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		in, asked, answered, right, wrong := bufio.NewReader(c), 0, 0, 0, 0
		flipped(t, p, spec, late, 300, func(sent func()) {
			const depth = 10
			var batch strings.Builder
			for range depth {
				asked++
				fmt.Fprintf(&batch, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", asked)
			}
			_, err := io.WriteString(c, batch.String())
			require.NoError(t, err)
			sent()
			for range depth {
				r, err := http.ReadResponse(in, nil)
				require.NoError(t, err)
				body, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				answered++
				if r.StatusCode == http.StatusOK {
					right++
					require.Equal(t, fmt.Sprintf("/%d", answered), string(body))
				} else {
					wrong++
					require.Equal(t, "Too Many Requests\n", string(body))
				}
			}
		})
		assert.Positive(t, right)
		assert.Positive(t, wrong)
	}
}

// amqpMethods are methods of the class connection without arguments, or with these.
func amqpMethods(methods ...string) string {
	var b strings.Builder
	for _, m := range methods {
		fmt.Fprintf(&b, "\x01\x00\x00\x00\x00\x00%c\x00\x0a\x00%s\xce", rune(len(m)+3), m)
	}
	return b.String()
}

// Where the fault answers a login and ends the connection, the lift finds it done or not: a service is let in or refused, and never left without an answer.
func TestLoginsAreAnsweredWhenLifted(t *testing.T) {
	greeting := "\x0a5.5.5-x\x00\x05\x00\x00\x00jHhTL`}v\x00\x00\xf2\x08\x02\x00\x00\x00\x15" + strings.Repeat("\x00", 10) + "X4<p>'DbA[)W\x00mysql_native_password\x00"
	login := "\x00\x82\x08\x00" + strings.Repeat("\x00", 28) + "app\x00\x00mysql_native_password\x00"
	for _, c := range []struct {
		kind                string
		value               any
		hello, login, right string
		wrong               string
	}{
		{"nats_error", "Authorization Violation", "INFO {}\r\n", "CONNECT {}\r\nPING\r\n", "PONG\r\n", "-ERR 'Authorization Violation'\r\n"},
		{"mysql_error", "1045", string(rune(len(greeting))) + "\x00\x00\x00" + greeting, string(rune(len(login))) + "\x00\x00\x01" + login,
			"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00", "#28000Access denied for user 'app'@'localhost' (using password: NO)"},
		{"amqp_error", 530, "", "AMQP\x00\x00\x09\x01" + amqpMethods("\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x1f\x00\x00\x00\x00\x00\x00\x00\x00", "\x28\x02/x\x00\x00"),
			amqpMethods("\x0a", "\x1e", "\x29\x00"), "NOT_ALLOWED - vhost /x not found"},
	} {
		p, spec := flippable(t, letsIn(t, c.hello, c.login, c.right), c.kind, c.value, false)
		right, wrong := 0, 0
		flipped(t, p, spec, false, 200, func(sent func()) {
			s, err := net.Dial("tcp", p.Addr().String())
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.SetDeadline(time.Now().Add(patience)))
			heard := make([]byte, len(c.hello))
			_, err = io.ReadFull(s, heard)
			require.NoError(t, err)
			require.Equal(t, c.hello, string(heard))
			_, err = io.WriteString(s, c.login)
			require.NoError(t, err)
			sent()
			var got []byte
			for string(got) != c.right && !strings.Contains(string(got), c.wrong) {
				b := make([]byte, 1000)
				n, err := s.Read(b)
				got = append(got, b[:n]...)
				require.NoError(t, err, "%s: %q", c.kind, got)
			}
			if string(got) == c.right {
				right++
			} else {
				wrong++
			}
		})
		assert.Positive(t, right, c.kind)
		assert.Positive(t, wrong, c.kind)
	}
}

// letsIn is a server that greets, waits for the whole login and answers it.
func letsIn(t *testing.T, hello, login, right string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, hello)
				if _, err := io.ReadFull(c, make([]byte, len(login))); err == nil {
					_, _ = io.WriteString(c, right)
				}
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}

// A WebSocket has all its echoes, or is closed with the code.
func TestWebSocketErrorLiftedUnderLoad(t *testing.T) {
	addr, ended := echoServer(t)
	p, spec := flippable(t, addr, "websocket_error", map[string]any{"code": 1012}, false)
	right, wrong := 0, 0
	flipped(t, p, spec, false, 80, func(sent func()) {
		c, ctx, err := dialWebSocket(t, p, "/")
		require.NoError(t, err)
		const depth = 10
		for i := range depth {
			if err := c.Write(ctx, websocket.MessageText, fmt.Append(nil, i)); err != nil {
				break // closed
			}
		}
		sent()
		for i := range depth {
			_, text, err := c.Read(ctx)
			if err != nil {
				wrong++
				require.Equal(t, websocket.StatusServiceRestart, websocket.CloseStatus(err), "%v", err)
				break
			}
			require.Equal(t, fmt.Sprint(i), string(text))
			if i == depth-1 {
				right++
			}
		}
		_ = c.CloseNow()
		<-ended
	})
	assert.Positive(t, right)
	assert.Positive(t, wrong)
}
