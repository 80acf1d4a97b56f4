package probes

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// answer reads the head of a request and then writes.
func answer(head string, body func(c net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
		_, _ = io.WriteString(c, head)
		body(c)
	}
}

// dribble writes a byte every millisecond until the peer goes.
func dribble(text string) func(net.Conn) {
	return func(c net.Conn) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			for i := range len(text) {
				<-tick.C
				if _, err := io.WriteString(c, text[i:i+1]); err != nil {
					return
				}
			}
		}
	}
}

const ok200 = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

// hundredMB is a body that nobody should read to its end.
func hundredMB(c net.Conn) { again(c, strings.Repeat("up 1 is not all\n", 4<<10), 100<<20) }

// monsters are HTTP servers with an answer that is too slow or too long.
func monsters() map[string]func(net.Conn) {
	return map[string]func(net.Conn){
		"slow headers":      answer("HTTP/1.1 200 OK\r\n", dribble("X-Slow: 1\r\n")),
		"never-ending body": answer(ok200+"Transfer-Encoding: chunked\r\n\r\n", dribble("1\r\nx\r\n")),
		"100 MB of body":    answer(ok200+"Content-Length: 104857600\r\n\r\n", hundredMB),
		"100 MB of chunks":  answer(ok200+"Transfer-Encoding: chunked\r\n\r\n", func(c net.Conn) { again(c, "8000\r\n"+strings.Repeat("y", 32<<10)+"\r\n", 100<<20) }),
		"100 MB of headers": answer(ok200, func(c net.Conn) { again(c, strings.Repeat("X-Long: "+strings.Repeat("z", 500)+"\r\n", 64), 100<<20) }),
	}
}

// askers are the probes that speak HTTP, each wanting something of the body.
func askers(address string) map[string]Spec {
	url := "http://" + address
	return map[string]Spec{
		"http":       {HTTP: &HTTP{URL: url, JSON: "$.status"}},
		"clickhouse": {ClickHouse: &ClickHouse{URL: url, Query: "SELECT 1"}},
		"metrics":    {Metrics: &Metrics{URL: url, Name: "up"}},
		"jwt":        {JWT: &JWT{URL: url, Secret: "hunter2hunter2", Tampered: &JWTCase{Skip: true}}},
		"rate limit": {HTTP: &HTTP{URL: url, RateLimit: &RateLimit{Allowed: 1}}},
		"websocket":  {WebSocket: &WebSocket{URL: strings.Replace(url, "http", "ws", 1)}},
		"captured":   {HTTP: &HTTP{URL: url}, Capture: map[string]string{"id": "$.id"}, Then: &Spec{TCP: &TCP{Address: "127.0.0.1:1"}}},
	}
}

// Whatever a server answers, an attempt ends in time and takes little memory.
func TestAnAttemptIsBoundedInTimeAndMemory(t *testing.T) {
	const limit = 48 << 20 // allocated in all, by both sides: of 100 MB that are offered
	for name, handle := range monsters() {
		address := serve(t, handle)
		for kind, s := range askers(address) {
			t.Run(name+", "+kind, func(t *testing.T) {
				s.Timeout = timeline.Duration(300 * time.Millisecond)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := ask(t, s, Env{})
				runtime.ReadMemStats(&after)
				require.Error(t, err)
				assert.Contains(t, err.Error(), "expected ")
				assert.NotContains(t, err.Error(), "hunter2")
				t.Logf("%d KiB", (after.TotalAlloc-before.TotalAlloc)>>10)
				assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(limit))
			})
		}
	}
}

// A probe that is held up by its server holds up no other.
func TestHostileServersDoNotDisturbOthers(t *testing.T) {
	sound := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, "up 1\n") })
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for _, handle := range monsters() {
		for _, s := range askers(serve(t, handle)) {
			s.Timeout = timeline.Duration(time.Minute)
			p, err := New(s, Env{})
			require.NoError(t, err)
			all.Go(func() {
				for ctx.Err() == nil {
					_, _ = p(ctx)
				}
			})
		}
	}
	value := 1.0
	p, err := New(Spec{Metrics: &Metrics{URL: sound, Name: "up", Value: &value}, Timeout: timeline.Duration(time.Minute)}, Env{})
	require.NoError(t, err)
	for range 20 {
		_, err := p(t.Context())
		require.NoError(t, err)
	}
}

func TestInvalidTLS(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	secure.Config.ErrorLog = quiet() // it tells of every client that hangs up
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := serveHTTP(t, func(http.ResponseWriter, *http.Request, string) {})
	for server, want := range map[string]string{
		secure.URL: "got a TLS certificate that cannot be trusted: ",
		strings.Replace(plain, "http", "https", 1): "got an answer that is not TLS",
	} {
		for kind, s := range askers(strings.TrimPrefix(server, "https://")) {
			secureSpec := s
			eachText(reflect.ValueOf(&secureSpec).Elem(), func(text string) string {
				return strings.NewReplacer("http://", "https://", "ws://", "wss://").Replace(text)
			})
			_, err := ask(t, secureSpec, Env{})
			require.ErrorContains(t, err, want, kind)
		}
	}
}
