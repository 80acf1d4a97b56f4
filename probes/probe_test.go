package probes

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "pa55-w0rd!/x"

// ask runs one attempt of s and checks what holds for every error: one short line without the secret.
func ask(t *testing.T, s Spec, e Env) (Answer, error) {
	t.Helper()
	if s.Timeout == 0 && (s.WebSocket == nil || s.WebSocket.Within == 0) {
		s.Timeout = timeline.Duration(time.Minute) // the default is short for a machine under load
	}
	p, err := New(s, e)
	require.NoError(t, err)
	got, err := p(t.Context())
	if err != nil {
		text := err.Error()
		assert.NotContains(t, text, secret)
		assert.NotContains(t, text, "\n")
		assert.Less(t, len(text), 800)
	}
	assert.LessOrEqual(t, len(got.Body), maxAnswer)
	return got, err
}

// closedPort returns an address on which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// requireServer ends the test if a real server is not installed: by a failure where CHAOS_REQUIRE_SERVERS=1 asks for it.
func requireServer(t *testing.T, what string, found bool) {
	t.Helper()
	switch {
	case found:
	case os.Getenv("CHAOS_REQUIRE_SERVERS") == "1":
		t.Fatalf("%s is not installed, and CHAOS_REQUIRE_SERVERS=1 requires it", what)
	default:
		t.Skipf("%s is not installed", what)
	}
}

var durationText = regexp.MustCompile(`(timeout|interval|within): (\w+)`)

// decode reads the YAML of an example strictly. The language reads durations as text; here they are turned into numbers.
func decode(t *testing.T, text string) Spec {
	t.Helper()
	text = durationText.ReplaceAllStringFunc(text, func(m string) string {
		name, value, _ := strings.Cut(m, ": ")
		d, err := time.ParseDuration(value)
		require.NoError(t, err)
		data, err := yaml.Marshal(map[string]int64{name: int64(d)})
		require.NoError(t, err)
		return strings.TrimSpace(string(data))
	})
	var s Spec
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&s), text)
	return s
}

func TestBuiltinExamplesAreProbesOfTheirKind(t *testing.T) {
	env := Env{Log: func(*regexp.Regexp) (string, bool) { return "", false }}
	for _, k := range Builtin() {
		t.Run(k.Name, func(t *testing.T) {
			s := decode(t, k.Example)
			name, err := s.Kind()
			require.NoError(t, err)
			assert.Equal(t, k.Name, name)
			assert.True(t, strings.HasSuffix(k.Doc, "."), "the documentation is made of sentences")
			for _, example := range append([]string{k.Example}, k.Also...) {
				_, err = New(decode(t, example), env)
				require.NoError(t, err)
				assert.Contains(t, example, k.Name+":")
				assert.Contains(t, Markdown(), example)
			}
		})
	}
}

func TestNewRefusesBadSpecs(t *testing.T) {
	chained := Spec{TCP: &TCP{Address: "h:1"}, Then: &Spec{Exec: &Exec{}}}
	both := Spec{TCP: &TCP{Address: "h:1"}, Log: "x"}
	negative := Spec{TCP: &TCP{Address: "h:1"}, Timeout: -1, SuccessThreshold: -2}
	for name, c := range map[string]struct {
		spec Spec
		want []string
	}{
		"none":              {Spec{}, []string{"no kind is named", "tcp, http, grpc, sql, redis, websocket, exec, log, clickhouse, metrics, jwt"}},
		"two":               {both, []string{"tcp and log are several kinds", "then:"}},
		"chained":           {chained, []string{"tcp probe: then: exec probe: command is missing"}},
		"negative":          {negative, []string{"timeout must not be negative", "success_threshold must not be negative"}},
		"log without":       {Spec{Log: "("}, []string{"missing closing )", "no service whose output"}},
		"tcp empty":         {Spec{TCP: &TCP{}}, []string{"address is missing"}},
		"tcp no port":       {Spec{TCP: &TCP{Address: "localhost"}}, []string{`address "localhost": expected host:port`}},
		"tcp port":          {Spec{TCP: &TCP{Address: "h:0"}}, []string{"a port from 1 to 65535"}},
		"tcp no host":       {Spec{TCP: &TCP{Address: ":80"}}, []string{"expected host:port"}},
		"http empty":        {Spec{HTTP: &HTTP{}}, []string{"url is missing"}},
		"http scheme":       {Spec{HTTP: &HTTP{URL: "ftp://u:" + "pw@h/"}}, []string{"expected http://host:port/path"}},
		"http bad url":      {Spec{HTTP: &HTTP{URL: "http://u:p%zz@h/"}}, []string{"url cannot be read"}},
		"http method":       {Spec{HTTP: &HTTP{URL: "http://h/", Method: "GE T"}}, []string{`method "GE T"`}},
		"http status":       {Spec{HTTP: &HTTP{URL: "http://h/", Status: 20}}, []string{"status 20"}},
		"http regexps":      {Spec{HTTP: &HTTP{URL: "http://h/", Match: "(", Header: map[string]string{"X": ")"}}}, []string{"match: ", "header X: "}},
		"http equals":       {Spec{HTTP: &HTTP{URL: "http://h/", Equals: 1}}, []string{"equals needs json"}},
		"http json":         {Spec{HTTP: &HTTP{URL: "http://h/", JSON: "status"}}, []string{"expected a $"}},
		"http cors":         {Spec{HTTP: &HTTP{URL: "http://h/", CORS: "app", Match: "x"}}, []string{"expected an origin"}},
		"http cors body":    {Spec{HTTP: &HTTP{URL: "http://h/", CORS: "http://a", Match: "x"}}, []string{"preflight"}},
		"grpc":              {Spec{GRPC: &GRPC{Address: "h"}}, []string{"expected host:port"}},
		"sql empty":         {Spec{SQL: &SQL{}}, []string{"dsn is missing"}},
		"sql dsn":           {Spec{SQL: &SQL{DSN: "postgres://u:" + secret + "#@h:x/"}}, []string{"dsn cannot be read"}},
		"redis":             {Spec{Redis: &Redis{Address: "h:1", DB: -1, Do: "'"}}, []string{"db -1", `do "'"`}},
		"redis set_get":     {Spec{Redis: &Redis{Address: "h:1", Do: "set_get", Expect: "x"}}, []string{"expect belongs to a command line"}},
		"websocket empty":   {Spec{WebSocket: &WebSocket{}}, []string{"url is missing"}},
		"websocket both":    {Spec{WebSocket: &WebSocket{URL: "ws://h/", Status: 403, Send: "x"}}, []string{"upgrade is refused"}},
		"websocket status":  {Spec{WebSocket: &WebSocket{URL: "ws://h/", Status: 101}}, []string{"status 101"}},
		"websocket expect":  {Spec{WebSocket: &WebSocket{URL: "ws://h/", Expect: []string{"/(/", ""}}}, []string{"expect /(/", "empty message"}},
		"websocket within":  {Spec{WebSocket: &WebSocket{URL: "ws://h/", Within: -1}}, []string{"within must not be negative"}},
		"exec exit":         {Spec{Exec: &Exec{Command: []string{"x"}, ExitCode: 256}}, []string{"exit_code 256"}},
		"exec match":        {Spec{Exec: &Exec{Command: []string{"x"}, Match: "["}}, []string{"match: "}},
		"websocket slashes": {Spec{WebSocket: &WebSocket{URL: "ws://h/", Expect: []string{"//"}}}, []string{"empty message"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.spec, Env{})
			require.Error(t, err)
			assert.NotContains(t, err.Error(), secret)
			assert.NotContains(t, err.Error(), "pw@")
			for _, want := range c.want {
				assert.Contains(t, err.Error(), want)
			}
		})
	}
}

func TestLogProbe(t *testing.T) {
	lines := []string{"starting", "listening on 127.0.0.1:80"}
	env := Env{Log: func(re *regexp.Regexp) (string, bool) {
		for _, l := range lines {
			if re.MatchString(l) {
				return l, true
			}
		}
		return "", false
	}}
	got, err := ask(t, Spec{Log: `listening on .*:\d+`}, env)
	require.NoError(t, err)
	assert.Equal(t, lines[1], got.Body)
	_, err = ask(t, Spec{Log: "ready"}, env)
	assert.EqualError(t, err, "log: expected a line that matches ready, got none")
}

func TestThenIsAskedOnlyAfterTheFirstHeld(t *testing.T) {
	asked := []string{}
	answers := map[string]bool{"a": true}
	env := Env{Log: func(re *regexp.Regexp) (string, bool) {
		asked = append(asked, re.String())
		return "line " + re.String(), answers[re.String()]
	}}
	chain := Spec{Log: "a", Then: &Spec{Log: "b", Then: &Spec{Log: "c"}}}

	_, err := ask(t, chain, env)
	assert.EqualError(t, err, "then: log: expected a line that matches b, got none")
	assert.Equal(t, []string{"a", "b"}, asked)

	answers["b"], answers["c"] = true, true
	got, err := ask(t, chain, env)
	require.NoError(t, err)
	assert.Equal(t, "line a", got.Body, "the answer of a chain is that of its first probe")

	answers["a"], asked = false, nil
	_, err = ask(t, chain, env)
	require.Error(t, err)
	assert.Equal(t, []string{"a"}, asked)
}

func TestThenWithinWaitsForAnEffect(t *testing.T) {
	count := 0
	env := Env{Log: func(re *regexp.Regexp) (string, bool) {
		if re.String() == "effect" {
			count++
			return "", count == 3
		}
		return "", true
	}}
	then := Spec{Log: "effect", Within: timeline.Duration(time.Minute), Interval: timeline.Duration(time.Millisecond)}
	_, err := ask(t, Spec{Log: "cause", Then: &then}, env)
	require.NoError(t, err)
	assert.Equal(t, 3, count)
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, err = ask(t, Spec{TCP: &TCP{Address: l.Addr().String()}}, Env{})
	require.NoError(t, err)
	conn, err := l.Accept()
	require.NoError(t, err)
	n, err := conn.Read(make([]byte, 1))
	assert.Zero(t, n)
	assert.EqualError(t, err, "EOF", "the probe closes what it opened")
	require.NoError(t, conn.Close())
	require.NoError(t, l.Close())

	_, err = ask(t, Spec{TCP: &TCP{Address: l.Addr().String()}}, Env{})
	assert.EqualError(t, err, "connect to "+l.Addr().String()+": expected a connection, got connection refused")
}

func TestWhyIsPlain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Err: &net.DNSError{Name: "db.internal", Err: "no such host"}}, "no address for the name db.internal"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "connection refused"},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "connection reset"},
		{&url.Error{Op: "Get", URL: "http://h", Err: io.ErrUnexpectedEOF}, "a closed connection"},
		{&url.Error{Op: "Get", URL: "http://h", Err: errors.New("odd\nthing")}, "odd thing"},
	} {
		got, _ := why(t.Context(), c.err)
		assert.Equal(t, c.want, got)
	}
}

func TestCancelledAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := New(Spec{TCP: &TCP{Address: "127.0.0.1:1"}}, Env{})
	require.NoError(t, err)
	_, err = p(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "got no answer until it was cancelled")
}

func TestHideCoversCutSecrets(t *testing.T) {
	err := hide(errors.New("got hunter2-very and hunter2-..."), []string{"hunter2-very", "", "abc"})
	assert.EqualError(t, err, "got xxxxx and xxxxx...")
	plain := errors.New("nothing to hide")
	assert.Same(t, plain, hide(plain, []string{"zzzz"}))
}

func FuzzShort(f *testing.F) {
	for _, s := range []string{"", "a b", " \n\t ", "\x1b[31mred", strings.Repeat("x", 500), "\xff\xfe", "é\u2028x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := short(s)
		if n := len([]rune(got)); n > maxShort+5 {
			t.Fatalf("%d characters", n)
		}
		if strings.ContainsAny(got, "\n\r\x1b\x00") {
			t.Fatalf("control characters in %q", got)
		}
	})
}
