package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
)

// secureEcho is a TLS server that echoes until the other side ends.
func secureEcho(t *testing.T) string {
	t.Helper()
	chain, key, err := faults.ServerCertificate("localhost")
	require.NoError(t, err)
	pair, err := tls.X509KeyPair(chain, key)
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
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

// echoes sends data and reads it back, both at once.
func echoes(c net.Conn, data []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- err
	}()
	got := make([]byte, len(data))
	_, err := io.ReadFull(c, got)
	if err == nil && string(got) != string(data) {
		err = errors.New("something else came back")
	}
	return errors.Join(err, <-sent)
}

// TestTLSOnOpenConnections: what is open goes on; what went on under the fault carries every byte, is closed in order at the lift, and the
// next connection sees the real certificate.
func TestTLSOnOpenConnections(t *testing.T) {
	p := tlsProxy(t, secureEcho(t), nil)
	dial := func(config *tls.Config) *tls.Conn {
		c, err := net.Dial("tcp", p.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(tlsPatience)))
		return tls.Client(c, config)
	}
	careful := &tls.Config{RootCAs: authorityPool(t), ServerName: "localhost"}
	careless := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	data := make([]byte, 8<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(random.Uint32())
	}

	before := dial(careful)
	require.NoError(t, echoes(before, data[:1000]))
	p.Arm("self_signed")
	assert.NoError(t, echoes(before, data[:1000]), "open before")
	during := dial(careless)
	require.NoError(t, echoes(during, data), "every byte, in order")
	p.Lift("self_signed")
	_, err := during.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "close_notify: closed in order")
	assert.NoError(t, echoes(before, data[:1000]), "open before, after the lift")
	assert.NoError(t, echoes(dial(careful), data), "the real certificate")
}

// TestTLSHang: a handshake that was left unanswered goes on with the dependency after the lift.
func TestTLSHang(t *testing.T) {
	p := tlsProxy(t, secureEcho(t), nil)
	p.Arm("handshake_hang")
	c, err := net.Dial("tcp", p.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	client := tls.Client(c, &tls.Config{RootCAs: authorityPool(t), ServerName: "localhost"})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	require.Eventually(t, func() bool { return p.Stats().Fault("handshake_hang").ConnectionsHit == 1 }, tlsPatience, time.Millisecond)
	select {
	case err := <-shaken:
		require.NoError(t, err)
		t.Fatal("the handshake was answered")
	case <-time.After(100 * time.Millisecond):
	}
	p.Lift("handshake_hang")
	require.NoError(t, <-shaken)
	require.NoError(t, echoes(client, []byte("hello")))

	p.Arm("handshake_hang")
	again, err := net.Dial("tcp", p.Addr().String())
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.SetDeadline(time.Now().Add(100*time.Millisecond)))
	assert.ErrorIs(t, tls.Client(again, &tls.Config{ServerName: "localhost"}).Handshake(), os.ErrDeadlineExceeded)
	assert.NoError(t, echoes(client, []byte("still there")), "its handshake was over")
}
