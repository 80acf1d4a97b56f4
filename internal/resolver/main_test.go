package resolver

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/chaos-startup/chaos/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience in tests: only a broken test waits that long.
const patience = 30 * time.Second

// bench is a resolver and what it told.
type bench struct {
	*Resolver
	mu   sync.Mutex
	told []Event
}

// start starts a resolver; inject is the faults of its first host.
func start(t *testing.T, c Config, inject ...Injection) *bench {
	t.Helper()
	if c.Hosts == nil {
		c.Hosts = []Host{{Dependency: "db", Names: []string{"db.internal", "db"}, Injections: inject}, {Dependency: "cache", Names: []string{"cache.internal"}}}
	}
	b := &bench{}
	c.On = func(e Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.told = append(b.told, e)
	}
	r, err := Start(t.Context(), c)
	require.NoError(t, err)
	b.Resolver = r
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		assert.NoError(t, r.Close(ctx))
		assert.NoError(t, r.Close(ctx), "again")
	})
	return b
}

// events returns what was told of one kind.
func (b *bench) events(kind EventKind) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Event
	for _, e := range b.told {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func dnsFault(id string, value any) Injection {
	spec, problems := faults.Parse("dns", value)
	if len(problems) > 0 {
		panic(problems)
	}
	return Injection{ID: id, Resolution: *spec.Behaviour().Resolve}
}

// reply is an answer as a client reads it.
type reply struct {
	code  dnsmessage.RCode
	addrs []netip.Addr
	edns  bool
}

// written makes a query.
func written(t *testing.T, name string, kind dnsmessage.Type, edns bool) []byte {
	t.Helper()
	n, err := dnsmessage.NewName(name + ".")
	require.NoError(t, err)
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: 77, RecursionDesired: true})
	require.NoError(t, b.StartQuestions())
	require.NoError(t, b.Question(dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}))
	if edns {
		require.NoError(t, b.StartAdditionals())
		var h dnsmessage.ResourceHeader
		require.NoError(t, h.SetEDNS0(4096, dnsmessage.RCodeSuccess, false))
		require.NoError(t, b.OPTResource(h, dnsmessage.OPTResource{}))
	}
	raw, err := b.Finish()
	require.NoError(t, err)
	return raw
}

func read(t *testing.T, raw []byte) reply {
	t.Helper()
	var m dnsmessage.Message
	require.NoError(t, m.Unpack(raw))
	require.True(t, m.Response)
	require.EqualValues(t, 77, m.ID)
	require.True(t, m.RecursionAvailable)
	out := reply{code: m.RCode}
	for _, a := range m.Answers {
		assert.Zero(t, a.Header.TTL, "nothing may be cached")
		out.addrs = append(out.addrs, netip.AddrFrom4(a.Body.(*dnsmessage.AResource).A))
	}
	for _, a := range m.Additionals {
		out.edns = out.edns || a.Header.Type == dnsmessage.TypeOPT
	}
	return out
}

// ask asks by UDP and returns the answer; nil when none came within wait.
func (b *bench) ask(t *testing.T, name string, kind dnsmessage.Type, wait time.Duration) *reply {
	t.Helper()
	c, err := net.Dial("udp", b.Addr().String())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = c.Write(written(t, name, kind, true))
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(wait)))
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		return nil
	}
	r := read(t, buf[:n])
	assert.True(t, r.edns, "a query with EDNS is answered with it")
	return &r
}

// a asks for the address of a name.
func (b *bench) a(t *testing.T, name string) reply {
	t.Helper()
	r := b.ask(t, name, dnsmessage.TypeA, patience)
	require.NotNil(t, r, "no answer")
	return *r
}

func truth(a netip.Addr) reply { return reply{addrs: []netip.Addr{a}, edns: true} }

func failure(code dnsmessage.RCode) reply { return reply{code: code, edns: true} }

// conf writes a resolv.conf and reads it.
func conf(t *testing.T, text string) System {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	s, err := ReadSystem(path)
	require.NoError(t, err)
	return s
}
