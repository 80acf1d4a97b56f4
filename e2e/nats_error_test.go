package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startNATS starts a server in this process: the code is the real one.
func startNATS(t *testing.T, options server.Options) string {
	t.Helper()
	options.Host, options.Port, options.NoSigs, options.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(&options)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(patience))
	return s.Addr().String()
}

// natsAnswer is all that a server says to who connects, without its INFO, up to the end.
func natsAnswer(t *testing.T, addr string, connect bool) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	in := bufio.NewReader(c)
	info, err := in.ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(info, "INFO {"), info)
	if connect {
		_, err = io.WriteString(c, "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"raw\",\"version\":\"0\",\"protocol\":1}\r\nPING\r\n")
		require.NoError(t, err)
	}
	var said strings.Builder
	for {
		line, err := in.ReadString('\n')
		if !strings.HasPrefix(line, "INFO {") && line != "PING\r\n" {
			said.WriteString(line)
		}
		if err != nil {
			return said.String() // FIN or RST: a server that has not read everything sends RST
		}
	}
}

// TestNATSErrorsAreTheServers compares the bytes of each refusal with those of a server that was brought to it.
func TestNATSErrorsAreTheServers(t *testing.T) {
	healthy := startNATS(t, server.Options{})
	for name, options := range map[string]server.Options{
		"Authorization Violation":      {Username: "a", Password: "b"},
		"Maximum Connections Exceeded": {MaxConn: -1},
		"Stale Connection":             {PingInterval: 20 * time.Millisecond, MaxPingsOut: 1},
	} {
		t.Run(name, func(t *testing.T) {
			connect := name != "Maximum Connections Exceeded"
			want := natsAnswer(t, startNATS(t, options), connect)
			assert.Contains(t, want, "-ERR '")
			p := spoken(t, healthy, "nats_error", name)
			p.Arm("f")
			assert.Equal(t, want, natsAnswer(t, p.Addr().String(), connect))
			t.Logf("%q", want)
		})
	}
	t.Run("Authentication Timeout", func(t *testing.T) { // a client that does not say who it is
		want := natsAnswer(t, startNATS(t, server.Options{Username: "a", Password: "b", AuthTimeout: 0.02}), false)
		p := spoken(t, healthy, "nats_error", "Authentication Timeout")
		p.Arm("f")
		assert.Equal(t, want, natsAnswer(t, p.Addr().String(), true))
	})
	// What the fault says in these two cases is in the server's source and in the clients, but is not what it sends today.
	assert.Empty(t, natsAnswer(t, startNATS(t, tlsRequired()), false), "a client that does not begin with TLS")
}

// tlsRequired wants TLS, and soon.
func tlsRequired() server.Options {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return server.Options{TLS: true, TLSConfig: &tls.Config{Certificates: s.TLS.Certificates}, TLSTimeout: 0.02}
}

// TestNATSClient: what nats.go says, and that it comes back after the lift.
func TestNATSClient(t *testing.T) {
	healthy := startNATS(t, server.Options{})
	for name, want := range map[string]string{
		"Authorization Violation":                     "nats: Authorization Violation",
		"Authentication Timeout":                      "nats: Authentication Timeout",
		"Maximum Connections Exceeded":                "nats: maximum connections exceeded",
		"Maximum Account Active Connections Exceeded": "nats: maximum account active connections exceeded",
		"Secure Connection - TLS Required":            "nats: Secure Connection - TLS Required",
		"User Authentication Expired":                 "nats: Authorization Violation",
	} {
		t.Run(name, func(t *testing.T) {
			p := spoken(t, healthy, "nats_error", name)
			url := "nats://" + p.Addr().String()
			p.Arm("f")
			_, err := nats.Connect(url, nats.NoReconnect())
			assert.EqualError(t, err, want)
			p.Lift("f")
			c, err := nats.Connect(url, nats.NoReconnect())
			require.NoError(t, err)
			c.Close()
		})
	}
	for name, want := range map[string]string{
		"Stale Connection": "nats: stale connection", "User Authentication Expired": "nats: authentication expired", "User Authentication Revoked": "nats: authentication revoked",
		"Account Authentication Expired": "nats: account authentication expired", "Slow Consumer": "nats: Slow Consumer",
	} {
		t.Run("an open connection, "+name, func(t *testing.T) {
			p := spoken(t, healthy, "nats_error", name)
			errs, back := make(chan string, 100), make(chan struct{}, 100)
			tell := func(err error) {
				if err != nil {
					errs <- err.Error()
				}
			}
			c, err := nats.Connect("nats://"+p.Addr().String(), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
				nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { tell(err) }),
				nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { tell(err) }), nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }),
				nats.ClosedHandler(func(c *nats.Conn) { tell(c.LastError()) }))
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.Flush())
			p.Arm("f")
			for waited(t, errs) != want {
			}
			p.Lift("f")
			if c.IsClosed() { // it does not come back from an error that it does not know
				assert.Equal(t, "Slow Consumer", name)
				return
			}
			waited(t, back)
		})
	}
}

func waited[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "it did not come")
	}
	panic("unreachable")
}
