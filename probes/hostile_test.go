package probes

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// serve listens on loopback and calls handle for each connection; the test waits for all of them.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() {
				handle(c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// untilClosed waits for the peer to go.
func untilClosed(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// again writes the same bytes until the peer goes or limit is reached.
func again(c net.Conn, text string, limit int) {
	for n := 0; n < limit; n += len(text) {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
	untilClosed(c)
}

// hostile are servers that no probe may hold on, hang on or grow on.
var hostile = map[string]func(net.Conn){
	"silent":  untilClosed,
	"closing": func(net.Conn) {},
	"resetting": func(c net.Conn) {
		_ = c.(*net.TCPConn).SetLinger(0)
	},
	"answers and closes": func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n") },
	"speaks nonsense":    func(c net.Conn) { again(c, "\x00\xff garbage \x1b[31m\r\n", 1<<10) },
	"floods zeros":       func(c net.Conn) { again(c, strings.Repeat("\x00", 64<<10), 64<<20) },
	"floods lines":       func(c net.Conn) { again(c, strings.Repeat("hello world\r\n", 4<<10), 64<<20) },
	"floods one line":    func(c net.Conn) { again(c, strings.Repeat("a", 64<<10), 64<<20) },
	"announces 2 GB":     func(c net.Conn) { again(c, "D\x7f\xff\xff\xff", 5) },
	"announces a huge list": func(c net.Conn) {
		again(c, "*2000000000\r\n", 13)
	},
	"nests without end": func(c net.Conn) { again(c, strings.Repeat("*1\r\n", 16<<10), 64<<20) },
	"announces a huge string": func(c net.Conn) {
		again(c, "$2000000000\r\n", 13)
	},
}

func TestEveryProbeIsBoundedOnAHostileServer(t *testing.T) {
	probes := func(address string) map[string]Spec {
		return map[string]Spec{
			"http":             {HTTP: &HTTP{URL: "http://" + address + "/"}},
			"https":            {HTTP: &HTTP{URL: "https://" + address + "/"}},
			"grpc":             {GRPC: &GRPC{Address: address}},
			"sql":              {SQL: &SQL{DSN: "postgres://app:" + "hunter2hunter2@" + address + "/app"}},
			"sql plain":        {SQL: &SQL{DSN: "postgres://app:" + "hunter2hunter2@" + address + "/app?sslmode=disable"}},
			"redis":            {Redis: &Redis{Address: address, Password: secret}},
			"redis set_get":    {Redis: &Redis{Address: address, Do: "set_get"}},
			"websocket":        {WebSocket: &WebSocket{URL: "ws://" + address + "/", Expect: []string{"x"}}},
			"websocket status": {WebSocket: &WebSocket{URL: "ws://" + address + "/", Status: 403}},
			"clickhouse":       {ClickHouse: &ClickHouse{URL: "http://" + address, User: "app", Password: "hunter2hunter2"}},
			"metrics":          {Metrics: &Metrics{URL: "http://" + address + "/metrics", Name: "up"}},
			"jwt":              {JWT: &JWT{URL: "http://" + address + "/me", Secret: "hunter2hunter2"}},
			"cors":             {HTTP: &HTTP{URL: "http://" + address + "/", CORSRefused: "https://evil.example"}},
			"rate limit":       {HTTP: &HTTP{URL: "http://" + address + "/", RateLimit: &RateLimit{Allowed: 2}}},
			"parallel":         {HTTP: &HTTP{URL: "http://" + address + "/"}, Parallel: 3},
		}
	}
	for name, handle := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, handle)
			for kind, s := range probes(address) {
				s.Timeout = timeline.Duration(400 * time.Millisecond)
				_, err := ask(t, s, Env{})
				require.Error(t, err, kind)
				assert.Contains(t, err.Error(), address, kind)
				assert.Contains(t, err.Error(), "expected ", kind)
				assert.NotContains(t, err.Error(), "hunter2", kind)
				if name == "silent" {
					assert.Regexp(t, "got no (answer|connection) within 400ms", err.Error(), kind)
				}
			}
		})
	}
}

func TestEveryProbeSaysConnectionRefused(t *testing.T) {
	address := closedPort(t)
	for kind, s := range map[string]Spec{
		"tcp":       {TCP: &TCP{Address: address}},
		"http":      {HTTP: &HTTP{URL: "http://" + address + "/"}},
		"grpc":      {GRPC: &GRPC{Address: address}},
		"sql":       {SQL: &SQL{DSN: "postgres://app:" + "hunter2hunter2@" + address + "/app"}},
		"redis":     {Redis: &Redis{Address: address, Password: "hunter2hunter2"}},
		"websocket": {WebSocket: &WebSocket{URL: "ws://" + address + "/"}},

		"clickhouse": {ClickHouse: &ClickHouse{URL: "http://" + address, Password: "hunter2hunter2"}},
		"metrics":    {Metrics: &Metrics{URL: "http://" + address + "/metrics", Name: "up"}},
		"jwt":        {JWT: &JWT{URL: "http://" + address + "/me", Secret: "hunter2hunter2"}},
		"cors":       {HTTP: &HTTP{URL: "http://" + address + "/", CORSRefused: "https://evil.example"}},
		"rate limit": {HTTP: &HTTP{URL: "http://" + address + "/", RateLimit: &RateLimit{Allowed: 2}}},
		"parallel":   {TCP: &TCP{Address: address}, Parallel: 3},
	} {
		_, err := ask(t, s, Env{})
		require.Error(t, err, kind)
		assert.Contains(t, err.Error(), address, kind)
		assert.Contains(t, err.Error(), ", got connection refused", kind)
		assert.NotContains(t, err.Error(), "hunter2", kind)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, s := range []string{"+PONG\r\n", "-ERR no\r\n", ":42\r\n", "$5\r\nhello\r\n", "$-1\r\n", "*2\r\n:1\r\n$1\r\na\r\n", "*-1\r\n",
		"*1\r\n*1\r\n-ERR x\r\n", "*99999999\r\n", "$1048577\r\n", "$3\r\nabcd\r\n", ":x\r\n", "\r\n", "?\r\n", "+x\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readReply(bufio.NewReader(bytes.NewReader(data)))
		if err != nil && got != "" {
			t.Fatalf("%q and %v", got, err)
		}
		if len(got) > len(data)+64*maxReplyElements {
			t.Fatalf("%d bytes made of %d", len(got), len(data))
		}
		var said errRedis
		if errors.As(err, &said) && !bytes.HasPrefix(data, []byte("-")) {
			t.Fatalf("an error reply out of %q", data)
		}
	})
}
