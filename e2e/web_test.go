package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// beforeWeb starts a proxy before a real server, with one dormant fault of the id f. bites gets what the fault says of its bites.
func beforeWeb(t *testing.T, upstream, kind string, value any) (p *proxy.Proxy, bites chan string) {
	t.Helper()
	fault, problems := faults.Parse(kind, value)
	require.Empty(t, problems)
	bites = make(chan string, 100)
	p, err := proxy.Start(context.Background(), proxy.Config{
		Name: kind, Upstream: upstream, Seed: 1, Injections: []proxy.Injection{{ID: "f", Fault: fault}},
		On: func(e proxy.Event) {
			switch e.Kind {
			case proxy.Bite:
				bites <- e.Text
			case proxy.Panic:
				t.Error(e.Err)
			}
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, p.Close(ctx))
	})
	return p, bites
}

// bittenWeb waits for a bite and compares it.
func bittenWeb(t *testing.T, bites chan string, want string) {
	t.Helper()
	select {
	case text := <-bites:
		assert.Equal(t, want, text)
	case <-time.After(patience):
		t.Error("it never bit")
	}
}

// webServer is net/http's, and counts what it serves.
func webServer(t *testing.T) (addr string, served *atomic.Int64) {
	t.Helper()
	served = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, "%s of %d bytes", r.Method, n)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), served
}

// browser is a net/http client and knows which connection it used last.
type browser struct {
	http.Client
	base string
	used net.Conn
}

func browse(t *testing.T, p *proxy.Proxy) *browser {
	transport := &http.Transport{DisableCompression: true, ResponseHeaderTimeout: patience, ExpectContinueTimeout: patience}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{Client: http.Client{Transport: transport, Timeout: patience}, base: "http://" + p.Addr().String()}
}

// do returns status and body, or the error, and the head.
func (b *browser) do(t *testing.T, method, path, body string, edit ...func(*http.Request)) (string, http.Header) {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { b.used = i.Conn }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace), method, b.base+path, strings.NewReader(body))
	require.NoError(t, err)
	for _, e := range edit {
		e(r)
	}
	answer, err := b.Do(r)
	if err != nil {
		return strings.ReplaceAll(err.Error(), b.base, ""), nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Sprintf("%s %s: %v", answer.Status, text, err), answer.Header
	}
	return fmt.Sprintf("%s %s", answer.Status, text), answer.Header
}

// chunked hides the length of a body.
func chunked(r *http.Request) { r.ContentLength = -1 }

const unavailable = "503 Service Unavailable Service Unavailable\n"

func TestHTTPErrorOnLiveConnections(t *testing.T) {
	addr, served := webServer(t)
	p, bites := beforeWeb(t, addr, "http_error", map[string]any{"retry_after": "30s"})
	b := browse(t, p)
	got, _ := b.do(t, "GET", "/", "")
	require.Equal(t, "200 OK GET of 0 bytes", got)
	first := b.used
	for range 3 {
		p.Arm("f")
		for _, c := range []struct {
			method, body string
			edit         func(*http.Request)
		}{{"GET", "", func(*http.Request) {}}, {"POST", "hello", func(*http.Request) {}}, {"PUT", strings.Repeat("x", 100_000), chunked}} {
			got, head := b.do(t, c.method, "/v1?token=secret", c.body, c.edit)
			assert.Equal(t, unavailable, got)
			assert.Equal(t, "30", head.Get("Retry-After"))
			assert.Equal(t, "text/plain; charset=utf-8", head.Get("Content-Type"))
			when, err := http.ParseTime(head.Get("Date"))
			assert.NoError(t, err)
			assert.WithinDuration(t, time.Now(), when, patience)
		}
		got, head := b.do(t, "HEAD", "/", "")
		assert.Equal(t, "503 Service Unavailable ", got)
		assert.Equal(t, "20", head.Get("Content-Length"))
		assert.Same(t, first, b.used, "kept alive under the fault")
		bittenWeb(t, bites, "answered GET /v1 with 503")

		earlier := served.Load()
		p.Lift("f")
		got, _ = b.do(t, "POST", "/", "hello")
		assert.Equal(t, "200 OK POST of 5 bytes", got)
		assert.Same(t, first, b.used, "the same connection works again")
		assert.Equal(t, earlier+1, served.Load())
	}
	assert.EqualValues(t, 4, served.Load(), "nothing reached the server while the fault was on")
}

func TestHTTPErrorOnNewConnections(t *testing.T) {
	addr, served := webServer(t)
	p, _ := beforeWeb(t, addr, "http_error", map[string]any{"status": 429, "body": `{"error":"slow down"}`, "content_type": "application/json", "path": "^/v1/"})
	p.Arm("f")
	b := browse(t, p)
	got, head := b.do(t, "GET", "/v1/models", "")
	assert.Equal(t, `429 Too Many Requests {"error":"slow down"}`, got)
	assert.Equal(t, "application/json", head.Get("Content-Type"))
	first := b.used
	got, _ = b.do(t, "GET", "/health", "")
	assert.Equal(t, "200 OK GET of 0 bytes", got)
	assert.Same(t, first, b.used)
	assert.EqualValues(t, 1, served.Load())
	p.Lift("f")
	got, _ = b.do(t, "GET", "/v1/models", "")
	assert.Equal(t, "200 OK GET of 0 bytes", got)
	assert.Same(t, first, b.used)
}

func TestHTTPErrorLongUploads(t *testing.T) {
	addr, served := webServer(t)
	p, _ := beforeWeb(t, addr, "http_error", nil)
	p.Arm("f")
	b := browse(t, p)
	got, _ := b.do(t, "POST", "/", "hello", func(r *http.Request) { r.Header.Set("Expect", "100-continue") })
	assert.Equal(t, unavailable, got, "Expect: 100-continue")
	first := b.used
	got, _ = b.do(t, "GET", "/", "")
	assert.Equal(t, unavailable, got)
	assert.NotSame(t, first, b.used, "that answer closes its connection")
	assert.Zero(t, served.Load())
	p.Lift("f")
	got, _ = b.do(t, "POST", "/", strings.Repeat("x", 1<<20), func(r *http.Request) { r.Header.Set("Expect", "100-continue") })
	assert.Equal(t, "200 OK POST of 1048576 bytes", got)
}

// TestHTTPErrorArmedInAnUpload: the request whose body is coming in passes to its end, and so does its answer.
func TestHTTPErrorArmedInAnUpload(t *testing.T) {
	for name, edit := range map[string]func(*http.Request){"length": func(r *http.Request) { r.ContentLength = 100_010 }, "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			addr, served := webServer(t)
			p, _ := beforeWeb(t, addr, "http_error", nil)
			b := browse(t, p)
			body, in := io.Pipe()
			got := make(chan string, 1)
			go func() {
				text, _ := b.do(t, "POST", "/", "", func(r *http.Request) { r.Body = body; edit(r) })
				got <- text
			}()
			_, err := io.WriteString(in, strings.Repeat("a", 50_000)) // taken by the transport, so that the head is on its way
			require.NoError(t, err)
			require.Eventually(t, func() bool { return served.Load() == 1 }, patience, time.Millisecond)
			p.Arm("f")
			_, err = io.WriteString(in, "GET / HTTP/1.1\r\n"[:10]+strings.Repeat("b", 50_000))
			require.NoError(t, err)
			require.NoError(t, in.Close())
			assert.Equal(t, "200 OK POST of 100010 bytes", <-got)
			first := b.used
			text, _ := b.do(t, "GET", "/", "")
			assert.Equal(t, unavailable, text)
			assert.Same(t, first, b.used)
		})
	}
}

func TestHTTPErrorCutAndSlow(t *testing.T) {
	addr, _ := webServer(t)
	p, _ := beforeWeb(t, addr, "http_error", map[string]any{"cut": 7})
	p.Arm("f")
	b := browse(t, p)
	got, _ := b.do(t, "GET", "/", "")
	assert.Equal(t, "503 Service Unavailable Service: unexpected EOF", got)
	p.Lift("f")
	got, _ = b.do(t, "GET", "/", "")
	assert.Equal(t, "200 OK GET of 0 bytes", got)

	slow, _ := beforeWeb(t, addr, "http_error", map[string]any{"slow_headers": "50ms"})
	slow.Arm("f")
	began := time.Now()
	got, _ = browse(t, slow).do(t, "GET", "/", "")
	assert.Equal(t, unavailable, got)
	assert.GreaterOrEqual(t, time.Since(began), 250*time.Millisecond)

	never, _ := beforeWeb(t, addr, "http_error", map[string]any{"slow_headers": "1h"})
	b = browse(t, never)
	never.Arm("f")
	b.Transport.(*http.Transport).ResponseHeaderTimeout = 100 * time.Millisecond
	got, _ = b.do(t, "GET", "/", "")
	assert.Equal(t, `Get "/": net/http: timeout awaiting response headers`, got)
}

func TestHTTPErrorWithCurl(t *testing.T) {
	addr, served := webServer(t)
	p, _ := beforeWeb(t, addr, "http_error", map[string]any{"retry_after": "2s"})
	url := "http://" + p.Addr().String()
	p.Arm("f")
	// Two requests over one connection, one of them with a body for which curl asks first.
	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, make([]byte, 1<<21), 0o600))
	got := runs(t, "curl", "-s", "-w", "%{http_code} %{num_connects} %header{retry-after}\n", url+"/a", url+"/b")
	assert.Equal(t, "Service Unavailable\n503 1 2\nService Unavailable\n503 0 2\n", got)
	got = runs(t, "curl", "-s", "-w", "%{http_code}\n", "-H", "Expect: 100-continue", "--data-binary", "@"+large, url+"/c")
	assert.Equal(t, "Service Unavailable\n503\n", got)
	got = runs(t, "curl", "-s", "-w", "%{http_code}\n", "-H", "Expect:", "--data-binary", "@"+large, url+"/d")
	assert.Equal(t, "Service Unavailable\n503\n", got)
	assert.Contains(t, runs(t, "curl", "-sS", "-f", url), "curl: (22) The requested URL returned error: 503")
	assert.Zero(t, served.Load())
	p.Lift("f")
	assert.Equal(t, "GET of 0 bytes", runs(t, "curl", "-sS", "-f", url))
	// h2c with prior knowledge is not HTTP/1: it passes, and this server does not speak it.
	p.Arm("f")
	assert.Contains(t, runs(t, "curl", "-sS", "--http2-prior-knowledge", url), "curl: (")

	short, _ := beforeWeb(t, addr, "http_error", map[string]any{"cut": 7})
	short.Arm("f")
	assert.Contains(t, runs(t, "curl", "-sS", "http://"+short.Addr().String()), "curl: (18) transfer closed with 13 bytes remaining to read")
}

// nodeClient asks over and over with one agent; each line of its input is one request, and says by which client.
const nodeClient = `
const http = require('http'), agent = new http.Agent({keepAlive: true, maxSockets: 1}), base = process.argv[1];
const viaHTTP = () => new Promise(done => http.get(base, {agent}, r => {
  let text = ''; r.on('data', d => text += d);
  r.on('end', () => done('http ' + r.statusCode + ' reused=' + r.req.reusedSocket + ' ' + text.trim()));
  r.on('error', e => done('http ' + e.code + ' ' + e.message));
}).on('error', e => done('http ' + e.code + ' ' + e.message)));
const viaFetch = async () => {
  try { const r = await fetch(base); return 'fetch ' + r.status + ' ' + (await r.text()).trim(); }
  catch (e) { return 'fetch ' + e.message + ': ' + (e.cause ? e.cause.message : ''); }
};
(async () => { for await (const line of require('readline').createInterface({input: process.stdin}))
  console.log(await (line === 'http' ? viaHTTP() : viaFetch())); process.exit(0); })();
`

func TestHTTPErrorWithNode(t *testing.T) {
	addr, _ := webServer(t)
	p, _ := beforeWeb(t, addr, "http_error", nil)
	ask := node(t, nodeClient, "http://"+p.Addr().String())
	assert.Equal(t, "http 200 reused=false GET of 0 bytes", ask("http"))
	assert.Equal(t, "fetch 200 GET of 0 bytes", ask("fetch"))
	p.Arm("f")
	assert.Equal(t, "http 503 reused=true Service Unavailable", ask("http"))
	assert.Equal(t, "fetch 503 Service Unavailable", ask("fetch"))
	p.Lift("f")
	assert.Equal(t, "http 200 reused=true GET of 0 bytes", ask("http"))
	assert.Equal(t, "fetch 200 GET of 0 bytes", ask("fetch"))

	short, _ := beforeWeb(t, addr, "http_error", map[string]any{"cut": 7})
	short.Arm("f")
	ask = node(t, nodeClient, "http://"+short.Addr().String())
	assert.Equal(t, "http ECONNRESET aborted", ask("http"))
	assert.Contains(t, ask("fetch"), "fetch terminated")
}
