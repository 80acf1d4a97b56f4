package resolver

import (
	"net"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

func TestReadSystem(t *testing.T) {
	s := conf(t, "; a comment\n# nameserver 1.1.1.1\nnameserver 10.0.0.2\nnameserver fe80::1\nnameserver nonsense\ndomain old\nsearch Corp.Example. a.b\noptions ndots:2 timeout:1\n")
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.2:53"), netip.MustParseAddrPort("[fe80::1]:53")}, s.Nameservers)
	assert.Equal(t, []string{"corp.example", "a.b"}, s.Search)
	assert.Equal(t, "# made by chaos for one trial\nnameserver 127.64.0.1\nsearch corp.example a.b\noptions ndots:2 timeout:1\n",
		s.Conf(netip.MustParseAddr("127.64.0.1")))
	missing, err := ReadSystem(filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	assert.Empty(t, missing.Nameservers)
	_, err = ReadSystem(t.TempDir())
	assert.ErrorContains(t, err, "read the system's nameservers")
}

// What is not declared is passed on as it is and the answer comes back as it is, by UDP and TCP.
func TestForeignNamesArePassedOn(t *testing.T) {
	outer := start(t, Config{Slot: 100, Hosts: []Host{{Dependency: "elsewhere", Names: []string{"www.example.com"}}}})
	b := start(t, Config{Slot: 200, System: System{Nameservers: []netip.AddrPort{closed(t), outer.Addr()}, Search: []string{"example.com"}}})
	for range 3 {
		assert.Equal(t, truth(outer.Address(0)), b.a(t, "www.example.com"))
	}
	c, err := net.Dial("tcp", b.Addr().String())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, writeFramed(c, written(t, "www.example.com", dnsmessage.TypeA, false)))
	raw, err := readFramed(c)
	require.NoError(t, err)
	assert.Equal(t, reply{addrs: []netip.Addr{outer.Address(0)}}, read(t, raw))
	require.Len(t, b.events(Foreign), 1, "told once")
	assert.Equal(t, "www.example.com", b.events(Foreign)[0].Name)
	assert.Equal(t, 4, b.Stats().Passed)
	assert.Zero(t, b.Stats().Asked)
	assert.Empty(t, b.events(Asked))
}

func TestWithoutANameserver(t *testing.T) {
	b := start(t, Config{})
	assert.Equal(t, failure(dnsmessage.RCodeServerFailure), b.a(t, "www.example.com"))
	dead := start(t, Config{System: System{Nameservers: []netip.AddrPort{closed(t)}}})
	assert.Equal(t, failure(dnsmessage.RCodeServerFailure), dead.a(t, "www.example.com"))
}

// Programs that compare where an answer comes from are answered from the loopback address that they asked.
func TestNear(t *testing.T) {
	stub := netip.MustParseAddr("127.0.0.53")
	b := start(t, Config{System: conf(t, "nameserver 127.0.0.53\nnameserver 192.0.2.1\n")})
	near := b.Near(stub)
	assert.Equal(t, stub, near.Addr())
	assert.NotEqual(t, uint16(53), near.Port(), "the system's own is not in the way")
	assert.True(t, b.Is(near))
	assert.Equal(t, b.Addr(), b.Near(netip.MustParseAddr("192.0.2.1")))
	c, err := net.Dial("udp", near.String())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = c.Write(written(t, "db", dnsmessage.TypeA, false))
	require.NoError(t, err)
	buf := make([]byte, 512)
	n, err := c.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, reply{addrs: []netip.Addr{b.Address(0)}}, read(t, buf[:n]))
}

// closed is an address where nobody answers.
func closed(t *testing.T) netip.AddrPort {
	t.Helper()
	s, err := bindAny(t.Context(), netip.MustParseAddr("127.0.0.1"))
	require.NoError(t, err)
	require.NoError(t, s.close())
	return s.addr
}
