package process

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Descriptors are told apart, and a socket that only the other side has closed is seen to be left behind.
func TestDescriptors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	spec := part("hold", l.Addr().String())
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "dialled <nil>")
	d, err := p.Descriptors()
	require.NoError(t, err)
	require.Len(t, d.TCP, 1)
	assert.Equal(t, l.Addr().String(), d.TCP[0].Remote.String())
	assert.GreaterOrEqual(t, d.Files, 1, "its standard input")
	assert.GreaterOrEqual(t, d.Pipes, 2, "its output")
	u, err := p.Usage()
	require.NoError(t, err)
	assert.Equal(t, u.FDs, d.Files+d.Pipes+d.Sockets+d.Other+len(d.TCP))

	c, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool {
		d, err := p.Descriptors()
		return err == nil && len(d.TCP) == 1 && d.TCP[0].State == "CLOSE_WAIT"
	}, 10*time.Second, 10*time.Millisecond)
}

// A signal that was sent before is not sent again by Stop.
func TestStopWaitsForASignalThatWasSentBefore(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	spec := part("hold", l.Addr().String())
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	require.True(t, p.Signal(15))
	s := p.Stop(t.Context(), 0, 10*time.Second)
	assert.False(t, s.Killed, "it was waited for")
	assert.True(t, p.Exit().OK(), "%v", p.Exit())
	assert.False(t, p.Signal(15), "nobody is there any more")
}
