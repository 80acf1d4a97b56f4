package faultstest_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
)

// How each fault looks from outside. Times have lower bounds only: a loaded machine is late, never early.

func refuses(errno syscall.Errno) func(*testing.T, *bench, *client) {
	return func(t *testing.T, b *bench, old *client) {
		want := errno
		if !b.intercepted {
			want = syscall.ECONNREFUSED // all that a closed port can say
		}
		for range 3 {
			_, err := b.dial(t, b.faulty)
			assert.ErrorIs(t, err, want)
		}
		assert.NoError(t, old.echoes("open connections go on"))
	}
}

func cuts(t *testing.T, b *bench, old *client) {
	_, err := old.in.ReadByte()
	assert.ErrorIs(t, err, syscall.ECONNRESET, "idle, and reset nevertheless")
	_, err = b.dial(t, b.faulty)
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func flaps(t *testing.T, b *bench, old *client) {
	_, err := old.in.ReadByte()
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	// Down, up, down, up: whatever the moments at which this is run, each must come in the end.
	deadline := time.Now().Add(patience)
	for turn := range 4 {
		want := turn%2 == 1
		for b.works(t, b.faulty) == nil != want {
			require.True(t, time.Now().Before(deadline), "turn %d never came", turn)
			<-time.After(5 * time.Millisecond) // the other side is the clock; there is nothing to wait on
		}
	}
}

func closesAtOnce(t *testing.T, b *bench, old *client) {
	all, err := b.mustDial(t).rest()
	assert.NoError(t, err, "FIN, not RST")
	assert.Empty(t, all)
	assert.NoError(t, old.echoes("open connections go on"))
}

func resets(t *testing.T, b *bench, old *client) {
	_, err := old.in.ReadByte()
	assert.ErrorIs(t, err, syscall.ECONNRESET, "idle, and reset nevertheless")
	assert.ErrorIs(t, b.works(t, b.faulty), syscall.ECONNRESET)
}

func resetsLate(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.echoes("in time"))
	_, err := old.in.ReadByte()
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	assert.GreaterOrEqual(t, time.Since(b.armed), delay)
}

func resetsAfter7(t *testing.T, b *bench, old *client) {
	got, err := b.spoken(t)
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	assert.Equal(t, greeting+"m", got)
	assert.NoError(t, old.echoes("five5"), "6 of 7 bytes")
	assert.NoError(t, old.says("more"))
	got, err = old.rest()
	assert.ErrorIs(t, err, syscall.ECONNRESET)
	assert.Equal(t, "m", got)
}

// spoken says "more" on a new connection and returns all that is answered.
func (b *bench) spoken(t *testing.T) (string, error) {
	t.Helper()
	c := b.mustDial(t)
	require.NoError(t, c.says("more"))
	return c.rest()
}

func swallows(t *testing.T, b *bench, old *client) {
	c := b.mustDial(t)
	assert.NoError(t, c.says("swallowed"))
	assert.NoError(t, old.says("swallowed"))
	assert.NoError(t, c.silent())
	assert.NoError(t, old.silent())
	assert.False(t, b.heard("swallowed"))
}

func withholds(t *testing.T, b *bench, old *client) {
	c := b.mustDial(t)
	assert.NoError(t, c.silent())
	assert.NoError(t, old.says("withheld"))
	assert.NoError(t, old.silent())
	assert.False(t, b.heard("withheld"))
}

func timesOut(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.says("swallowed"))
	all, err := old.rest()
	assert.NoError(t, err, "FIN, not RST")
	assert.Empty(t, all)
	assert.GreaterOrEqual(t, time.Since(b.armed), delay)
	begun := time.Now()
	all, err = b.mustDial(t).rest()
	assert.NoError(t, err)
	assert.Empty(t, all)
	assert.GreaterOrEqual(t, time.Since(begun), delay)
	assert.False(t, b.heard("swallowed"))
}

// isLate: an echo on an open connection takes that long at least, and so does the greeting on a new one.
func isLate(echo, fresh time.Duration) func(*testing.T, *bench, *client) {
	return func(t *testing.T, b *bench, old *client) {
		begun := time.Now()
		assert.NoError(t, old.echoes("late"))
		assert.GreaterOrEqual(t, time.Since(begun), echo)
		begun = time.Now()
		assert.NoError(t, b.mustDial(t).greeted())
		assert.GreaterOrEqual(t, time.Since(begun), fresh)
	}
}

func isNarrow(t *testing.T, _ *bench, old *client) {
	begun := time.Now()
	assert.NoError(t, old.echoes(strings.Repeat("x", 300)))
	assert.GreaterOrEqual(t, time.Since(begun), 250*time.Millisecond, "300 bytes at 1 KB/s")
}

func isSliced(t *testing.T, _ *bench, old *client) {
	begun := time.Now()
	assert.NoError(t, old.echoes(strings.Repeat("0123456789abcdef", 4)))
	assert.GreaterOrEqual(t, time.Since(begun), 150*time.Millisecond, "16 pieces, 10 ms apart")
}

// failsTLS: a client that trusts the test authority fails with want behind the server's greeting; what is open goes on.
func failsTLS(want string) func(*testing.T, *bench, *client) {
	return func(t *testing.T, b *bench, old *client) {
		root, err := faults.CertificateAuthority()
		require.NoError(t, err)
		trust := x509.NewCertPool()
		require.True(t, trust.AppendCertsFromPEM(root))
		c := b.mustDial(t)
		require.NoError(t, c.greeted())
		assert.ErrorContains(t, tls.Client(c, &tls.Config{RootCAs: trust, ServerName: "localhost"}).Handshake(), want)
		assert.NoError(t, old.echoes("open connections go on"))
		assert.NoError(t, b.works(t, b.faulty), "without TLS")
	}
}

func hangsTLS(t *testing.T, b *bench, old *client) {
	c := b.mustDial(t)
	require.NoError(t, c.greeted())
	require.NoError(t, c.SetDeadline(time.Now().Add(silence)))
	assert.ErrorIs(t, tls.Client(c, &tls.Config{ServerName: "localhost"}).Handshake(), os.ErrDeadlineExceeded)
	assert.NoError(t, old.echoes("open connections go on"))
}

func closesLate(t *testing.T, b *bench, _ *client) {
	c := b.mustDial(t)
	assert.NoError(t, c.greeted())
	begun := time.Now()
	assert.NoError(t, c.echoes("bye"))
	_, err := c.in.ReadByte()
	assert.ErrorIs(t, err, io.EOF)
	assert.GreaterOrEqual(t, time.Since(begun), delay)
}

func limitsTo0(t *testing.T, b *bench, old *client) {
	got, err := b.mustDial(t).rest()
	assert.NoError(t, err, "FIN, not RST")
	assert.Empty(t, got)
	assert.NoError(t, old.says("acted on"))
	got, err = old.rest()
	assert.NoError(t, err)
	assert.Empty(t, got)
	assert.True(t, b.heard("acted on"), "only the answer is lost")
}

func limitsTo7(t *testing.T, b *bench, old *client) {
	got, err := b.spoken(t)
	assert.NoError(t, err, "FIN, not RST")
	assert.Equal(t, greeting+"m", got)
	assert.NoError(t, old.echoes("five5"), "6 of 7 bytes")
	assert.NoError(t, old.says("more"))
	got, err = old.rest()
	assert.NoError(t, err)
	assert.Equal(t, "m", got)
}

// endsIn: exactly part of a long answer, then the error (nil: FIN).
func endsIn(want error) func(*testing.T, *bench, *client) {
	return func(t *testing.T, b *bench, _ *client) {
		c := b.mustDial(t)
		require.NoError(t, c.says("flood"))
		got, err := c.rest()
		assert.ErrorIs(t, err, want)
		assert.Equal(t, part, len(got))
		assert.True(t, strings.HasPrefix(greeting+flood, got), "and nothing else")
	}
}

func hangs(t *testing.T, b *bench, old *client) {
	_, err := b.dialWithin(t, b.faulty, silence)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	assert.True(t, timeout.Timeout(), "%v", err)
	assert.NoError(t, old.echoes("open connections go on"))
	b.waiting = make(chan error, 1)
	go func() {
		c, err := b.dial(t, b.faulty)
		if err == nil {
			err = errors.Join(c.greeted(), c.echoes("late"))
		}
		b.waiting <- err
	}()
}

func connectsLate(t *testing.T, b *bench, old *client) {
	assert.NoError(t, <-b.waiting, "the kernel asks again")
	working(t, b, old)
}

func caps(t *testing.T, b *bench, old *client) {
	require.Eventually(t, func() bool { return b.faulty.Stats().Open == 1 }, patience, time.Millisecond)
	second := b.mustDial(t)
	assert.NoError(t, second.greeted())
	for range 3 {
		assert.Error(t, b.works(t, b.faulty), "the third")
		require.Eventually(t, func() bool { return b.faulty.Stats().Open == 2 }, patience, time.Millisecond)
	}
	assert.NoError(t, old.echoes("those that are open work"))
	require.NoError(t, second.Close())
	require.Eventually(t, func() bool { return b.faulty.Stats().Open == 1 }, patience, time.Millisecond)
	assert.NoError(t, b.works(t, b.faulty), "there is room again")
}

func losesAnswers(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.says("acted on"))
	assert.NoError(t, old.silent())
	assert.True(t, b.heard("acted on"), "only the answer is lost")
}

func resetLater(t *testing.T, _ *bench, old *client) {
	_, err := old.in.ReadByte()
	assert.ErrorIs(t, err, syscall.ECONNRESET)
}

func withholdsRequests(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.says("withheld"))
	assert.NoError(t, old.silent())
	assert.False(t, b.heard("withheld"))
}

func stallsAfter7(t *testing.T, b *bench, old *client) {
	c := b.mustDial(t)
	assert.NoError(t, c.greeted(), "6 of 7 bytes")
	assert.NoError(t, c.says("more"))
	first, err := c.in.ReadByte()
	assert.NoError(t, err)
	assert.EqualValues(t, 'm', first)
	assert.NoError(t, c.silent())
	assert.NoError(t, old.echoes("five5"), "6 of 7 bytes")
	assert.NoError(t, old.says("more"))
	first, err = old.in.ReadByte()
	assert.NoError(t, err)
	assert.EqualValues(t, 'm', first)
	assert.NoError(t, old.silent())
}

func goesOn(t *testing.T, b *bench, old *client) {
	assert.NoError(t, old.hears("ore"), "what waited comes")
	working(t, b, old)
}

func slowsWithConnections(t *testing.T, b *bench, old *client) {
	others := []*client{b.mustDial(t), b.mustDial(t)}
	for _, c := range others {
		assert.NoError(t, c.greeted())
	}
	begun := time.Now()
	assert.NoError(t, old.echoes("slow"))
	assert.GreaterOrEqual(t, time.Since(begun), 2*delay, "two more are open")
}

func stallsSomewhere(t *testing.T, _ *bench, old *client) {
	begun := time.Now()
	for range 8 {
		assert.NoError(t, old.echoes("nothing is missing"))
	}
	assert.GreaterOrEqual(t, time.Since(begun), 20*time.Millisecond)
}

func changes(t *testing.T, b *bench, old *client) {
	const line = "a line of some length"
	assert.NoError(t, old.says(line))
	got := make([]byte, len(line)+1)
	_, err := io.ReadFull(old.in, got)
	assert.NoError(t, err)
	assert.NotEqual(t, line+"\n", string(got))
	assert.True(t, b.heard(line), "the request arrived as it was")
}
