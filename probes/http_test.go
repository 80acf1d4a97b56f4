package probes

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// thread is a sound server's answer to POST /threads.
const thread = `{"thread":{"id":7,"title":"hello","pi":3.10,"open":true,"owner":null,"messages":[{"role":"user"},{"role":"agent"}]}}`

func soundHTTP(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /threads", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"title":"hello"}` || r.Header.Get("X-Kind") != "probe" || r.Host != "threads.example" {
			http.Error(w, fmt.Sprintf("bad request: body %q, host %s", body, r.Host), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, thread)
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
	mux.HandleFunc("GET /starting", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "{\"status\":\"starting\",\n \"phase\":\"database\"}")
	})
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/health", http.StatusFound) })
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, strings.Repeat("-", 180)+r.Header.Get("Authorization")+r.URL.RawQuery)
	})
	mux.HandleFunc("GET /empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("OPTIONS /threads", preflight)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func preflight(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "https://app.example" || r.Header.Get("Access-Control-Request-Method") == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "https://app.example")
	w.Header().Set("Access-Control-Allow-Methods", "GET, PUT")
	w.Header().Set("Access-Control-Allow-Headers", "Content-Type, *")
	w.WriteHeader(http.StatusNoContent)
}

func TestHTTPHolds(t *testing.T) {
	server := soundHTTP(t)
	post := HTTP{URL: server.URL + "/threads", Method: "post", Body: `{"title":"hello"}`, Status: 201,
		Headers: map[string]string{"X-Kind": "probe", "Host": "threads.example"}}
	with := func(change func(h *HTTP)) HTTP {
		h := post
		change(&h)
		return h
	}
	value := func(path string, equals any) HTTP {
		return with(func(h *HTTP) { h.JSON, h.Equals = path, equals })
	}
	for name, h := range map[string]HTTP{
		"plain":                 {URL: server.URL + "/health"},
		"match":                 {URL: server.URL + "/health", Match: "^fine$"},
		"redirect is a 302":     {URL: server.URL + "/moved", Status: 302, Header: map[string]string{"location": "^/health$"}},
		"redirect is below 400": {URL: server.URL + "/moved"},
		"expected refusal":      {URL: server.URL + "/starting", Status: 503, JSON: "$.phase", Equals: "database"},
		"post":                  post,
		"header":                with(func(h *HTTP) { h.Header = map[string]string{"Content-Type": "json", "Date": ""} }),
		"json exists":           value("$.thread.id", nil),
		"json number":           value("$.thread.id", 7),
		"json by value":         value("$.thread.pi", 3.1),
		"json as text":          value("$.thread.id", "7"),
		"json bool":             value("$.thread.open", true),
		"json list":             value("$.thread.messages[1].role", "agent"),
		"json quoted":           value(`$["thread"]['title']`, "hello"),
		"json object":           value("$.thread.messages[0]", map[string]any{"role": "user"}),
		"json whole list":       value("$.thread.messages", []any{map[string]any{"role": "user"}, map[string]any{"role": "agent"}}),
		"cors simple":           {URL: server.URL + "/threads", CORS: "https://app.example", Method: "POST"},
		"cors put": {URL: server.URL + "/threads", CORS: "https://app.example", Method: "PUT", Status: 204,
			Headers: map[string]string{"X-Kind": "probe", "Content-Type": "application/json"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, Spec{HTTP: &h}, Env{})
			require.NoError(t, err)
			assert.NotZero(t, got.Status)
		})
	}
}

func TestHTTPFailsWithTheReason(t *testing.T) {
	server := soundHTTP(t)
	post := func(path string, equals any) HTTP {
		return HTTP{URL: server.URL + "/threads", Method: "POST", Body: `{"title":"hello"}`, JSON: path, Equals: equals,
			Headers: map[string]string{"X-Kind": "probe", "Host": "threads.example"}}
	}
	cors := func(origin, method string, headers map[string]string) HTTP {
		return HTTP{URL: server.URL + "/threads", CORS: origin, Method: method, Headers: headers}
	}
	for name, c := range map[string]struct {
		http HTTP
		want string // after the URL
	}{
		"status":         {HTTP{URL: server.URL + "/starting"}, `: expected status 200..399, got 503: {"status":"starting", "phase":"database"}`},
		"other status":   {HTTP{URL: server.URL + "/health", Status: 204}, ": expected status 204, got 200: fine"},
		"empty body":     {HTTP{URL: server.URL + "/empty"}, ": expected status 200..399, got 502"},
		"not found":      {HTTP{URL: server.URL + "/nowhere"}, ": expected status 200..399, got 404: 404 page not found"},
		"match":          {HTTP{URL: server.URL + "/health", Match: "good"}, ": expected a body that matches good, got fine"},
		"match of empty": {HTTP{URL: server.URL + "/empty", Status: 502, Match: "x"}, ": expected a body that matches x, got an empty body"},
		"header":         {HTTP{URL: server.URL + "/health", Header: map[string]string{"X-Y": ""}}, ": expected header X-Y, got none"},
		"header value": {HTTP{URL: server.URL + "/health", Header: map[string]string{"Content-Type": "json"}},
			": expected header Content-Type that matches json, got text/plain; charset=utf-8"},
		"json value":    {post("$.thread.title", "bye"), `: expected $.thread.title = "bye", got "hello"`},
		"json type":     {post("$.thread.title", 7), `: expected $.thread.title = 7, got "hello"`},
		"json null":     {post("$.thread.owner", nil), `: expected $.thread.owner to exist, got null`},
		"json field":    {post("$.thread.messages[0].text", nil), `: expected $.thread.messages[0].text to exist, got $.thread.messages[0] = {"role":"user"} without a field text`},
		"json index":    {post("$.thread.messages[2]", nil), `: expected $.thread.messages[2] to exist, got $.thread.messages with 2 elements`},
		"json no list":  {post("$.thread.title[0]", nil), `got $.thread.title = "hello", which is no list`},
		"json no map":   {post("$.thread.title.x", nil), `got $.thread.title = "hello", which is no object`},
		"not json":      {HTTP{URL: server.URL + "/health", JSON: "$.status"}, ": expected $.status to exist, got a body that is not JSON: fine"},
		"cors origin":   {cors("https://evil.example", "GET", nil), ": expected status 200..299 to a preflight, got 403"},
		"cors method":   {cors("https://app.example", "DELETE", nil), "expected Access-Control-Allow-Methods with DELETE, got GET, PUT"},
		"cors header":   {cors("https://app.example", "PUT", map[string]string{"Authorization": "Bearer " + secret}), "expected Access-Control-Allow-Headers with authorization, got Content-Type, *"},
		"cors no route": {HTTP{URL: server.URL + "/health", CORS: "https://app.example"}, ": expected status 200..299 to a preflight, got 405: Method Not Allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, Spec{HTTP: &c.http}, Env{})
			require.Error(t, err)
			assert.ErrorContains(t, err, c.want)
			assert.Contains(t, err.Error(), c.http.URL)
		})
	}
}

func TestHTTPConnectionRefused(t *testing.T) {
	address := closedPort(t)
	_, err := ask(t, Spec{HTTP: &HTTP{URL: "http://" + address + "/ready"}}, Env{})
	assert.EqualError(t, err, "GET http://"+address+"/ready: expected status 200..399, got connection refused")
}

func TestHTTPNeverShowsSecrets(t *testing.T) {
	server := soundHTTP(t)
	host := strings.TrimPrefix(server.URL, "http://")
	for name, h := range map[string]HTTP{
		"userinfo":       {URL: "http://user:hunter2hunter2@" + host + "/nowhere"},
		"header echoed":  {URL: server.URL + "/echo", Headers: map[string]string{"Authorization": "Bearer hunter2hunter2"}},
		"query":          {URL: server.URL + "/nowhere?access_token=hunter2hunter2&x=1"},
		"query echoed":   {URL: server.URL + "/echo?access_token=hunter2hunter2&x=1"},
		"bad connection": {URL: "http://user:hunter2hunter2@" + closedPort(t) + "/?password=hunter2hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, Spec{HTTP: &h}, Env{})
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "hunter2")
			assert.Contains(t, err.Error(), "xxxxx")
		})
	}
}

func TestHTTPSWithAnUntrustedCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := ask(t, Spec{HTTP: &HTTP{URL: server.URL}}, Env{})
	require.ErrorContains(t, err, "got a TLS certificate that cannot be trusted: x509")

	plain := soundHTTP(t)
	plain.Config.ErrorLog = quiet()
	_, err = ask(t, Spec{HTTP: &HTTP{URL: strings.Replace(plain.URL, "http", "https", 1)}}, Env{})
	require.Error(t, err)
	assert.Regexp(t, "not TLS|HTTP response to HTTPS client", err.Error())
}

func TestHTTPBoundsTheBody(t *testing.T) {
	const chunk = 64 << 10
	sent := make(chan int, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("/huge", func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for range 100 << 20 / chunk {
			m, err := io.WriteString(w, strings.Repeat("x", chunk))
			if n += m; err != nil {
				break
			}
		}
		sent <- n
	})
	release := make(chan struct{})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		<-release
	})
	mux.HandleFunc("/endless503", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "warming up")
		w.(http.Flusher).Flush()
		<-release
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	timeout := timeline.Duration(2 * time.Second)

	_, err := ask(t, Spec{HTTP: &HTTP{URL: server.URL + "/huge"}}, Env{})
	require.NoError(t, err, "what is not looked at need not be read")
	assert.Less(t, <-sent, 50<<20, "the rest is not read")
	_, err = ask(t, Spec{HTTP: &HTTP{URL: server.URL + "/huge", JSON: "$"}}, Env{})
	require.ErrorContains(t, err, "expected a JSON body, got more than 1 MiB")

	got, err := ask(t, Spec{HTTP: &HTTP{URL: server.URL + "/endless"}, Timeout: timeout}, Env{})
	require.ErrorContains(t, err, "expected a complete answer, got status 200 and 6 bytes of a body that did not end: no answer within 2s")
	assert.Equal(t, Answer{200, "first "}, got)
	_, err = ask(t, Spec{HTTP: &HTTP{URL: server.URL + "/endless503"}, Timeout: timeout}, Env{})
	require.ErrorContains(t, err, "got 503: warming up", "a wrong status tells more than a body without an end")
	_, err = ask(t, Spec{HTTP: &HTTP{URL: server.URL + "/headers"}}, Env{})
	require.ErrorContains(t, err, "expected status 200..399, got ")
}

func TestHTTPUsesAFreshConnectionForEachAttempt(t *testing.T) {
	remotes := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { remotes[r.RemoteAddr] = true }))
	defer server.Close()
	p, err := New(Spec{HTTP: &HTTP{URL: server.URL}}, Env{})
	require.NoError(t, err)
	for range 5 {
		_, err := p(t.Context())
		require.NoError(t, err)
	}
	assert.Len(t, remotes, 5)
}

func TestHTTPReadsTheAnswerOfAServerThatDoesNotWaitForTheBody(t *testing.T) {
	address := serve(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo much")
		_, _ = io.CopyN(io.Discard, c, 1<<10)
	})
	h := HTTP{URL: "http://" + address + "/", Method: "POST", Body: strings.Repeat("x", 8<<20)}
	got, err := ask(t, Spec{HTTP: &h}, Env{})
	if err == nil || got.Status == 0 { // the reset of the closed connection may overtake the answer
		require.ErrorContains(t, err, "got connection reset")
		return
	}
	require.EqualError(t, err, "POST http://"+address+"/: expected status 200..399, got 413: too much")
}

func TestHTTPSendsBasicAuthOfTheURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); !ok || user != "admin" || password != "p@ss" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	_, err := ask(t, Spec{HTTP: &HTTP{URL: strings.Replace(server.URL, "http://", "http://admin:p%40ss@", 1)}}, Env{})
	require.NoError(t, err)
}
