package probes

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

func TestACertificateThatIsTrusted(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) })
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			say(r.Context(), c, "welcome")
			_, _, _ = c.Read(r.Context())
			_ = c.CloseNow()
		}
	})
	web := httptest.NewUnstartedServer(mux)
	web.Config.ErrorLog = quiet()
	web.StartTLS()
	t.Cleanup(web.Close)
	secure := grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0]))
	rpc := serveGRPC(t, func(s *grpc.Server) { healthv1.RegisterHealthServer(s, health.NewServer()) }, secure)
	plain := serveGRPC(t, func(s *grpc.Server) { healthv1.RegisterHealthServer(s, health.NewServer()) })

	dir := t.TempDir()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), text, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.pem"), nil, 0o600))

	for name, s := range map[string]Spec{
		"http":      {HTTP: &HTTP{URL: web.URL + "/metrics", Match: "up"}, Parallel: 3},
		"metrics":   {Metrics: &Metrics{URL: web.URL + "/metrics", Name: "up"}},
		"websocket": {WebSocket: &WebSocket{URL: strings.Replace(web.URL, "https", "wss", 1) + "/ws", Expect: []string{"welcome"}}},
		"grpc":      {GRPC: &GRPC{Address: rpc, TLS: true}},
	} {
		_, err := ask(t, s, Env{Dir: dir})
		require.ErrorContains(t, err, "got a TLS certificate that cannot be trusted: ", name)
		s.CA = "ca.pem"
		_, err = ask(t, s, Env{Dir: dir})
		require.NoError(t, err, name)
		s.CA = "empty.pem"
		_, err = ask(t, s, Env{Dir: dir})
		assert.ErrorContains(t, err, "ca: expected certificates in empty.pem in PEM, got none", name)
		s.CA = filepath.Join(dir, "none.pem")
		_, err = ask(t, s, Env{})
		assert.ErrorContains(t, err, "none.pem, got no such file or directory", name)
	}
	_, err := ask(t, Spec{GRPC: &GRPC{Address: plain, TLS: true}}, Env{})
	require.ErrorContains(t, err, "expected SERVING, got an answer that is not TLS")
	_, err = ask(t, Spec{GRPC: &GRPC{Address: rpc}}, Env{})
	require.Error(t, err)
}
