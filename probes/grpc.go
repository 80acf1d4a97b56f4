package probes

import (
	"context"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

func grpcKind() Kind {
	return Kind{
		Name:    "grpc",
		Doc:     "Asks grpc.health.v1.Health/Check (without TLS) for a service, by default for the server itself, and requires SERVING.",
		Example: "grpc: {address: 127.0.0.1:9090, service: chat.v1.Chat}",
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

func (g GRPC) ask(ctx context.Context) (Answer, error) {
	what, want := "grpc health of "+g.Address, "SERVING"
	if g.Service != "" {
		what = fmt.Sprintf("grpc health of %s on %s", g.Service, g.Address)
	}
	w, done := newWire(ctx)
	defer done()
	var dialed lastError
	conn, err := grpc.NewClient("passthrough:///"+g.Address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := w.dial(ctx, "tcp", address)
			dialed.set(err)
			return c, err
		}),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithUserAgent(userAgent),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	if err != nil {
		return Answer{}, unanswered(ctx, what, want, err)
	}
	defer func() { _ = conn.Close() }()
	resp, err := health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{Service: g.Service})
	if err != nil {
		return g.failed(ctx, what, want, err, dialed.get())
	}
	answer := Answer{Status: int(codes.OK), Body: resp.GetStatus().String()}
	if resp.GetStatus() != health.HealthCheckResponse_SERVING {
		return answer, expected(what, want, answer.Body)
	}
	return answer, nil
}

// failed turns the status of a failed call into words. What the dialer met tells more than the status which gRPC made of it.
func (g GRPC) failed(ctx context.Context, what, want string, err, dialed error) (Answer, error) {
	code := status.Code(err)
	answer := Answer{Status: int(code), Body: code.String()}
	switch {
	case dialed != nil:
		return answer, unanswered(ctx, what, want, dialed)
	case ctx.Err() != nil:
		return answer, unanswered(ctx, what, want, context.Cause(ctx))
	case code == codes.Unimplemented:
		return answer, expected(what, want, "Unimplemented: the server has no grpc.health.v1 service")
	case code == codes.NotFound && g.Service != "":
		return answer, expected(what, want, "NotFound: the server does not know this service")
	}
	return answer, expected(what, want, code.String()+": "+short(status.Convert(err).Message()))
}

// lastError is an error that a library's goroutine leaves for the attempt.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
