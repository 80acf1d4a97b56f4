package faults

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secureEcho is a TLS server for localhost that echoes, with a certificate of its own authority, which only it trusts.
func secureEcho(t *testing.T, change func(*tls.Config)) string {
	t.Helper()
	a, err := newAuthority()
	require.NoError(t, err)
	certificate, err := a.issue(flawless, identityOf([]string{"real.example", "localhost", "127.0.0.1"}))
	require.NoError(t, err)
	config := &tls.Config{Certificates: []tls.Certificate{*certificate}, NextProtos: []string{"one", "two"}}
	if change != nil {
		change(config)
	}
	return echoServer(t, func(c net.Conn) net.Conn { return tls.Server(c, config) })
}

func echoServer(t *testing.T, wrap func(net.Conn) net.Conn) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				c := wrap(c)
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return l.Addr().String()
}

// trusting is a client that trusts the test authority and asksInside for real.example.
func trusting(t *testing.T) *tls.Config {
	t.Helper()
	pem, err := CertificateAuthority()
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	return &tls.Config{RootCAs: pool, ServerName: "real.example", NextProtos: []string{"two", "three"}}
}

func careless(t *testing.T) *tls.Config {
	t.Helper()
	c := trusting(t)
	c.RootCAs, c.InsecureSkipVerify = nil, true
	return c
}

func tlsConversationOf(t *testing.T, kind string) Conversation {
	t.Helper()
	b := behaviour(t, "tls", kind)
	return b.Converse(rand.New(rand.NewPCG(1, 2)), true)
}

// asksInside sends a line and reads its echo.
func asksInside(c net.Conn, line string) error {
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && got != line+"\n" {
		err = errors.New("got " + got)
	}
	return err
}

// TestTLSEveryKind: a service that trusts the authority meets exactly the one thing that is wrong.
func TestTLSEveryKind(t *testing.T) {
	address := secureEcho(t, nil)
	for kind, want := range map[string]string{
		"expired":              "certificate has expired or is not yet valid: current time",
		"not_yet_valid":        "is before",
		"wrong_name":           "certificate is valid for other.invalid, not real.example",
		"unknown_ca":           "certificate signed by unknown authority",
		"self_signed":          "certificate signed by unknown authority",
		"missing_intermediate": "certificate signed by unknown authority",
		"common_name_only":     "certificate relies on legacy Common Name field, use SANs instead",
		"wrong_usage":          "certificate specifies an incompatible key usage",
		"client_certificate":   "remote error: tls: certificate required",
		"old_version":          "tls: server selected unsupported protocol version 301",
		"plaintext":            "first record does not look like a TLS handshake",
		"alert":                "remote error: tls: handshake failure",
		"handshake_cut":        "EOF",
		"handshake_reset":      syscall.ECONNRESET.Error(),
	} {
		t.Run(kind, func(t *testing.T) {
			conn, talk := converse(t, tlsConversationOf(t, kind), address)
			err := asksInside(tls.Client(conn, trusting(t)), "hello")
			require.Error(t, err)
			assert.Contains(t, err.Error(), want)
			bites := talk.bitten(t)
			require.Len(t, bites, 1)
			assert.NotContains(t, bites[0], "went on")
			if strings.Contains(bites[0], ": ") && kind != "client_certificate" {
				assert.Contains(t, bites[0], ": the service refused it: tls: ")
			}
		})
	}
}

// TestTLSCareless: who does not check goes on to the real dependency, with the protocol that the two agree on, and is found out.
func TestTLSCareless(t *testing.T) {
	address := secureEcho(t, nil)
	for _, kind := range []string{"expired", "not_yet_valid", "wrong_name", "unknown_ca", "self_signed", "missing_intermediate", "common_name_only", "wrong_usage"} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			conn, talk := converse(t, tlsConversationOf(t, kind), address)
			config := careless(t)
			config.MaxVersion = version
			c := tls.Client(conn, config)
			require.NoError(t, asksInside(c, "hello"), kind)
			require.NoError(t, asksInside(c, strings.Repeat("much", 50_000)), "in many records")
			assert.Equal(t, "two", c.ConnectionState().NegotiatedProtocol)
			assert.Equal(t, version, c.ConnectionState().Version)
			require.NoError(t, c.CloseWrite())
			rest, err := io.ReadAll(c)
			require.NoError(t, err, "the dependency's goodbye comes through")
			assert.Empty(t, rest)
			require.NoError(t, c.Close())
			talk.lift() // nothing but the end of the talk ends Run
			bites := talk.bitten(t)
			require.Len(t, bites, 1)
			assert.Contains(t, bites[0], ": the service went on", kind)
		}
	}
}

// TestTLSOldVersionAccepted: a client that still takes TLS 1.1 gets it.
func TestTLSOldVersionAccepted(t *testing.T) {
	conn, talk := converse(t, tlsConversationOf(t, "old_version"), secureEcho(t, nil))
	config := trusting(t)
	config.MinVersion = tls.VersionTLS10
	c := tls.Client(conn, config)
	require.NoError(t, asksInside(c, "hello"))
	assert.EqualValues(t, tls.VersionTLS11, c.ConnectionState().Version)
	talk.lift()
	assert.Equal(t, []string{"offered nothing newer than TLS 1.1: the service went on"}, talk.bitten(t))
}

// TestTLSLift: a connection that went on is closed in order, a handshake that hangs goes on, with the real certificate.
func TestTLSLift(t *testing.T) {
	address := secureEcho(t, nil)
	conn, talk := converse(t, tlsConversationOf(t, "expired"), address)
	c := tls.Client(conn, careless(t))
	require.NoError(t, asksInside(c, "hello"))
	talk.lift()
	rest, err := io.ReadAll(c)
	assert.NoError(t, err, "close_notify and FIN")
	assert.Empty(t, rest)
	assert.Len(t, talk.bitten(t), 1)
	assert.Equal(t, "close", talk.ended)

	conversation := tlsConversationOf(t, "handshake_hang")
	first := &fakeTalk{script: []heardLine{{Upstream, aHello(t)}}}
	conversation.Run(first)
	assert.Equal(t, []string{"left the handshake unanswered"}, first.bites)
	assert.Equal(t, aHello(t)[:6], first.passed[Upstream][:6], "what was held is passed on")
	assert.Empty(t, first.closed)
	again := &fakeTalk{script: []heardLine{{Upstream, aHello(t)}, {Downstream, []byte("x")}}}
	conversation.Run(again)
	assert.Empty(t, again.bites, "its handshake is over")
	assert.Equal(t, "x", string(again.passed[Downstream]))
}

// TestTLSLateAnswer: a service that never answers has met the fault all the same.
func TestTLSLateAnswer(t *testing.T) {
	conn, talk := converse(t, tlsConversationOf(t, "expired"), secureEcho(t, nil))
	_, err := conn.Write(aHello(t))
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err, "the server's part has come")
	talk.lift()
	assert.Equal(t, []string{"presented an expired certificate"}, talk.bitten(t))
}

// TestTLSWithoutDependency: one that speaks no TLS, or wants a certificate, can't be reached; the service sees the bad certificate nevertheless.
func TestTLSWithoutDependency(t *testing.T) {
	deaf := echoServer(t, func(c net.Conn) net.Conn { return c })
	strict := secureEcho(t, func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 })
	for _, address := range []string{deaf, strict} {
		conn, _ := converse(t, tlsConversationOf(t, "expired"), address)
		assert.ErrorContains(t, tls.Client(conn, trusting(t)).Handshake(), "certificate has expired")

		conn, talk := converse(t, tlsConversationOf(t, "expired"), address)
		assert.ErrorIs(t, asksInside(tls.Client(conn, careless(t)), "hello"), io.EOF)
		assert.Equal(t, []string{"presented an expired certificate: the service went on"}, talk.bitten(t))
	}
}

// TestTLSIncompatible: who has nothing in common with the server does not pass for untouched.
func TestTLSIncompatible(t *testing.T) {
	conn, talk := converse(t, tlsConversationOf(t, "expired"), secureEcho(t, nil))
	config := trusting(t)
	config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	require.Error(t, tls.Client(conn, config).Handshake())
	bites := talk.bitten(t)
	require.Len(t, bites, 1)
	assert.Contains(t, bites[0], "presented an expired certificate: the handshake failed: tls: no cipher suite supported")
}

// TestTLSPassesOthers: what is no TLS, or was there before, is none of the fault's business.
func TestTLSPassesOthers(t *testing.T) {
	hello := aHello(t)
	for name, c := range map[string]struct {
		whole bool
		sent  string
	}{
		"plain":          {true, "GET / HTTP/1.1\r\n\r\n"},
		"nearly":         {true, string(hello[:5]) + "\x02" + string(hello[6:])},
		"open before":    {false, string(hello)},
		"cut in two":     {true, string(hello[:100])},
		"startup packet": {true, "\x00\x00\x00\x08\x00\x03\x00\x00"},
		"MySQL, plain":   {true, "\x20\x00\x00\x01" + strings.Repeat("\x00", 32)},
		"nothing at all": {true, ""},
	} {
		for _, kind := range []string{"expired", "plaintext", "handshake_reset", "handshake_hang"} {
			b := behaviour(t, "tls", kind)
			talk := &fakeTalk{}
			for i := range len(c.sent) { // byte for byte
				talk.script = append(talk.script, heardLine{Upstream, []byte{c.sent[i]}}, heardLine{Downstream, []byte("d")})
			}
			talk.script = append(talk.script, heardLine{Upstream, nil}, heardLine{Downstream, []byte("rest")}, heardLine{Downstream, nil})
			b.Converse(nil, c.whole).Run(talk)
			assert.Equal(t, c.sent, string(talk.passed[Upstream]), name)
			assert.Equal(t, strings.Repeat("d", len(c.sent))+"rest", string(talk.passed[Downstream]), name)
			assert.Equal(t, [2]bool{true, true}, talk.ended, name)
			assert.Empty(t, talk.bites, name)
			assert.Empty(t, talk.closed, name)
		}
	}
}

// TestTLSBehindAQuestion: databases talk about TLS first. The dependency answers; where it says no, nothing is left to do.
func TestTLSBehindAQuestion(t *testing.T) {
	const ssl, gss = "\x00\x00\x00\x08\x04\xd2\x16\x2f", "\x00\x00\x00\x08\x04\xd2\x16\x30"
	hello := string(aHello(t))
	mysql := "\x20\x00\x00\x01\x00\x08" + strings.Repeat("\x00", 30)
	for name, c := range map[string]struct {
		talk  []heardLine
		bites int
		up    string
		down  string
	}{
		"yes":      {[]heardLine{{Upstream, []byte(ssl)}, {Downstream, []byte("S")}, {Upstream, []byte(hello)}}, 1, ssl, "S"},
		"no":       {[]heardLine{{Upstream, []byte(ssl)}, {Downstream, []byte("N")}, {Upstream, []byte(hello)}}, 0, ssl + hello, "N"},
		"gss, yes": {[]heardLine{{Upstream, []byte(gss)}, {Downstream, []byte("G")}, {Upstream, []byte(hello)}}, 0, gss + hello, "G"},
		"both": {[]heardLine{{Upstream, []byte(gss)}, {Downstream, []byte("N")}, {Upstream, []byte(ssl)}, {Downstream, []byte("S")},
			{Upstream, []byte(hello[:50])}, {Upstream, []byte(hello[50:])}}, 1, gss + ssl, "NS"},
		"mysql": {[]heardLine{{Downstream, []byte("greeting")}, {Upstream, []byte(mysql + hello)}}, 1, mysql, "greeting"},
		"nats":  {[]heardLine{{Downstream, []byte("INFO {}\r\n")}, {Upstream, []byte(hello)}}, 1, "", "INFO {}\r\n"},
	} {
		talk := &fakeTalk{script: c.talk}
		tlsConversationOf(t, "handshake_cut").Run(talk)
		assert.Len(t, talk.bites, c.bites, name)
		assert.Equal(t, c.up, string(talk.passed[Upstream]), name)
		assert.Equal(t, c.down, string(talk.passed[Downstream]), name)
		assert.Equal(t, c.bites > 0, talk.closed == "close", name)
	}
	talk := &fakeTalk{script: []heardLine{{Upstream, []byte(ssl)}, {Upstream, []byte("in plain")}, {Downstream, []byte("welcome")}}}
	tlsConversationOf(t, "plaintext").Run(talk)
	assert.Equal(t, "Nwelcome", string(talk.passed[Downstream]))
	assert.Equal(t, "in plain", string(talk.passed[Upstream]), "who takes the N goes on in plain text")
	assert.Equal(t, []string{"answered without TLS"}, talk.bites)
}

// TestOpenAlert: whatever stands before it, and in pieces it is none.
func TestOpenAlert(t *testing.T) {
	const change, unknown = "\x14\x03\x03\x00\x01\x01", "\x15\x03\x03\x00\x02\x02\x30"
	for text, want := range map[string]bool{unknown: true, change + unknown: true, unknown[:6]: false, change: false, "": false,
		"\x15\x03\x03\x00\x02\x01\x00": false, "\x17\x03\x03\xff\xff" + unknown: false, "\x15\x03\x03\x00\x13" + unknown: false} {
		alert, found := openAlert([]byte(text))
		assert.Equal(t, want, found, "%x", text)
		if found {
			assert.Equal(t, "tls: unknown certificate authority", alert.Error())
		}
	}
}

// TestTLSFlood: what waits is bounded.
func TestTLSFlood(t *testing.T) {
	talk := &fakeTalk{script: []heardLine{{Upstream, aHello(t)}}}
	for range 100 {
		talk.script = append(talk.script, heardLine{Upstream, make([]byte, 16<<10)})
	}
	tlsConversationOf(t, "handshake_hang").Run(talk)
	assert.Equal(t, "close", talk.closed)
	assert.Empty(t, talk.passed[Upstream])
}
