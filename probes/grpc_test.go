package probes

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// serveGRPC starts a server and returns its address.
func serveGRPC(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(options...)
	register(server)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-ended)
	})
	return l.Addr().String()
}

func TestGRPC(t *testing.T) {
	checks := health.NewServer()
	checks.SetServingStatus("chat", healthv1.HealthCheckResponse_SERVING)
	checks.SetServingStatus("billing", healthv1.HealthCheckResponse_NOT_SERVING)
	address := serveGRPC(t, func(s *grpc.Server) { healthv1.RegisterHealthServer(s, checks) })
	bare := serveGRPC(t, func(*grpc.Server) {})

	for name, c := range map[string]struct {
		grpc   GRPC
		answer Answer
		err    string
	}{
		"server":      {GRPC{Address: address}, Answer{0, "SERVING"}, ""},
		"service":     {GRPC{Address: address, Service: "chat"}, Answer{0, "SERVING"}, ""},
		"not serving": {GRPC{Address: address, Service: "billing"}, Answer{0, "NOT_SERVING"}, "grpc health of billing on " + address + ": expected SERVING, got NOT_SERVING"},
		"unknown":     {GRPC{Address: address, Service: "x"}, Answer{5, "NotFound"}, "grpc health of x on " + address + ": expected SERVING, got NotFound: the server does not know this service"},
		"no health":   {GRPC{Address: bare}, Answer{12, "Unimplemented"}, "grpc health of " + bare + ": expected SERVING, got Unimplemented: the server has no grpc.health.v1 service"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, Spec{GRPC: &c.grpc}, Env{})
			assert.Equal(t, c.answer, got)
			if c.err == "" {
				assert.NoError(t, err)
			} else {
				assert.EqualError(t, err, c.err)
			}
		})
	}

	checks.Shutdown()
	_, err := ask(t, Spec{GRPC: &GRPC{Address: address}}, Env{})
	require.ErrorContains(t, err, "got NOT_SERVING")
}
