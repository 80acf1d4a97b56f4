package faultstest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	greeting = "hello\n"
	patience = 20 * time.Second       // for what must come
	silence  = 150 * time.Millisecond // for what must not
)

// flood is far more than the sockets' buffers and Toxiproxy's chunks hold.
var flood = strings.Repeat("0123456789abcde\n", 1<<16)

// server greets, echoes lines, answers "flood" with a mebibyte, and hangs up after the line "bye".
type server struct {
	addr string
	mu   sync.Mutex
	got  []string
	open map[net.Conn]struct{}
}

func serve(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{addr: l.Addr().String(), open: map[net.Conn]struct{}{}}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[c] = struct{}{}
			s.mu.Unlock()
			work.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for c := range s.open {
			_ = c.Close()
		}
		s.mu.Unlock()
		work.Wait()
	})
	return s
}

func (s *server) talk(c net.Conn) {
	defer c.Close()
	if _, err := io.WriteString(c, greeting); err != nil {
		return
	}
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, line)
		s.mu.Unlock()
		answer := line
		if line == "flood\n" {
			answer = flood
		}
		if _, err := io.WriteString(c, answer); err != nil || line == "bye\n" {
			return
		}
	}
}

// heard says whether a line reached the server.
func (s *server) heard(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.got {
		if l == line+"\n" {
			return true
		}
	}
	return false
}

// bench is two proxies before one server: the fault is on the first, the second is another dependency.
type bench struct {
	*server
	faulty, other *proxy.Proxy
	intercepted   bool // connect(2) is asked before it happens, as the connect interceptor does
	armed         time.Time

	mu    sync.Mutex
	bites []proxy.Event
	told  chan struct{} // one for each bite

	waiting chan error // of a connect that hangs
}

func setUp(t *testing.T, fault faults.Spec, intercepted bool) *bench {
	t.Helper()
	b := &bench{server: serve(t), intercepted: intercepted, told: make(chan struct{}, 1000)}
	b.faulty = b.proxy(t, "faulty", fault)
	b.other = b.proxy(t, "other", fault)
	return b
}

func (b *bench) proxy(t *testing.T, name string, fault faults.Spec) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Start(context.Background(), proxy.Config{
		Name: name, Upstream: b.addr, Seed: 1, Intercepted: b.intercepted, On: func(e proxy.Event) { b.on(t, name, e) },
		Injections: []proxy.Injection{{ID: "f1", Fault: fault}},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, p.Close(ctx))
	})
	return p
}

func (b *bench) on(t *testing.T, name string, e proxy.Event) {
	switch e.Kind {
	case proxy.Panic, proxy.UpstreamError:
		t.Errorf("%s: %s: %v", name, e.Kind, e.Err)
	case proxy.Bite:
		assert.Equal(t, "faulty", name, "a fault bit a dependency that it is not on")
		assert.Equal(t, "f1", e.Fault)
		b.mu.Lock()
		b.bites = append(b.bites, e)
		b.mu.Unlock()
		b.told <- struct{}{}
	}
}

// client is a connection with its reader.
type client struct {
	*net.TCPConn
	in *bufio.Reader
}

// dial connects to a proxy as the service would: past the interceptor, if there is one.
func (b *bench) dial(t *testing.T, p *proxy.Proxy) (*client, error) {
	t.Helper()
	return b.dialWithin(t, p, patience)
}

func (b *bench) dialWithin(t *testing.T, p *proxy.Proxy, limit time.Duration) (*client, error) {
	t.Helper()
	address := p.Addr()
	if b.intercepted {
		d := p.Connect()
		if d.Errno != 0 {
			return nil, os.NewSyscallError("connect", d.Errno)
		}
		if d.Via.IsValid() {
			address = d.Via
		}
		<-time.After(d.Delay)
	}
	c, err := net.DialTimeout("tcp", address.String(), limit)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{c.(*net.TCPConn), bufio.NewReader(c)}, c.SetDeadline(time.Now().Add(patience))
}

// mustDial is dial where connecting has to work.
func (b *bench) mustDial(t *testing.T) *client {
	t.Helper()
	c, err := b.dial(t, b.faulty)
	require.NoError(t, err)
	return c
}

// works says whether a new connection greets and echoes.
func (b *bench) works(t *testing.T, p *proxy.Proxy) error {
	t.Helper()
	c, err := b.dial(t, p)
	if err != nil {
		return err
	}
	defer c.Close()
	return errors.Join(c.greeted(), c.echoes("are you there"))
}

func (c *client) greeted() error { return c.hears(greeting[:len(greeting)-1]) }

func (c *client) echoes(line string) error {
	if err := c.says(line); err != nil {
		return err
	}
	return c.hears(line)
}

func (c *client) says(line string) error {
	_, err := io.WriteString(c, line+"\n")
	return err
}

func (c *client) hears(line string) error {
	got, err := c.in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("wait for %q, got %q: %w", line, got, err)
	}
	if got != line+"\n" {
		return fmt.Errorf("expected %q, got %q", line, got)
	}
	return nil
}

// rest reads to the end of the stream.
func (c *client) rest() (string, error) {
	all, err := io.ReadAll(c.in)
	return string(all), err
}

// silent is an error unless the connection stays open and nothing comes.
func (c *client) silent() error {
	if err := c.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	got, err := c.in.ReadByte()
	if err == nil {
		return fmt.Errorf("got byte %q where nothing may come", got)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the connection did not stay open: %w", err)
	}
	return c.SetReadDeadline(time.Now().Add(patience))
}
