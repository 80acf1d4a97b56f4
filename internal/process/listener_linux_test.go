package process

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHolderOf(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	want := Holder{PID: os.Getpid(), Program: filepath.Base(self)}
	for listen, ask := range map[string][]string{
		"127.0.0.1:0": {"127.0.0.1", "0.0.0.0"},
		"0.0.0.0:0":   {"127.0.0.1"},
		"[::]:0":      {"127.0.0.1", "::1"},
	} {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			t.Logf("%s: %v", listen, err) // no IPv6 here
			continue
		}
		port := l.Addr().(*net.TCPAddr).AddrPort().Port()
		for _, host := range ask {
			got, ok := HolderOf(netip.AddrPortFrom(netip.MustParseAddr(host), port))
			assert.True(t, ok, "%s asked at %s", listen, host)
			assert.Equal(t, want, got)
		}
		require.NoError(t, l.Close())
		_, ok := HolderOf(netip.AddrPortFrom(netip.MustParseAddr(ask[0]), port))
		assert.False(t, ok, "nobody listens any more")
	}
	assert.Equal(t, "process 12 (nginx)", Holder{PID: 12, Program: "nginx"}.String())
	assert.Equal(t, "process 12", Holder{PID: 12}.String())
}
