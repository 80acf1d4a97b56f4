package faults

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// aHello is a ClientHello of crypto/tls.
func aHello(t testing.TB) []byte {
	t.Helper()
	ours, its := net.Pipe()
	defer ours.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Client(its, &tls.Config{ServerName: "real.example"}).Handshake() }()
	b := make([]byte, 64<<10)
	n, err := ours.Read(b)
	require.NoError(t, err)
	_ = ours.Close()
	require.Error(t, <-done)
	return b[:n]
}

// inRecords cuts the message of a record into records of at most size bytes.
func inRecords(hello []byte, size int) []byte {
	var out []byte
	for message := hello[recordHeader:]; len(message) > 0; {
		n := min(size, len(message))
		if len(out) == 0 {
			n = min(max(n, 4), len(message))
		}
		out = append(binary.BigEndian.AppendUint16(append(out, hello[:3]...), uint16(n)), message[:n]...)
		message = message[n:]
	}
	return out
}

// Whatever the cuts, a hello is seen when it is whole, and not before.
func TestRecognise(t *testing.T) {
	hello := aHello(t)
	for _, size := range []int{1, 7, 100, 1 << 14} {
		b := inRecords(hello, size)
		for i := range b {
			what, n := recognise(b[:i])
			require.Equal(t, openingUnclear, what, "%d of %d", i, len(b))
			require.Zero(t, n)
		}
		what, n := recognise(append(b, "more"...))
		assert.Equal(t, openingHello, what)
		assert.Equal(t, len(b), n)
	}
}

func FuzzRecognise(f *testing.F) {
	hello := aHello(f)
	f.Add(hello)
	f.Add(inRecords(hello, 9))
	f.Add([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"))
	f.Add([]byte("\x20\x00\x00\x01\x00\x08\x00\x00"))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		what, n := recognise(b)
		assert.LessOrEqual(t, n, len(b))
		assert.Equal(t, what == openingUnclear || what == openingOther, n == 0)
		for i := range min(len(b), 100) { // more bytes never change a mind
			if before, m := recognise(b[:i]); before != openingUnclear {
				assert.Equal(t, what, before)
				assert.Equal(t, n, m)
			}
		}
		// And nothing is lost in a conversation, however it is cut.
		talk := &fakeTalk{script: []heardLine{{Upstream, b[:len(b)/2]}, {Upstream, b[len(b)/2:]}, {Upstream, nil}}}
		for i, l := range talk.script {
			if l.data == nil && i < 2 {
				talk.script[i].data = []byte{}
			}
		}
		c := tlsConversation{kind: handshakeCut}
		c.Run(talk)
		if talk.closed == "" {
			assert.Equal(t, string(b), string(talk.passed[Upstream]))
			assert.Empty(t, talk.bites)
		} else {
			assert.Len(t, talk.bites, 1)
		}
	})
}

// FuzzHandshake: whatever both sides say inside a handshake, it ends.
func FuzzHandshake(f *testing.F) {
	hello := aHello(f)
	f.Add([]byte("x"), []byte("\x15\x03\x03\x00\x02\x02\x30"))
	f.Add(hello, hello[:50])
	f.Fuzz(func(t *testing.T, down, up []byte) {
		talk := &fakeTalk{script: []heardLine{{Upstream, hello}, {Downstream, append([]byte{}, down...)}, {Upstream, append([]byte{}, up...)}, {Upstream, nil}}}
		(&tlsConversation{kind: string(expired), text: "presented"}).Run(talk)
		assert.Equal(t, "close", talk.closed)
		assert.LessOrEqual(t, len(talk.bites), 1) // nothing was presented if the talk ended before
	})
}
