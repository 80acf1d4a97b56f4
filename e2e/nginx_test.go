package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nginx runs a real one that answers everything with a status, as a gateway without a backend does.
func nginx(t *testing.T, status int) (addr string) {
	t.Helper()
	path, dir := program(t, "nginx"), t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	require.NoError(t, l.Close())
	conf := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; pid %[1]s/pid; error_log stderr crit;
events {}
http { access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen %[2]s; add_header Retry-After 30 always; location / { return %[3]d; } } }`, dir, addr, status), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, path, "-e", "stderr", "-p", dir, "-c", conf)
	c.Stderr = os.Stderr
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		cancel()
		_ = c.Wait()
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, patience, 5*time.Millisecond)
	return addr
}

// answerTo is what a raw request is answered with, as far as two servers can agree.
type answerTo struct {
	status  int
	headers []string
	closes  bool // says that it closes, and does
	kept    bool // a second request on the connection is answered
	body    bool
}

func raw(t *testing.T, addr, method, request string) answerTo {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, &http.Request{Method: method})
	require.NoError(t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	a := answerTo{status: r.StatusCode, closes: r.Close, body: len(body) > 0}
	for name := range r.Header {
		if name != "Server" {
			a.headers = append(a.headers, name)
		}
	}
	slices.Sort(a.headers)
	if _, err = io.WriteString(c, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n"); err == nil {
		r, err = http.ReadResponse(in, nil)
		a.kept = err == nil && r.StatusCode == a.status
	}
	return a
}

// TestHTTPErrorAnswersAsNginxDoes compares the fault with a real gateway that says no, request by request.
func TestHTTPErrorAnswersAsNginxDoes(t *testing.T) {
	server, _ := webServer(t)
	for _, status := range []int{503, 429, 204} {
		addr := nginx(t, status)
		p, _ := beforeWeb(t, server, "http_error", map[string]any{"status": status, "retry_after": "30s"})
		p.Arm("f")
		for name, request := range map[string]string{
			"get": "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD": "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
			"body": "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "chunked": "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
			"close": "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.0": "GET / HTTP/1.0\r\n\r\n", "kept 1.0": "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		} {
			method := "GET"
			if name == "HEAD" {
				method = name
			}
			assert.Equal(t, raw(t, addr, method, request), raw(t, p.Addr().String(), method, request), "%d %s", status, name)
		}
	}
}
