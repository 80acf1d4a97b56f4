package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/chaos-startup/chaos/faults"
)

// secureWeb speaks HTTP and WebSocket over TLS. trusted believes its certificate and the test authority's.
func secureWeb(t *testing.T) (s *httptest.Server, trusted *tls.Config) {
	t.Helper()
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			fmt.Fprintf(w, "%s over %s", r.URL.Path, r.Proto)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		_ = c.Write(r.Context(), websocket.MessageText, []byte("welcome"))
		_, _, _ = c.Read(r.Context())
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	authority, err := faults.CertificateAuthority()
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	pool.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: pool}
}

func TestHTTPErrorUnderTLS(t *testing.T) {
	server, trusted := secureWeb(t)
	p, bites := beforeWeb(t, server.Listener.Addr().String(), "http_error", map[string]any{"tls": true, "path": "/v1", "retry_after": "2s"})
	b := browse(t, p)
	b.base = "https://" + p.Addr().String()
	transport := b.Transport.(*http.Transport)
	transport.TLSClientConfig, transport.ForceAttemptHTTP2 = trusted, true
	got, _ := b.do(t, "GET", "/v1", "")
	assert.Equal(t, "200 OK /v1 over HTTP/2.0", got)
	p.Arm("f")
	got, _ = b.do(t, "GET", "/v1", "")
	assert.Equal(t, "200 OK /v1 over HTTP/2.0", got, "the open connection has other keys")
	transport.CloseIdleConnections()
	got, head := b.do(t, "GET", "/v1", "")
	assert.Equal(t, unavailable, got)
	assert.Equal(t, "2", head.Get("Retry-After"))
	bittenWeb(t, bites, "answered GET /v1 with 503")
	first := b.used
	got, _ = b.do(t, "GET", "/health", "")
	assert.Equal(t, "200 OK /health over HTTP/1.1", got, "others reach the real server, over TLS of their own")
	got, _ = b.do(t, "POST", "/v1", "hello")
	assert.Equal(t, unavailable, got)
	assert.Same(t, first, b.used)
	got, _ = b.do(t, "GET", "/v1", "", func(r *http.Request) { r.Close = true })
	assert.Equal(t, unavailable, got)
	p.Lift("f")
	got, _ = b.do(t, "GET", "/v1", "")
	assert.Equal(t, "200 OK /v1 over HTTP/2.0", got)
}

func TestWebSocketErrorUnderTLS(t *testing.T) {
	server, trusted := secureWeb(t)
	p, _ := beforeWeb(t, server.Listener.Addr().String(), "websocket_error", map[string]any{"tls": true, "code": 1012, "reason": "restarting"})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusted}}
	t.Cleanup(client.CloseIdleConnections)
	read := func() (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, _, err := websocket.Dial(ctx, "wss://"+p.Addr().String()+"/ws", &websocket.DialOptions{HTTPClient: client})
		require.NoError(t, err)
		defer c.CloseNow()
		_, text, err := c.Read(ctx)
		return string(text), err
	}
	p.Arm("f")
	_, err := read()
	assert.EqualError(t, err, restarting)
	p.Lift("f")
	text, err := read()
	assert.NoError(t, err)
	assert.Equal(t, "welcome", text)
}

func TestGRPCErrorUnderTLS(t *testing.T) {
	certified, trusted := secureWeb(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&certified.TLS.Certificates[0])))
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		assert.NoError(t, <-done)
	})
	p, _ := beforeWeb(t, l.Addr().String(), "grpc_error", map[string]any{"tls": true, "code": "UNAUTHENTICATED", "message": "no token", "method": "/Check$"})
	conn, err := grpc.NewClient(p.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(trusted)))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	c := grpc_health_v1.NewHealthClient(conn)
	p.Arm("f")
	assert.Equal(t, "rpc error: code = Unauthenticated desc = no token", check(ctx, c))
	_, err = c.List(ctx, &grpc_health_v1.HealthListRequest{})
	assert.NoError(t, err, "other calls reach the real server, over TLS of their own")
	assert.Equal(t, "rpc error: code = Unauthenticated desc = no token", check(ctx, c))
	p.Lift("f")
	answer, err := c.Check(ctx, anyone, grpc.WaitForReady(true))
	require.NoError(t, err)
	assert.Equal(t, "SERVING", answer.Status.String())
}
