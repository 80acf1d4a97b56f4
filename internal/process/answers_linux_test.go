package process

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"
)

func TestErrnosReachTheClient(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	for _, errno := range []syscall.Errno{unix.ECONNREFUSED, unix.ETIMEDOUT, unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ECONNRESET} {
		spec := part("dial", "tcp="+open.String())
		lines := record(&spec)
		var a attempts
		spec.Decide = a.decide(Answer{Errno: errno})
		p := start(t, spec)
		done(t, p)
		assert.Equal(t, []string{"error " + unix.ErrnoName(errno)}, lines.all())
		assert.Equal(t, []netip.AddrPort{open}, a.targets())
		assert.Equal(t, p.PID(), a.all()[0].PID)
		assert.False(t, a.all()[0].At.Before(p.Started()))
	}
}

func TestRefusedAttemptsAreCounted(t *testing.T) {
	needsInterceptor(t)
	target := closedPort(t)
	arg := "tcp=" + target.String()
	spec := part("dial", arg, arg, arg)
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{})
	done(t, start(t, spec))
	assert.Equal(t, []string{"error ECONNREFUSED", "error ECONNREFUSED", "error ECONNREFUSED"}, lines.all())
	assert.Equal(t, []netip.AddrPort{target, target, target}, a.targets())
}

func TestRedirect(t *testing.T) {
	needsInterceptor(t)
	v4 := greeter(t, "tcp4", "127.0.0.1:0", "v4")
	proxy4 := greeter(t, "tcp4", "127.0.0.2:0", "proxy4")
	closed := closedPort(t)
	tests := []struct {
		name, play string
		args       []string
		to         netip.AddrPort
		want       string
		seen       netip.AddrPort
	}{
		{"v4", "dial", []string{"tcp=" + v4.String()}, proxy4, "connected proxy4", v4},
		{"closed v4", "dial", []string{"tcp=" + closed.String()}, proxy4, "connected proxy4", closed},
		{"raw v4", "socket", []string{"v4", v4.String()}, proxy4, "connected proxy4", v4},
		{"v4-mapped", "socket", []string{"v6", v4.String()}, proxy4, "connected proxy4", v4},
		{"elsewhere", "dial", []string{"tcp=203.0.113.7:80"}, proxy4, "connected proxy4", netip.MustParseAddrPort("203.0.113.7:80")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkRedirect(t, tt.play, tt.args, tt.to, tt.want, tt.seen) })
	}
	t.Run("v6", func(t *testing.T) {
		v6 := greeter(t, "tcp6", "[::1]:0", "v6")
		proxy6 := greeter(t, "tcp6", "[::1]:0", "proxy6")
		checkRedirect(t, "dial", []string{"tcp=" + v6.String()}, proxy6, "connected proxy6", v6)
		checkRedirect(t, "dial", []string{"tcp=" + v6.String()}, proxy4, "connected proxy4", v6)
		checkRedirect(t, "socket", []string{"v6", v6.String()}, proxy4, "connected proxy4", v6)
		checkRedirect(t, "socket", []string{"v6only", v6.String()}, proxy4, "connected proxy4", v6)
		checkRedirect(t, "socket", []string{"v6", v4.String()}, proxy6, "connected proxy6", v4)
	})
}

func checkRedirect(t *testing.T, play string, args []string, to netip.AddrPort, want string, seen netip.AddrPort) {
	t.Helper()
	spec := part(play, args...)
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Redirect: to})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{want}, lines.all())
	assert.Equal(t, []netip.AddrPort{seen}, a.targets())
	assert.NoError(t, p.Intercepted().Err)
}

func TestAnImpossibleRedirectPassesAndIsReported(t *testing.T) {
	needsInterceptor(t)
	open := greeter(t, "tcp4", "127.0.0.1:0", "real")
	spec := part("dial", "tcp="+open.String())
	lines := record(&spec)
	var a attempts
	spec.Decide = a.decide(Answer{Redirect: netip.MustParseAddrPort("[::1]:1")})
	p := start(t, spec)
	done(t, p)
	assert.Equal(t, []string{"connected real"}, lines.all())
	assert.Equal(t, 1, p.Intercepted().Missed)
	assert.ErrorContains(t, p.Intercepted().Err, "IPv4 socket")
}
