package faults

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// refusing answers what begins with refuse in place of the dependency, inside TLS.
type refusing struct {
	protocols []string
	err       chan error
}

func (r *refusing) Run(talk Talk) {
	plain, speaksTLS, err := inPlain(talk, r.protocols...)
	r.err <- err
	if !speaksTLS {
		goOnUntouched(talk)
		return
	}
	defer plain.Close()
	for err == nil {
		d, c, ok := plain.Next()
		switch {
		case !ok:
			return
		case d == Upstream && strings.HasPrefix(string(c.Data), "refuse"):
			plain.Pass(Downstream, Chunk{Data: []byte("no\n"), At: time.Now()})
		default:
			plain.Pass(d, c)
		}
	}
}

// TestInPlain: a fault answers inside TLS, passes the rest to the real dependency, and offers only what it can speak.
func TestInPlain(t *testing.T) {
	address := secureEcho(t, func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} })
	for _, offered := range [][]string{{"h2", "http/1.1"}, nil} {
		fault := &refusing{protocols: []string{"http/1.1"}, err: make(chan error, 1)}
		conn, talk := converse(t, fault, address)
		config := trusting(t)
		config.NextProtos = offered
		c := tls.Client(conn, config)
		in := bufio.NewReader(c)
		for question, answer := range map[string]string{"refuse me\n": "no\n", "hello\n": "hello\n"} {
			_, err := io.WriteString(c, question)
			require.NoError(t, err)
			got, err := in.ReadString('\n')
			require.NoError(t, err)
			assert.Equal(t, answer, got)
		}
		require.NoError(t, <-fault.err)
		assert.Equal(t, map[bool]string{true: "http/1.1", false: ""}[offered != nil], c.ConnectionState().NegotiatedProtocol)
		talk.lift()
		_, err := in.ReadByte()
		assert.ErrorIs(t, err, io.EOF, "closed in order at the lift")
	}
}

// TestInPlainRefused: a service that does not trust the authority, or speaks no TLS.
func TestInPlainRefused(t *testing.T) {
	address := secureEcho(t, nil)
	fault := &refusing{err: make(chan error, 1)}
	conn, _ := converse(t, fault, address)
	assert.Error(t, tls.Client(conn, &tls.Config{ServerName: "localhost"}).Handshake())
	assert.ErrorContains(t, <-fault.err, "remote error")

	plain := echoServer(t, func(c net.Conn) net.Conn { return c })
	conn, _ = converse(t, fault, plain)
	require.NoError(t, asksInside(conn, "without TLS"))
	assert.NoError(t, <-fault.err)
}

// TestLikeness: a service that asksInside by address gets the names of the real certificate, and none that can't stand in one.
func TestLikeness(t *testing.T) {
	a, err := newAuthority()
	require.NoError(t, err)
	c, err := a.issue(flawless, identityOf([]string{"real.example", "10.1.2.3", "", "not\x00printable", strings.Repeat("x", 300)}))
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	require.NoError(t, err)
	who := likeness("", leaf)
	assert.Equal(t, []string{"real.example", "localhost"}, who.names)
	require.Len(t, who.ips, 3)
	assert.Equal(t, "10.1.2.3", who.ips[0].String())
	assert.Equal(t, "asked.example", likeness("asked.example", leaf).common)
	many := *leaf
	for range 1000 {
		many.DNSNames = append(many.DNSNames, "a.example")
	}
	assert.LessOrEqual(t, len(likeness("", &many).names), mostNames+1)
	_, err = a.issue(commonNameOnly, likeness("", nil))
	assert.NoError(t, err)
}
