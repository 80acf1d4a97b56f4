package resolver

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

func TestNamesMeanTheirDependency(t *testing.T) {
	b := start(t, Config{Slot: 4711, System: conf(t, "search example.com corp\n")})
	for _, name := range []string{"db.internal", "DB.Internal", "db", "db.example.com", "db.corp", "db.internal.corp"} {
		assert.Equal(t, truth(b.Address(0)), b.a(t, name), name)
		assert.Equal(t, failure(0), *b.ask(t, name, dnsmessage.TypeAAAA, patience), "%s has no IPv6 address, but exists", name)
		assert.Equal(t, failure(0), *b.ask(t, name, dnsmessage.TypeMX, patience), name)
	}
	assert.Equal(t, truth(b.Address(1)), b.a(t, "cache.internal"))
	assert.NotEqual(t, b.Address(0), b.Address(1))
	for i := range 2 {
		for _, form := range []netip.Addr{b.Address(i), netip.AddrFrom16(b.Address(i).As16())} {
			got, wrong := b.Means(form)
			assert.Equal(t, i, got)
			assert.False(t, wrong)
		}
		got, wrong := b.Means(b.Wrong(i))
		assert.Equal(t, i, got)
		assert.True(t, wrong)
	}
	got, _ := b.Means(b.Addr().Addr())
	assert.Equal(t, -1, got)
	assert.True(t, b.Is(b.Addr()))
	assert.Equal(t, Event{Kind: Asked, Dependency: "db", Name: "db.internal", Type: "A", Result: "answered"}, untimed(b.events(Asked)[0]))
	assert.Equal(t, Event{Kind: Asked, Dependency: "db", Name: "db.internal", Type: "AAAA", Result: "no_data"}, untimed(b.events(Asked)[1]))
}

func untimed(e Event) Event {
	e.At = time.Time{}
	return e
}

// The same slot gives the same addresses, and two resolvers at a time never share any.
func TestSlots(t *testing.T) {
	first := start(t, Config{Slot: 9000})
	second := start(t, Config{Slot: 9000})
	if !first.Standard() {
		t.Skip("port 53 is not ours here, so that a block can't be claimed")
	}
	assert.NotEqual(t, first.Address(0), second.Address(0))
	assert.Equal(t, netip.MustParseAddr("127.99.40.2"), first.Address(0), "9000 is 35 * 256 + 40")
	var hosts []Host
	for range MaxHosts + 1 {
		hosts = append(hosts, Host{Dependency: "one of many"})
	}
	_, err := Start(t.Context(), Config{Hosts: hosts})
	assert.ErrorContains(t, err, "at most 126")
}

func TestAnswers(t *testing.T) {
	for answer, want := range map[string]func(*bench) reply{
		"nxdomain":      func(*bench) reply { return failure(dnsmessage.RCodeNameError) },
		"no_data":       func(*bench) reply { return failure(dnsmessage.RCodeSuccess) },
		"servfail":      func(*bench) reply { return failure(dnsmessage.RCodeServerFailure) },
		"refused":       func(*bench) reply { return failure(dnsmessage.RCodeRefused) },
		"wrong_address": func(b *bench) reply { return truth(b.Wrong(0)) },
	} {
		t.Run(answer, func(t *testing.T) {
			b := start(t, Config{}, dnsFault("f1", answer))
			assert.Equal(t, truth(b.Address(0)), b.a(t, "db"), "dormant")
			assert.Empty(t, b.events(Bite))
			b.Arm("f1")
			b.Arm("f1")
			assert.Equal(t, want(b), b.a(t, "db"))
			assert.Equal(t, want(b), b.a(t, "db.internal"))
			assert.Equal(t, truth(b.Address(1)), b.a(t, "cache.internal"), "another dependency")
			assert.Equal(t, answer, b.events(Asked)[1].Result)
			require.Len(t, b.events(Bite), 1)
			assert.Equal(t, Event{Kind: Bite, Dependency: "db", Fault: "f1", Text: "A of db: " + answer}, untimed(b.events(Bite)[0]))
			assert.Equal(t, 2, b.Stats().Hit["f1"])
			b.Lift("f1")
			b.Lift("f1")
			assert.Equal(t, truth(b.Address(0)), b.a(t, "db"), "after the lift")
			b.Arm("f1")
			assert.Equal(t, want(b), b.a(t, "db"))
			assert.Len(t, b.events(Bite), 2, "once for each time it comes on")
		})
	}
}

// What would not be noticed is no bite: that there is no IPv6 address is the truth.
func TestNoBiteWithoutEffect(t *testing.T) {
	for _, answer := range []string{"no_data", "wrong_address"} {
		b := start(t, Config{}, dnsFault("f1", answer))
		b.Arm("f1")
		assert.Equal(t, failure(0), *b.ask(t, "db", dnsmessage.TypeAAAA, patience))
		assert.Zero(t, b.Stats().Hit["f1"])
		assert.Empty(t, b.events(Bite))
	}
}

func TestSilence(t *testing.T) {
	b := start(t, Config{}, dnsFault("f1", "silent"))
	b.Arm("f1")
	assert.Nil(t, b.ask(t, "db", dnsmessage.TypeA, 100*time.Millisecond))
	assert.Len(t, b.events(Bite), 1)
	b.Lift("f1")
	assert.Equal(t, truth(b.Address(0)), b.a(t, "db"))
}

func TestLateness(t *testing.T) {
	const delay = 200 * time.Millisecond
	b := start(t, Config{}, dnsFault("f1", map[string]any{"answer": "slow", "delay": delay}), dnsFault("f2", map[string]any{"answer": "servfail", "delay": delay}))
	b.Arm("f1")
	began := time.Now()
	assert.Equal(t, truth(b.Address(0)), b.a(t, "db"))
	assert.GreaterOrEqual(t, time.Since(began), delay)
	assert.Equal(t, "A of db: late by 200ms", b.events(Bite)[0].Text)
	assert.Equal(t, "delayed", b.events(Asked)[0].Result)
	b.Arm("f2")
	began = time.Now()
	assert.Equal(t, failure(dnsmessage.RCodeServerFailure), b.a(t, "db"))
	assert.GreaterOrEqual(t, time.Since(began), 2*delay, "both")
	assert.Equal(t, "A of db: servfail after 400ms", b.events(Bite)[1].Text)
}

// Who waits is told the truth at the lift, and nothing when the resolver is closed.
func TestLiftReleasesWhoWaits(t *testing.T) {
	b := start(t, Config{}, dnsFault("f1", map[string]any{"answer": "servfail", "delay": "1h"}))
	b.Arm("f1")
	answered := make(chan reply, 1)
	go func() { answered <- b.a(t, "db") }()
	await(t, func() bool { return len(b.events(Asked)) == 1 })
	b.Lift("f1")
	assert.Equal(t, truth(b.Address(0)), <-answered)
	b.Arm("f1")
	c, err := net.Dial("udp", b.Addr().String())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = c.Write(written(t, "db", dnsmessage.TypeA, false))
	require.NoError(t, err)
	await(t, func() bool { return len(b.events(Asked)) == 2 }) // the clean-up closes with one that waits
}

func await(t *testing.T, is func() bool) {
	t.Helper()
	require.Eventually(t, is, patience, time.Millisecond)
}

// A lookup asks for A and AAAA side by side: both are the first query, and so is that for another name.
func TestConnections(t *testing.T) {
	f := dnsFault("f1", nil)
	f.Connections = 2
	b := start(t, Config{}, f)
	b.Arm("f1")
	for n := range 4 {
		want := dnsmessage.RCodeNameError
		if n >= 2 {
			want = dnsmessage.RCodeSuccess
		}
		for _, name := range []string{"db", "db.internal"} {
			assert.Equal(t, want, b.a(t, name).code)
			assert.Equal(t, want, b.ask(t, name, dnsmessage.TypeAAAA, patience).code)
		}
	}
	assert.Equal(t, 8, b.Stats().Hit["f1"])
}

// A share of the queries is drawn from the seed, for A and AAAA alike.
func TestToxicity(t *testing.T) {
	draw := func(seed uint64) string {
		f := dnsFault("f1", nil)
		f.Toxicity = 0.5
		b := start(t, Config{Seed: seed}, f)
		b.Arm("f1")
		var said strings.Builder
		for range 64 {
			first := b.a(t, "db").code
			assert.Equal(t, first, b.ask(t, "db", dnsmessage.TypeAAAA, patience).code)
			said.WriteString(map[bool]string{true: "x", false: "."}[first == dnsmessage.RCodeNameError])
		}
		return said.String()
	}
	one := draw(1)
	assert.Equal(t, one, draw(1), "the same seed")
	assert.NotEqual(t, one, draw(2), "another seed")
	assert.Contains(t, one, "x")
	assert.Contains(t, one, ".")
}

// By TCP answers come as they are ready, and a client may send the next query before it has the answer.
func TestTCP(t *testing.T) {
	b := start(t, Config{}, dnsFault("f1", "silent"))
	c, err := net.Dial("tcp", b.Addr().String())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	b.Arm("f1")
	require.NoError(t, writeFramed(c, written(t, "db", dnsmessage.TypeA, false)))
	require.NoError(t, writeFramed(c, written(t, "cache.internal", dnsmessage.TypeA, false)))
	raw, err := readFramed(c)
	require.NoError(t, err)
	assert.Equal(t, reply{addrs: []netip.Addr{b.Address(1)}}, read(t, raw), "no EDNS in the query, none in the answer")
	b.Lift("f1")
	require.NoError(t, writeFramed(c, written(t, "db", dnsmessage.TypeA, false)))
	raw, err = readFramed(c)
	require.NoError(t, err)
	assert.Equal(t, reply{addrs: []netip.Addr{b.Address(0)}}, read(t, raw))
	_, err = c.Write([]byte{0, 3, 1, 2, 3}) // not DNS
	require.NoError(t, err)
	_, err = readFramed(c)
	assert.Error(t, err, "hung up")
}

// The gate is held while a query is decided: whoever arms under it is never late.
func TestGate(t *testing.T) {
	var b *bench
	var gate sync.Mutex
	said := false // the service has said that the phase began
	b = start(t, Config{Gate: func(decide func()) {
		gate.Lock()
		defer gate.Unlock()
		if said {
			b.Arm("f1")
		} else {
			b.Lift("f1")
		}
		decide()
	}}, dnsFault("f1", nil))
	for n := range 200 {
		gate.Lock()
		said = n%2 == 0
		gate.Unlock()
		want := truth(b.Address(0))
		if n%2 == 0 {
			want = failure(dnsmessage.RCodeNameError)
		}
		require.Equal(t, want, b.a(t, "db"), n)
	}
}

// Rubbish is left alone, and does not stop anything.
func TestRubbish(t *testing.T) {
	b := start(t, Config{})
	c, err := net.Dial("udp", b.Addr().String())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	query := written(t, "db", dnsmessage.TypeA, true)
	for n := range query {
		_, _ = c.Write(query[:n])
	}
	answer := append([]byte(nil), query...)
	answer[2] |= 0x80 // an answer is no question
	_, _ = c.Write(answer)
	assert.Equal(t, truth(b.Address(0)), b.a(t, "db"))
}

func TestClosedWhileAsked(t *testing.T) {
	r, err := Start(t.Context(), Config{Hosts: []Host{{Dependency: "db", Names: []string{"db"}}}})
	require.NoError(t, err)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 100 {
				c, err := net.Dial("udp", r.Addr().String())
				if err != nil {
					return
				}
				_, _ = c.Write(written(t, "db", dnsmessage.TypeA, true))
				_ = c.Close()
			}
		})
	}
	assert.NoError(t, r.Close(context.Background()))
	work.Wait()
	r.Arm("f1") // nobody listens any more
}
