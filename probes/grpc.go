package probes

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func grpcKind() Kind {
	return Kind{
		Name:    "grpc",
		Doc:     "Asks grpc.health.v1.Health/Check for a service, by default for the server itself, and requires SERVING.",
		Example: "grpc: {address: 127.0.0.1:9090, service: chat.v1.Chat}",
		Also:    []string{"grpc: {address: 'localhost:9443', tls: true}\nca: testdata/ca.pem"},
		used:    func(s Spec) bool { return s.GRPC != nil },
		build:   func(s Spec, _ Env) (attempt, error) { return s.GRPC.build() },
	}
}

func (g GRPC) build() (attempt, error) {
	if err := checkAddress(g.Address); err != nil {
		return attempt{}, err
	}
	return attempt{ask: g.ask}, nil
}

func (g GRPC) credentials(ctx context.Context) credentials.TransportCredentials {
	if !g.TLS {
		return insecure.NewCredentials()
	}
	host, _, _ := net.SplitHostPort(g.Address)
	return credentials.NewTLS(tlsConfig(ctx, host))
}

func (g GRPC) ask(ctx context.Context) (Answer, error) {
	what, want := "grpc health of "+g.Address, "SERVING"
	if g.Service != "" {
		what = fmt.Sprintf("grpc health of %s on %s", g.Service, g.Address)
	}
	w, done := newWire(ctx)
	defer done()
	conn, err := grpc.NewClient("passthrough:///"+g.Address,
		grpc.WithTransportCredentials(g.credentials(ctx)),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return w.dial(ctx, "tcp", address) }),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithUserAgent(userAgent),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		return Answer{}, unanswered(ctx, what, want, err)
	}
	defer func() { _ = conn.Close() }()
	resp, err := health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{Service: g.Service})
	if err != nil {
		return g.failed(ctx, what, want, err, w.lastTrouble())
	}
	answer := Answer{Status: int(codes.OK), Body: resp.GetStatus().String()}
	if resp.GetStatus() != health.HealthCheckResponse_SERVING {
		return answer, expected(what, want, answer.Body)
	}
	return answer, nil
}

// failed turns the status of a failed call into words. What the connection met tells more than the status which gRPC made of it.
func (g GRPC) failed(ctx context.Context, what, want string, err, met error) (Answer, error) {
	code, message := status.Code(err), status.Convert(err).Message()
	answer := Answer{Status: int(code), Body: code.String()}
	switch {
	case ctx.Err() != nil:
		return answer, unanswered(ctx, what, want, cmp.Or(met, err))
	case code == codes.Unavailable && strings.Contains(message, "failed to verify certificate"):
		return answer, expected(what, want, "a TLS certificate that cannot be trusted: "+short(message[strings.LastIndex(message, "x509: ")+len("x509: "):]))
	case code == codes.Unavailable && strings.Contains(message, "does not look like a TLS handshake"):
		return answer, expected(what, want, "an answer that is not TLS")
	case code == codes.Unavailable && met != nil:
		return answer, unanswered(ctx, what, want, met)
	case code == codes.Unavailable && strings.Contains(message, "server preface"):
		return answer, expected(what, want, "an answer that is not gRPC")
	case code == codes.Unimplemented:
		return answer, expected(what, want, "Unimplemented: the server has no grpc.health.v1 service")
	case code == codes.NotFound && g.Service != "":
		return answer, expected(what, want, "NotFound: the server does not know this service")
	}
	return answer, expected(what, want, code.String()+": "+short(message))
}
