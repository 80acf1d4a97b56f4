package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// arming switches faults on and off under many open connections, in this process, and through stock Toxiproxy's API.
func arming(t *testing.T, o options) table {
	many := 1000
	if o.quick {
		many = 50
	}
	cases := []armingCase{
		{name: "no fault", many: many},
		{name: "latency", many: many, fault: "latency", value: "1h"},
		{name: "latency, beside stuck ones", many: many, fault: "latency", value: "1h", stuck: true},
		{name: "blackhole", many: many, fault: "blackhole", value: "resume"},
		{name: "blackhole, beside stuck ones", many: many, fault: "blackhole", value: "resume", stuck: true},
		{name: "reset", many: many, fault: "reset"},
		{name: "reset, beside stuck ones", many: many, fault: "reset", stuck: true},
	}
	if o.has("stock") {
		cases = append(cases, armingCase{name: "stock: latency", many: many, stock: true},
			armingCase{name: "stock: latency, beside stuck ones", many: many, stock: true, stuck: true})
	}
	byName, rounds := map[string]armingCase{}, map[string]figures{}
	o.peers = nil
	for _, c := range cases {
		byName[c.name], o.peers = c, append(o.peers, c.name)
	}
	r := interleave(t, o, func(name string) (f figures) {
		if last := rounds[name]; last["failed"] > 0 {
			return last // each time takes as long
		}
		t.Run(name, func(t *testing.T) { f = byName[name].measure(t) })
		rounds[name] = f
		return f
	})
	cell := func(head, name string) column {
		return column{head, func(r results, row string) string {
			if v := r.median(row, name); v == v {
				return number(v)
			}
			if v := r.median(row, "failed"); v == v && name == "arm" {
				return "error after " + number(v)
			}
			return ""
		}}
	}
	made := tabulate(r, cell("on ms", "arm"), cell("until the last has met it", "armed"),
		cell("off ms", "lift"), cell("until the last has its answer", "lifted"))
	made.notes = fmt.Sprintf("%d open connections. For latency and blackhole each sends a message once the fault is on, and gets its answer once it is off; "+
		"sending is in the figure. The stuck ones: a client that does not read, a dependency that does not read, and connections that the dependency "+
		"does not take.", many)
	return made
}

type armingCase struct {
	name  string
	many  int
	fault string // of ours; empty: none
	value any
	stuck bool
	stock bool
}

// measure opens the connections through a fresh proxy and switches once.
func (c armingCase) measure(t *testing.T) figures {
	up := newMoody(t)
	s := c.start(t, up.addr)
	open := make([]*asker, c.many)
	for i := range open {
		open[i] = newAsker(t, s.addr, 'e')
		open[i].ask(t)
		<-open[i].answered
	}
	if c.stuck {
		stick(t, up, s.addr)
	}
	f := figures{}
	began := time.Now()
	if err := s.arm(); err != nil {
		require.True(t, c.stock && c.stuck, "only this one is known to fail: %v", err)
		return figures{"failed": since(began)}
	}
	if c.fault != "" || c.stock {
		f["arm"] = since(began)
	}
	if c.fault == "reset" {
		for _, a := range open {
			require.ErrorIs(t, <-a.failed, syscall.ECONNRESET)
		}
		f["armed"] = since(began)
		return f
	}
	for _, a := range open {
		a.ask(t)
	}
	if s.met != nil {
		s.met(t, c.many)
		f["armed"] = since(began)
	}
	liftBegan := time.Now()
	require.NoError(t, s.lift())
	if c.fault != "" || c.stock {
		f["lift"] = since(liftBegan)
	}
	escaped := 0
	for _, a := range open {
		select {
		case at := <-a.answered:
			if at.Before(liftBegan) {
				escaped++
			}
		case err := <-a.failed:
			require.NoError(t, err, "the answer after the lift")
		}
	}
	f["lifted"] = since(liftBegan)
	if c.fault == "" && !c.stock {
		return figures{"lifted": since(began)} // a message to each and its answer, for comparison
	}
	if !c.stock {
		assert.Zero(t, escaped, "messages that were sent after the fault came on and were answered before it went off")
	}
	return f
}

func since(t time.Time) float64 { return float64(time.Since(t)) / 1e6 }

// switchable is a proxy with one fault.
type switchable struct {
	addr      netip.AddrPort
	arm, lift func() error
	met       func(t *testing.T, many int) // waits until as many connections have met it; nil: nobody knows
}

func (c armingCase) start(t *testing.T, upstream netip.AddrPort) switchable {
	t.Helper()
	if c.stock {
		p, on := startPeer(t, "stock", upstream), toxic{"latency", "latency", 3_600_000, ""}.json(t)
		return switchable{addr: p.addr,
			arm:  func() error { _, err := p.ask(http.MethodPost, "/proxies/bench/toxics", on); return err },
			lift: func() error { _, err := p.ask(http.MethodDelete, "/proxies/bench/toxics/fault", ""); return err }}
	}
	config := proxy.Config{Name: "bench", Upstream: upstream.String()}
	if c.fault != "" {
		fault, problems := faults.Parse(c.fault, c.value)
		require.Empty(t, problems)
		config.Injections = []proxy.Injection{{ID: "fault", Fault: fault}}
	}
	p, err := proxy.Start(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience*time.Second)
		defer cancel()
		require.NoError(t, p.Close(ctx))
	})
	s := switchable{addr: p.Addr(),
		arm:  func() error { p.Arm("fault"); return nil },
		lift: func() error { p.Lift("fault"); return nil }}
	if c.fault != "" {
		s.met = func(t *testing.T, many int) {
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for end := time.Now().Add(patience * time.Second); p.Stats().Fault("fault").ConnectionsHit < many; <-tick.C {
				require.True(t, time.Now().Before(end), "met by %d of %d", p.Stats().Fault("fault").ConnectionsHit, many)
			}
		}
	}
	return s
}

// asker is a client that always waits for an answer of one byte.
type asker struct {
	c        net.Conn
	mood     byte
	answered chan time.Time
	failed   chan error
}

// newAsker connects to a proxy. What its first byte is decides how the dependency treats it.
func newAsker(t *testing.T, to netip.AddrPort, mood byte) *asker {
	t.Helper()
	c, err := net.DialTimeout("tcp", to.String(), patience*time.Second)
	require.NoError(t, err)
	a := &asker{c, mood, make(chan time.Time, 4), make(chan error, 1)}
	require.NoError(t, c.SetDeadline(time.Now().Add(3*patience*time.Second)))
	var reading sync.WaitGroup
	if mood == 'e' {
		reading.Go(func() {
			var b [1]byte
			for {
				if _, err := c.Read(b[:]); err != nil {
					a.failed <- err
					return
				}
				a.answered <- time.Now()
			}
		})
	}
	t.Cleanup(func() {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		reading.Wait()
	})
	return a
}

func (a *asker) ask(t *testing.T) {
	t.Helper()
	_, err := a.c.Write([]byte{a.mood})
	require.NoError(t, err)
}

// moody is a dependency that treats a connection as its first byte says: e, it echoes; f, it sends without end; d, it reads no more.
type moody struct {
	addr netip.AddrPort
	l    *net.TCPListener

	seen chan byte // moods other than e, when they are known
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &moody{addr: netip.MustParseAddrPort(l.Addr().String()), l: l.(*net.TCPListener), seen: make(chan byte, 16)}
	ended := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				<-ended
				return
			}
			if err != nil {
				return
			}
			work.Go(func() { m.treat(c, ended) })
			work.Go(func() {
				<-ended
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		close(ended)
		_ = l.Close()
		work.Wait()
	})
	return m
}

func (m *moody) treat(c net.Conn, ended <-chan struct{}) {
	defer c.Close()
	var b [1]byte
	if _, err := c.Read(b[:]); err != nil {
		return
	}
	switch b[0] {
	case 'e':
		if _, err := c.Write(b[:]); err == nil {
			echoMany(c)
		}
	case 'f':
		m.seen <- b[0]
		for data := make([]byte, block); ; {
			if _, err := c.Write(data); err != nil {
				return
			}
		}
	case 'd':
		m.seen <- b[0]
		<-ended
	}
}

// stopTaking leaves new connections in a queue that is full at once: who connects then waits for an answer to its SYN.
func (m *moody) stopTaking(t *testing.T) {
	t.Helper()
	raw, err := m.l.SyscallConn()
	require.NoError(t, err)
	var short error
	require.NoError(t, raw.Control(func(fd uintptr) { short = unix.Listen(int(fd), 0) }))
	require.NoError(t, short)
	require.NoError(t, m.l.SetDeadline(time.Now().Add(-time.Second)))
}

// stick makes connections that can't go on: a client that does not read, a dependency that does not, and some that never reach it.
func stick(t *testing.T, m *moody, through netip.AddrPort) {
	t.Helper()
	deafClient, deafServer := newAsker(t, through, 'f'), newAsker(t, through, 'd')
	deafClient.ask(t)
	deafServer.ask(t)
	moods := string([]byte{<-m.seen, <-m.seen})
	require.True(t, strings.Contains(moods, "f") && strings.Contains(moods, "d"))
	require.NoError(t, deafServer.c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
	for data := make([]byte, block); ; { // until everything on the way is full
		if _, err := deafServer.c.Write(data); err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
	m.stopTaking(t)
	for range 5 {
		newAsker(t, through, 'q')
	}
}
