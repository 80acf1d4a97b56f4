package e2e

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// counting counts what a listener accepts.
type counting struct {
	net.Listener
	accepted atomic.Int64
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// grpcServer is grpc-go's, with its health service.
func grpcServer(t *testing.T) (*health.Server, *counting, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := &atomic.Int64{}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		served.Add(1)
		return next(ctx, in)
	}))
	states, listener := health.NewServer(), &counting{Listener: l}
	grpc_health_v1.RegisterHealthServer(s, states)
	done := make(chan error, 1)
	go func() { done <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		assert.NoError(t, <-done)
	})
	return states, listener, served
}

func grpcClient(t *testing.T, p *proxy.Proxy) (grpc_health_v1.HealthClient, context.Context) {
	t.Helper()
	conn, err := grpc.NewClient(p.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, conn.Close())
	})
	return grpc_health_v1.NewHealthClient(conn), ctx
}

var anyone = &grpc_health_v1.HealthCheckRequest{}

func check(ctx context.Context, c grpc_health_v1.HealthClient) string {
	answer, err := c.Check(ctx, anyone)
	if err != nil {
		return err.Error()
	}
	return answer.Status.String()
}

func TestGRPCErrorOnLiveAndNewConnections(t *testing.T) {
	_, listener, served := grpcServer(t)
	p, bites := beforeWeb(t, listener.Addr().String(), "grpc_error", map[string]any{"message": "starting up: 5 %\n"})
	old, ctx := grpcClient(t, p)
	assert.Equal(t, "SERVING", check(ctx, old))
	p.Arm("f")
	fresh, _ := grpcClient(t, p)
	for _, c := range []grpc_health_v1.HealthClient{old, fresh, old, fresh} {
		assert.Equal(t, "rpc error: code = Unavailable desc = starting up: 5 %\n", check(ctx, c))
		w, err := c.Watch(ctx, anyone)
		require.NoError(t, err)
		_, err = w.Recv()
		assert.Equal(t, "rpc error: code = Unavailable desc = starting up: 5 %\n", err.Error())
	}
	bittenWeb(t, bites, "answered /grpc.health.v1.Health/Check with UNAVAILABLE")
	assert.EqualValues(t, 1, served.Load())
	assert.EqualValues(t, 2, listener.accepted.Load(), "the connections live on")
	p.Lift("f")
	assert.Equal(t, "SERVING", check(ctx, old))
	assert.Equal(t, "SERVING", check(ctx, fresh))
	assert.EqualValues(t, 2, listener.accepted.Load(), "the same connections work again")
}

// TestGRPCErrorOfOneMethod: other calls on the same connection go on, also one that is under way over the lift.
func TestGRPCErrorOfOneMethod(t *testing.T) {
	states, listener, served := grpcServer(t)
	p, _ := beforeWeb(t, listener.Addr().String(), "grpc_error", map[string]any{"code": "UNAUTHENTICATED", "method": "/Check$"})
	c, ctx := grpcClient(t, p)
	w, err := c.Watch(ctx, anyone)
	require.NoError(t, err)
	hears := func(w grpc_health_v1.Health_WatchClient, want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		states.SetServingStatus("", want)
		for {
			answer, err := w.Recv()
			require.NoError(t, err)
			if answer.Status == want {
				return
			}
		}
	}
	hears(w, grpc_health_v1.HealthCheckResponse_SERVING)
	p.Arm("f")
	assert.Equal(t, "rpc error: code = Unauthenticated desc = ", check(ctx, c))
	hears(w, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	second, err := c.Watch(ctx, anyone)
	require.NoError(t, err)
	hears(second, grpc_health_v1.HealthCheckResponse_SERVING)
	assert.Equal(t, "rpc error: code = Unauthenticated desc = ", check(ctx, c))
	hears(w, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	assert.Zero(t, served.Load())
	assert.EqualValues(t, 1, listener.accepted.Load())
	p.Lift("f")
	assert.Equal(t, "NOT_SERVING", check(ctx, c))
	hears(w, grpc_health_v1.HealthCheckResponse_SERVING)
	hears(second, grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	assert.EqualValues(t, 1, listener.accepted.Load(), "all on one connection")
}

// TestGRPCErrorGivesTheWindowBack sends far more than a connection's window to a method that never reads it.
func TestGRPCErrorGivesTheWindowBack(t *testing.T) {
	_, listener, _ := grpcServer(t)
	p, _ := beforeWeb(t, listener.Addr().String(), "grpc_error", map[string]any{"code": "RESOURCE_EXHAUSTED", "method": "/Check$"})
	p.Arm("f")
	c, ctx := grpcClient(t, p)
	for range 60 {
		_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: strings.Repeat("x", 60_000)})
		require.Equal(t, "ResourceExhausted", status.Code(err).String(), "%v", err)
	}
	_, err := c.List(ctx, &grpc_health_v1.HealthListRequest{})
	assert.NoError(t, err)
	assert.EqualValues(t, 1, listener.accepted.Load())
}

// TestGRPCErrorComesAndGoesUnderLoad: whatever the moment, a call has its real answer or the fault's, and all of it on one connection.
func TestGRPCErrorComesAndGoesUnderLoad(t *testing.T) {
	_, listener, _ := grpcServer(t)
	p, _ := beforeWeb(t, listener.Addr().String(), "grpc_error", map[string]any{"code": "DATA_LOSS", "method": "/Check$"})
	c, ctx := grpcClient(t, p)
	right, wrong, stop := make(chan bool), make(chan bool), make(chan bool)
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for {
				_, err := c.List(ctx, &grpc_health_v1.HealthListRequest{})
				assert.NoError(t, err)
				answers := right
				if answer := check(ctx, c); answer != "SERVING" {
					assert.Equal(t, "rpc error: code = DataLoss desc = ", answer)
					answers = wrong
				}
				select {
				case answers <- true:
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range 50 {
		p.Arm("f")
		for range 10 {
			<-wrong
		}
		p.Lift("f")
		for range 10 {
			<-right
		}
	}
	close(stop)
	work.Wait()
	assert.EqualValues(t, 1, listener.accepted.Load())
}

// grpcNode calls over node's own HTTP/2, which is nghttp2 and strict; each line of its input is a path.
const grpcNode = `
const h2 = require('http2');
let session, gone = 0;
const call = path => new Promise(done => {
  if (!session || session.closed || session.destroyed) {
    session = h2.connect(process.argv[1]);
    session.on('goaway', code => { gone++; if (code !== 0) console.error('GOAWAY', code); });
    session.on('error', e => { console.error(e); });
  }
  const r = session.request({':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', authorization: 'Bearer ' + path});
  let status = '', text = '';
  r.on('response', h => { status = h['grpc-status'] ?? ''; text = h['grpc-message'] ?? ''; });
  r.on('trailers', h => { status = h['grpc-status'] ?? status; text = h['grpc-message'] ?? text; });
  r.on('data', () => {});
  r.on('error', e => done(e.code + ' ' + e.message));
  r.on('close', () => done(status + ' ' + decodeURIComponent(text) + ' goaway=' + gone));
  r.end(Buffer.from([0, 0, 0, 0, 0]));
});
(async () => { for await (const line of require('readline').createInterface({input: process.stdin})) console.log(await call(line)); process.exit(0); })();
`

func TestGRPCErrorWithNode(t *testing.T) {
	_, listener, served := grpcServer(t)
	p, _ := beforeWeb(t, listener.Addr().String(), "grpc_error", map[string]any{"code": "PERMISSION_DENIED", "message": "no", "method": "/Check$"})
	ask := node(t, grpcNode, "http://"+p.Addr().String())
	assert.Equal(t, "0  goaway=0", ask("/grpc.health.v1.Health/Check"))
	p.Arm("f")
	for range 3 {
		assert.Equal(t, "7 no goaway=0", ask("/grpc.health.v1.Health/Check"))
		assert.Equal(t, "0  goaway=0", ask("/grpc.health.v1.Health/List"))
	}
	p.Lift("f")
	assert.Equal(t, "0  goaway=0", ask("/grpc.health.v1.Health/Check"))
	assert.EqualValues(t, 1, listener.accepted.Load(), "the same connection works again")
	assert.EqualValues(t, 5, served.Load())
}
