package loadgen

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
	"github.com/chaos-startup/chaos/traffic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func step(t *testing.T, spec probes.Spec) Step {
	t.Helper()
	kind, err := spec.Kind()
	require.NoError(t, err)
	probe, err := probes.New(spec, probes.Env{})
	require.NoError(t, err)
	return Step{Name: kind, Weight: 1, Kind: kind, Probe: probe, Timeout: spec.Timing().Timeout}
}

func get(t *testing.T, url string, timeout time.Duration) Step {
	t.Helper()
	return step(t, probes.Spec{HTTP: &probes.HTTP{URL: url}, Timeout: timeline.Duration(timeout)})
}

// total is the summary of all steps.
func total(events []traffic.Event) map[string]float64 { return events[len(events)-1].Count }

// play runs a load to its end; the claim is there at once.
func play(t *testing.T, load traffic.Load, most int, steps ...Step) map[string]float64 {
	t.Helper()
	g := New(load, steps, most)
	g.Claimed(time.Now())
	g.Run(t.Context(), t.Context(), time.Now())
	return total(g.Events("complete"))
}

// A service that answers nobody for a while gets its requests all the same, and their latency is what their users waited.
func TestOpenLoop(t *testing.T) {
	var open, most atomic.Int64
	gate := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		most.Store(max(most.Load(), open.Add(1)))
		if most.Load() == 40 {
			close(gate) // nobody was answered before all had come
		}
		<-gate
		open.Add(-1)
	}))
	defer server.Close()
	c := play(t, traffic.Load{Rate: 200, For: 200 * time.Millisecond}, 1000, get(t, server.URL, 20*time.Second))
	assert.EqualValues(t, 40, c["requests"])
	assert.EqualValues(t, 40, c["ok"])
	assert.GreaterOrEqual(t, c["max_ms"], 195.0-5, "the first waited until the last was sent")
	assert.Less(t, c["p50_ms"], c["max_ms"])
}

func TestStampede(t *testing.T) {
	var come sync.WaitGroup
	come.Add(100)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		come.Done()
		come.Wait() // answered when all are there: none waits for another to be answered
	}))
	defer server.Close()
	c := play(t, traffic.Load{Stampede: 100}, 1000, get(t, server.URL, 20*time.Second))
	assert.EqualValues(t, 100, c["ok"])
}

func TestFromTheStart(t *testing.T) {
	var claimed atomic.Bool
	early := make(chan struct{}, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !claimed.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			early <- struct{}{}
		}
	}))
	defer server.Close()
	g := New(traffic.Load{Rate: 500, For: 100 * time.Millisecond, FromStart: true, Stampede: 10}, []Step{get(t, server.URL, time.Second)}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(t.Context(), t.Context(), time.Now())
	}()
	for range 5 {
		<-early
	}
	claimed.Store(true)
	g.Claimed(time.Now())
	g.Claimed(time.Now().Add(time.Hour)) // a claim that comes again changes nothing
	<-done
	c := total(g.Events("complete"))
	assert.GreaterOrEqual(t, c["early_unavailable"], 5.0)
	assert.Zero(t, c["early_bad"])
	assert.GreaterOrEqual(t, c["requests"], 50.0, "a tenth of a second, and the stampede")
	assert.LessOrEqual(t, c["requests"], 62.0)
}

func TestWithoutAClaimNothingIsSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := New(traffic.Load{Rate: 10, For: time.Second}, []Step{get(t, "http://127.0.0.1:1", time.Second)}, 10)
	g.Run(ctx, ctx, time.Now())
	_, started := g.Started()
	assert.False(t, started)
}

// Requests that would be too many are not sent, and told as the generator's own failure.
func TestOpenRequestsAreBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var open, most atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), open.Add(1)))
		<-r.Context().Done()
		open.Add(-1)
	}))
	defer server.Close()
	g := New(traffic.Load{Stampede: 100}, []Step{get(t, server.URL, time.Minute)}, 7)
	g.Claimed(time.Now())
	time.AfterFunc(200*time.Millisecond, cancel)
	began := time.Now()
	g.Run(ctx, ctx, time.Now())
	assert.Less(t, time.Since(began), 20*time.Second, "it ends at once, not when its requests time out")
	c := total(g.Events("interrupted"))
	assert.EqualValues(t, 93, c["unsent"])
	assert.EqualValues(t, 7, c["cut"])
	assert.Zero(t, c["errors"], "what was cut off says nothing of the service")
	assert.LessOrEqual(t, most.Load(), int64(7))
}

// What a request met is told by its kind, on real connections.
func TestKinds(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.WriteHeader(code)
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/reset", func(w http.ResponseWriter, _ *http.Request) { end(t, w, true) })
	mux.HandleFunc("/close", func(w http.ResponseWriter, _ *http.Request) { end(t, w, false) })
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		end(t, w, false)
	})
	mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "never the end")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for text := strings.Repeat("x", 1<<16); ; {
			if _, err := io.WriteString(w, text); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_ = c.Close(websocket.StatusInternalError, "not yet")
		}
	})
	mux.HandleFunc("/silent-ws", func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			for err == nil {
				_, _, err = c.Read(r.Context())
			}
			_ = c.CloseNow()
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	chat := func(path string) Step {
		return step(t, probes.Spec{Timeout: timeline.Duration(time.Second),
			WebSocket: &probes.WebSocket{URL: "ws" + strings.TrimPrefix(server.URL, "http") + path, Send: "hi", Expect: []string{"hello"}}})
	}
	for name, c := range map[string]struct {
		step Step
		want traffic.Kind
	}{
		"answered":                 {get(t, server.URL+"/status/204", time.Second), traffic.OK},
		"closed port":              {get(t, closed.URL, time.Second), traffic.Refused},
		"503":                      {get(t, server.URL+"/status/503", time.Second), traffic.Unavailable},
		"500":                      {get(t, server.URL+"/status/500", time.Second), traffic.Status},
		"404":                      {get(t, server.URL+"/status/404", time.Second), traffic.Status},
		"no answer":                {get(t, server.URL+"/hang", 100*time.Millisecond), traffic.Hang},
		"reset":                    {get(t, server.URL+"/reset", 5*time.Second), traffic.Reset},
		"closed":                   {get(t, server.URL+"/close", 5*time.Second), traffic.Closed},
		"half a body":              {get(t, server.URL+"/half", 5*time.Second), traffic.Closed},
		"body that does not end":   {get(t, server.URL+"/drip", 200*time.Millisecond), traffic.Hang},
		"body without end":         {get(t, server.URL+"/endless", 20*time.Second), traffic.OK}, // its status was asked for; a part was read
		"WebSocket that is closed": {chat("/ws"), traffic.Dropped},
		"WebSocket without a word": {chat("/silent-ws"), traffic.Hang},
		"WebSocket 503":            {chat("/status/503"), traffic.Unavailable},
		"WebSocket 500":            {chat("/status/500"), traffic.Status},
		"wrong answer": {step(t, probes.Spec{HTTP: &probes.HTTP{URL: server.URL + "/status/200", Status: 201}}),
			traffic.Wrong},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			answer, err := c.step.Probe(t.Context())
			got, _ := classify(t.Context(), c.step, answer, err, time.Since(began))
			assert.Equal(t, c.want, got, "%v", err)
		})
	}
}

// end takes the connection from the server and ends it.
func end(t *testing.T, w http.ResponseWriter, reset bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if !assert.NoError(t, err) {
		return
	}
	if reset {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	_ = c.Close()
}
