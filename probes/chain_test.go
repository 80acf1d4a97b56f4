package probes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// shop keeps what is posted under a number of its own.
func shop(t *testing.T, lose bool) string {
	t.Helper()
	var mu sync.Mutex
	kept := map[string]string{}
	return serveHTTP(t, func(w http.ResponseWriter, r *http.Request, body string) {
		mu.Lock()
		defer mu.Unlock()
		switch id := strings.TrimPrefix(r.URL.Path, "/threads/"); {
		case r.Method == http.MethodPost:
			id = strconv.Itoa(len(kept) + 1)
			kept[id] = body
			if lose {
				kept[id] = ""
			}
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"thread":{"id":%s,"title":%q,"owner":null},"token":%q}`, id, body, secret)
		case kept[id] != "":
			_, _ = io.WriteString(w, kept[id])
		default:
			http.Error(w, r.Header.Get("X-Seen")+" is not known", http.StatusNotFound)
		}
	})
}

func TestThenSeesWhatWasCaptured(t *testing.T) {
	chain := func(url string) Spec {
		return Spec{
			HTTP:    &HTTP{URL: url + "/threads", Method: "POST", Body: "hello ${unique}", Status: 201},
			Capture: map[string]string{"id": "$.thread.id", "title": "$.thread.title", "token": "$.token"},
			Then: &Spec{
				HTTP:    &HTTP{URL: url + "/threads/${captured.id}", Match: "^${captured.title}$", Headers: map[string]string{"X-Seen": "${captured.token}"}},
				Capture: map[string]string{"whole": "$"},
				Then:    &Spec{HTTP: &HTTP{URL: url + "/threads/${captured.id}", Match: "^hello ${unique}$", Header: map[string]string{"Content-Length": "^22$"}}},
			},
		}
	}
	p, err := New(chain(shop(t, false)), Env{})
	require.NoError(t, err)
	bodies := map[string]bool{}
	for range 3 {
		got, err := p(t.Context())
		require.NoError(t, err)
		bodies[got.Body] = true
	}
	assert.Len(t, bodies, 3, "every attempt has a ${unique} of its own")

	p, err = New(chain(shop(t, true)), Env{})
	require.NoError(t, err)
	_, err = p(t.Context())
	require.ErrorContains(t, err, "then: GET http://127.0.0.1:")
	assert.ErrorContains(t, err, "/threads/1: expected status 200..399, got 404: xxxxx is not known")
}

func TestCaptureFailsWithTheReason(t *testing.T) {
	for name, c := range map[string]struct{ body, path, want string }{
		"no field": {`{"a":1}`, "$.b", `capture v: expected $.b, got $ = {"a":1} without a field b`},
		"null":     {`{"a":null}`, "$.a", "capture v: expected $.a, got null"},
		"no json":  {"hello", "$.a", "capture v: expected $.a, got a body that is not JSON: hello"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, c.body) })
			_, err := ask(t, Spec{HTTP: &HTTP{URL: url}, Capture: map[string]string{"v": c.path}, Then: &Spec{TCP: &TCP{Address: "h:1"}}}, Env{})
			assert.EqualError(t, err, c.want)
		})
	}
}

func TestPick(t *testing.T) {
	for _, c := range []struct{ body, path, want string }{
		{"plain \n", "$", "plain"},
		{`"text"`, "$", "text"},
		{"{\"a\":1}\nnoise\n{\"a\":2}\n", "$.a", "2"},
		{`{"a":[1.50,true,{"b":"c"}]}`, "$.a[0]", "1.50"},
		{`{"a":[1.50,true,{"b":"c"}]}`, "$.a[1]", "true"},
		{`{"a":[1.50,true,{"b":"c"}]}`, "$.a[2]", `{"b":"c"}`},
	} {
		path, err := parseJSONPath(c.path)
		require.NoError(t, err)
		got, err := path.pick(c.body)
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
}

func TestFillLeavesTheOriginalAlone(t *testing.T) {
	value := 1.5
	s := Spec{JWT: &JWT{URL: "${unique}", Claims: map[string]any{"sub": "${captured.a}", "list": []any{"${captured.a}", 1}, "none": nil},
		Valid: &JWTCase{URL: "${captured.b}"}}, Metrics: &Metrics{Value: &value}, WebSocket: &WebSocket{Expect: []string{"x", "${unique}"}}}
	got := fill(s, map[string]string{"unique": "u", "captured.a": "A"})
	assert.Equal(t, "u", got.JWT.URL)
	assert.Equal(t, map[string]any{"sub": "A", "list": []any{"A", 1}, "none": nil}, got.JWT.Claims)
	assert.Equal(t, "${captured.b}", got.JWT.Valid.URL, "what is not known stays")
	assert.Equal(t, []string{"x", "u"}, got.WebSocket.Expect)
	assert.Equal(t, "${unique}", s.JWT.URL)
	assert.Equal(t, []any{"${captured.a}", 1}, s.JWT.Claims["list"])
	assert.Equal(t, "${unique}", s.WebSocket.Expect[1])
	assert.Equal(t, []string{"captured.a", "captured.b", "unique"}, s.Mentioned())
}

func TestByAttempt(t *testing.T) {
	lookup := ByAttempt(func(name string) (string, error) { return "", errors.New("no " + name) })
	for _, name := range []string{"unique", "captured.id"} {
		got, err := lookup(name)
		require.NoError(t, err)
		assert.Equal(t, "${"+name+"}", got)
	}
	_, err := lookup("port.http")
	assert.EqualError(t, err, "no port.http")
}

// Five at once are only answered when five are there; each of the five is one attempt.
func TestParallelAsksAtOnce(t *testing.T) {
	const many = 5
	var here sync.WaitGroup
	here.Add(many)
	address := serve(t, func(c net.Conn) {
		here.Done()
		here.Wait()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	got, err := ask(t, Spec{HTTP: &HTTP{URL: "http://" + address + "/"}, Parallel: many}, Env{})
	require.NoError(t, err)
	assert.Equal(t, "ok", got.Body)
}

// The first that fails is told, and nobody waits for the others.
func TestParallelEndsWithTheFirstFailure(t *testing.T) {
	var mu sync.Mutex
	busy := false
	address := serve(t, func(c net.Conn) {
		mu.Lock()
		first := !busy
		busy = true
		mu.Unlock()
		if first {
			untilClosed(c) // for as long as it is waited for
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 503 x\r\nContent-Length: 4\r\n\r\nbusy")
	})
	_, err := ask(t, Spec{HTTP: &HTTP{URL: "http://" + address + "/"}, Parallel: 3}, Env{})
	assert.EqualError(t, err, "one of 3 at once: GET http://"+address+"/: expected status 200..399, got 503: busy")
}

func TestRateLimit(t *testing.T) {
	limited := func(t *testing.T, allowed int, refuse func(w http.ResponseWriter)) string {
		var mu sync.Mutex
		n := 0
		return serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
			mu.Lock()
			defer mu.Unlock()
			if n++; n > allowed {
				refuse(w)
			}
		})
	}
	tooMany := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	silent := func(w http.ResponseWriter) { w.WriteHeader(http.StatusTooManyRequests) }
	busy := func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	for name, c := range map[string]struct {
		allowed int
		refuse  func(w http.ResponseWriter)
		limit   RateLimit
		want    string
	}{
		"exactly":        {3, tooMany, RateLimit{Allowed: 3}, ""},
		"retry after":    {3, tooMany, RateLimit{Allowed: 3, RetryAfter: true}, ""},
		"refills":        {5, tooMany, RateLimit{Allowed: 3, Extra: 3}, ""},
		"other status":   {1, busy, RateLimit{Allowed: 1, Status: 503}, ""},
		"too strict":     {2, tooMany, RateLimit{Allowed: 3}, "request 3 of 3 that are allowed: GET URL: expected status 200..399, got 429"},
		"too late":       {4, tooMany, RateLimit{Allowed: 3}, "GET URL: expected status 429 to request 4, got 200"},
		"never":          {1e9, tooMany, RateLimit{Allowed: 3, Extra: 2}, "GET URL: expected status 429 to request 6, got 200"},
		"no retry after": {3, silent, RateLimit{Allowed: 3, RetryAfter: true}, "GET URL: expected Retry-After beside status 429, got none"},
		"another way":    {3, busy, RateLimit{Allowed: 3}, "request 4 of 3 that are allowed: GET URL: expected status 200..399, got 503"},
	} {
		t.Run(name, func(t *testing.T) {
			url := limited(t, c.allowed, c.refuse)
			got, err := ask(t, Spec{HTTP: &HTTP{URL: url, RateLimit: &c.limit}}, Env{})
			if c.want == "" {
				require.NoError(t, err)
				assert.GreaterOrEqual(t, got.Status, 400, "the answer is the refusal")
				return
			}
			assert.EqualError(t, err, strings.Replace(c.want, "URL", url, 1))
		})
	}
	for _, value := range []string{"Wed, 21 Oct 2015 07:28:00 GMT", "0", "120"} {
		assert.True(t, isRetryAfter(value), value)
	}
	for _, value := range []string{"", "-1", "soon"} {
		assert.False(t, isRetryAfter(value), value)
	}
}

func TestCORSRefusedAndMore(t *testing.T) {
	server := soundHTTP(t)
	echo := serveHTTP(t, func(w http.ResponseWriter, r *http.Request, _ string) { // believes everybody
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		w.Header().Set("Access-Control-Allow-Methods", "*")
	})
	star := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
	})
	const app, evil = "https://app.example", "https://evil.example"
	for name, c := range map[string]struct {
		http HTTP
		want string
	}{
		"refused":         {HTTP{URL: server.URL + "/threads", CORSRefused: evil}, ""},
		"both":            {HTTP{URL: server.URL + "/threads", CORS: app, CORSRefused: evil, CORSMethods: []string{"put"}}, ""},
		"methods":         {HTTP{URL: server.URL + "/threads", CORS: app, CORSMethods: []string{"PUT", "DELETE"}}, "expected Access-Control-Allow-Methods with DELETE, got GET, PUT"},
		"credentials":     {HTTP{URL: echo, CORS: app, CORSCredentials: true}, ""},
		"no credentials":  {HTTP{URL: server.URL + "/threads", CORS: app, CORSCredentials: true}, "expected Access-Control-Allow-Credentials true, got none"},
		"echo":            {HTTP{URL: echo, CORS: app, CORSRefused: evil}, "OPTIONS " + echo + ": expected " + evil + " refused, got Access-Control-Allow-Origin " + evil},
		"star":            {HTTP{URL: star, CORSRefused: evil}, "expected " + evil + " refused, got Access-Control-Allow-Origin *"},
		"star and cookie": {HTTP{URL: star, CORS: app, CORSCredentials: true}, "expected Access-Control-Allow-Origin " + app + ", got *"},
		"star methods":    {HTTP{URL: echo, CORS: app, CORSCredentials: true, CORSMethods: []string{"PUT"}}, "expected Access-Control-Allow-Methods with PUT, got *"},
		"star as method":  {HTTP{URL: echo, CORS: app, CORSMethods: []string{"PUT"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, Spec{HTTP: &c.http}, Env{})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestWebSocketReconnects(t *testing.T) {
	var mu sync.Mutex
	connections := map[string]int{}
	closed := make(chan websocket.StatusCode, 3)
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		mu.Lock()
		connections[r.URL.Path]++
		n := connections[r.URL.Path]
		mu.Unlock()
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		if r.URL.Path == "/once" && n > 1 {
			_ = c.Close(websocket.StatusPolicyViolation, "you are here already")
			return
		}
		say(r.Context(), c, "welcome")
		_, _, err = c.Read(r.Context())
		closed <- websocket.CloseStatus(err)
	})
	_, err := ask(t, Spec{WebSocket: &WebSocket{URL: url + "/again", Expect: []string{"welcome"}, Reconnect: 2}}, Env{})
	require.NoError(t, err)
	assert.Equal(t, 3, connections["/again"])
	ends := map[websocket.StatusCode]int{<-closed: 1}
	ends[<-closed]++
	ends[<-closed]++
	assert.Equal(t, map[websocket.StatusCode]int{-1: 2, websocket.StatusNormalClosure: 1}, ends, "only the last one says good-bye")

	_, err = ask(t, Spec{WebSocket: &WebSocket{URL: url + "/once", Expect: []string{"welcome"}, Reconnect: 1}}, Env{})
	require.ErrorContains(t, err, "connected again (1 of 1): websocket ")
	assert.ErrorContains(t, err, "got close 1008 (you are here already)")
}

func TestPollWaitsBeforeTheFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := &scripted{script: "-+"}
		_, err := Poll(t.Context(), s.probe, Timing{InitialDelay: 3 * time.Second, Interval: time.Second, Within: time.Second}, nil)
		require.NoError(t, err)
		assert.Equal(t, began.Add(3*time.Second), s.start)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = Poll(ctx, s.probe, Timing{InitialDelay: time.Minute}, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Len(t, s.asked, 2)
	})
}

func TestNewRefusesBadSpecsOfNewKinds(t *testing.T) {
	tcp := &TCP{Address: "h:1"}
	log := Env{Log: func(*regexp.Regexp) (string, bool) { return "", true }}
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"not captured":      {Spec{TCP: tcp, Then: &Spec{Log: "${captured.id}"}}, "tcp probe: then: ${captured.id}: nothing is captured before it"},
		"captured later":    {Spec{HTTP: &HTTP{URL: "http://h/${captured.id}"}, Capture: map[string]string{"id": "$.id"}}, "${captured.id}: nothing is captured before it"},
		"other captured":    {Spec{Log: "x", Capture: map[string]string{"id": "$"}, Then: &Spec{Log: "${captured.ids}"}}, "${captured.ids}: captured before it are captured.id"},
		"capture path":      {Spec{Log: "x", Capture: map[string]string{"id": "id"}}, "log probe: capture id: json path"},
		"capture name":      {Spec{Log: "x", Capture: map[string]string{"a b": "$"}}, "capture a b: expected a name"},
		"parallel":          {Spec{TCP: tcp, Parallel: -1}, "parallel must not be negative"},
		"initial delay":     {Spec{TCP: tcp, InitialDelay: -1}, "initial_delay must not be negative"},
		"clickhouse":        {Spec{ClickHouse: &ClickHouse{}}, "url is missing"},
		"clickhouse expect": {Spec{ClickHouse: &ClickHouse{URL: "http://h", Expect: 1}}, "expect belongs to a query"},
		"metrics":           {Spec{Metrics: &Metrics{Name: "up"}}, "url is missing"},
		"metrics name":      {Spec{Metrics: &Metrics{URL: "http://h"}}, "expected the name of a sample"},
		"metrics op":        {Spec{Metrics: &Metrics{URL: "http://h", Name: "up", Op: "=~"}}, "expected one of !=, <, <=, ==, >, >="},
		"metrics value":     {Spec{Metrics: &Metrics{URL: "http://h", Name: "up", Op: ">"}}, "op needs value"},
		"jwt":               {Spec{JWT: &JWT{URL: "http://h"}}, "expected exactly one of secret, key, key_file and token"},
		"jwt two":           {Spec{JWT: &JWT{URL: "http://h", Secret: secret, Token: "x"}}, "expected exactly one of"},
		"jwt algorithm":     {Spec{JWT: &JWT{URL: "http://h", Secret: secret, Algorithm: "RS256"}}, `algorithm "RS256": expected HS256`},
		"jwt none":          {Spec{JWT: &JWT{URL: "http://h", KeyFile: "x", Algorithm: "none"}}, `algorithm "none": expected HS256`},
		"jwt key":           {Spec{JWT: &JWT{URL: "http://h", Key: secret}}, "expected a private key for RS256 in PEM"},
		"jwt url":           {Spec{JWT: &JWT{Secret: secret}}, "valid: url is missing"},
		"jwt case url":      {Spec{JWT: &JWT{URL: "http://h", Secret: secret, Expired: &JWTCase{URL: "x"}}}, "expired: url"},
		"jwt token":         {Spec{JWT: &JWT{URL: "http://h", Token: secret}}, "expired: an expired token cannot be made without the key"},
		"jwt claims":        {Spec{JWT: &JWT{URL: "http://h", Token: secret, KeyID: "x"}}, "token is signed already"},
		"rate limit":        {Spec{HTTP: &HTTP{URL: "http://h", RateLimit: &RateLimit{}}}, "allowed 0: expected 1 to"},
		"rate limit status": {Spec{HTTP: &HTTP{URL: "http://h", Status: 429, RateLimit: &RateLimit{Allowed: 1}}}, "the same status"},
		"rate limit cors":   {Spec{HTTP: &HTTP{URL: "http://h", CORS: "http://a", RateLimit: &RateLimit{Allowed: 1}}}, "preflight"},
		"cors alone":        {Spec{HTTP: &HTTP{URL: "http://h", CORSCredentials: true}}, "need cors"},
		"cors refused":      {Spec{HTTP: &HTTP{URL: "http://h", CORSRefused: "evil"}}, `cors_refused "evil": expected an origin`},
		"cors same":         {Spec{HTTP: &HTTP{URL: "http://h", CORS: "http://a", CORSRefused: "http://a"}}, "the same origin"},
		"reconnect":         {Spec{WebSocket: &WebSocket{URL: "ws://h", Status: 403, Reconnect: 1}}, "does not go with status"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.spec, log)
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), secret)
		})
	}
	_, err := New(Spec{TCP: &TCP{Address: "127.0.0.1:${captured.port}"}, Timeout: timeline.Duration(time.Second)}, Env{})
	require.Error(t, err)
}
