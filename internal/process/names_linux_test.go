package process

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// datagrams answers every datagram with a line.
func datagrams(t *testing.T, network, address, line string) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Skip(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		b := make([]byte, 64)
		for {
			_, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = c.WriteTo([]byte(line+"\n"), from)
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-over
	})
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

// Who asks for datagrams decides about them, whatever the family of the socket, and only about those that are UDP.
func TestDatagrams(t *testing.T) {
	needsInterceptor(t)
	to := datagrams(t, "udp4", "127.0.0.1:0", "ours")
	six := datagrams(t, "udp6", "[::1]:0", "v6")
	for name, c := range map[string]struct {
		family string
		target netip.AddrPort
	}{
		"v4":        {"v4", netip.MustParseAddrPort("203.0.113.7:53")},
		"v4-mapped": {"v6", netip.MustParseAddrPort("203.0.113.7:53")},
		"v6":        {"v6", netip.MustParseAddrPort("[2001:db8::7]:53")},
		"v6 only":   {"v6only", netip.MustParseAddrPort("[2001:db8::7]:53")},
	} {
		t.Run(name, func(t *testing.T) {
			spec := part("socket", c.family, c.target.String(), "udp")
			lines := record(&spec)
			var a attempts
			spec.Decide, spec.Datagrams = a.decide(Answer{Redirect: to}), true
			p := start(t, spec)
			done(t, p)
			assert.Equal(t, []string{"connected ours"}, lines.all())
			assert.Equal(t, []netip.AddrPort{c.target}, a.targets())
			assert.Equal(t, "udp", a.all()[0].Network)
			assert.NoError(t, p.Intercepted().Err)
		})
	}
	t.Run("refused", func(t *testing.T) {
		spec := part("socket", "v6", six.String(), "udp")
		lines := record(&spec)
		var a attempts
		spec.Decide, spec.Datagrams = a.decide(Answer{Errno: unix.EHOSTUNREACH}), true
		done(t, start(t, spec))
		assert.Equal(t, []string{"error EHOSTUNREACH"}, lines.all())
	})
	t.Run("not asked for", func(t *testing.T) {
		spec := part("socket", "v6", six.String(), "udp")
		lines := record(&spec)
		var a attempts
		spec.Decide = a.decide(Answer{Errno: unix.EHOSTUNREACH})
		p := start(t, spec)
		done(t, p)
		assert.Equal(t, []string{"connected v6"}, lines.all())
		assert.Equal(t, Interception{Passed: 1}, p.Intercepted())
	})
	t.Run("streams say so", func(t *testing.T) {
		spec := part("dial", "tcp="+closedPort(t).String())
		var a attempts
		spec.Decide, spec.Datagrams = a.decide(Answer{}), true
		done(t, start(t, spec))
		assert.Equal(t, "tcp", a.all()[0].Network)
	})
}

func needsOwnResolvConf(t *testing.T) {
	t.Helper()
	if err := OwnResolvConf(); err != nil {
		require.ErrorIs(t, err, ErrNoResolvConf)
		t.Skip(err)
	}
}

// The service and its children see the file, also as another user and after the runner has removed it; nobody else does.
func TestOwnResolvConf(t *testing.T) {
	needsOwnResolvConf(t)
	before, mounts := text(t, resolvConf), text(t, "/proc/self/mountinfo")
	for name, user := range map[string]*Credential{"as the runner": nil, "as somebody else": {UID: 65534, GID: 65534}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "resolv.conf")
			require.NoError(t, os.WriteFile(path, []byte("nameserver 127.64.0.1\n"), 0o644))
			spec := Spec{
				Argv: []string{"sh", "-c", "cat /etc/resolv.conf; read line < gate; (cat /etc/resolv.conf; mount -n 2>/dev/null | grep -c resolv.conf)"},
				Env:  []string{"PATH=" + os.Getenv("PATH")}, Dir: shared(t), User: user, ResolvConf: path,
			}
			gate := filepath.Join(spec.Dir, "gate")
			require.NoError(t, unix.Mkfifo(gate, 0o644))
			require.NoError(t, os.Chmod(gate, 0o644))
			lines := record(&spec)
			p := start(t, spec)
			lines.awaitLine(t, "nameserver 127.64.0.1")
			assert.Equal(t, before, text(t, resolvConf), "outside it is the system's, while the service runs")
			require.NoError(t, os.Remove(path))
			w, err := os.OpenFile(gate, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = w.WriteString("go\n")
			require.NoError(t, err)
			require.NoError(t, w.Close())
			done(t, p)
			require.GreaterOrEqual(t, len(lines.all()), 2)
			assert.Equal(t, "nameserver 127.64.0.1", lines.all()[1], "to a child, later")
			assert.Equal(t, before, text(t, resolvConf))
			assert.Equal(t, mounts, text(t, "/proc/self/mountinfo"))
		})
	}
}

// shared is a folder that every user reaches.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chaos-test-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestAResolvConfThatIsNotThere(t *testing.T) {
	needsOwnResolvConf(t)
	spec := part("dial")
	spec.ResolvConf = filepath.Join(t.TempDir(), "none")
	_, err := Start(spec)
	assert.ErrorIs(t, err, ErrNoResolvConf)
	assert.ErrorContains(t, err, "mount "+spec.ResolvConf)
}
