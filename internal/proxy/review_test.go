package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// heldGate is a Gate that waits at its next call, and tells when it got there.
type heldGate struct{ at, goOn chan struct{} }

func newHeldGate() *heldGate { return &heldGate{make(chan struct{}, 16), make(chan struct{}, 16)} }

func (g *heldGate) call() { g.at <- struct{}{}; <-g.goOn }

// talk sends a line and reads the answer.
func talk(t *testing.T, c net.Conn) error {
	t.Helper()
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	if _, err := c.Write([]byte("hello\n")); err != nil {
		return err
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
}

// Open connections that a fault leaves alone don't use up the number of those that it is for.
func TestConnectionsCountsOnlyThoseThatItConcerns(t *testing.T) {
	for _, kind := range []string{"refuse", "accept_close"} {
		c := inject(t, kind, nil)
		c.Injections[0].Connections, c.Intercepted = 2, true
		f := start(t, c)
		open := []net.Conn{f.dial(t), f.dial(t)}
		for _, c := range open {
			require.NoError(t, talk(t, c))
		}
		f.Arm("f1")
		var met []bool
		for range 4 {
			met = append(met, f.attempt() != nil)
		}
		assert.Equal(t, []bool{true, true, false, false}, met, kind)
		for _, c := range open {
			assert.NoError(t, talk(t, c), kind)
		}
	}
}

// A connection whose connect(2) was let in before the fault came on is an open one, also if the proxy gets round to accept it only then.
func TestConnectedBeforeAcceptedAfter(t *testing.T) {
	for kind, want := range map[string]error{"refuse": nil, "accept_close": nil, "cut": syscall.ECONNRESET} {
		g := newHeldGate()
		c := inject(t, kind, nil)
		c.Intercepted, c.Gate = true, g.call
		f := start(t, c)
		f.SetGated(true)
		require.Zero(t, f.Connect())
		open := f.dial(t)
		<-g.at // accepted, not admitted
		f.SetGated(false)
		f.Arm("f1")
		g.goOn <- struct{}{}
		err := talk(t, open)
		if want == nil {
			assert.NoError(t, err, kind)
			assert.Zero(t, f.count(Bite), kind)
			assert.Error(t, f.attempt(), "%s: the next one meets it", kind)
		} else {
			assert.Error(t, err, kind)
		}
	}
}

// A number of connections bounds the late connects too.
func TestLateConnectsAreCounted(t *testing.T) {
	c := inject(t, "latency", map[string]any{"delay": "1ms", "connect": true})
	c.Injections[0].Connections, c.Intercepted = 2, true
	f := start(t, c)
	f.Arm("f1")
	late := 0
	for range 5 {
		d := f.Connect()
		if d.Delay > 0 {
			late++
		}
		require.NoError(t, f.ask())
	}
	assert.Equal(t, 2, late)
	assert.Equal(t, 2, f.Stats().Fault("f1").ConnectionsHit)
}

// What a late connect waits for ends with the fault.
func TestLiftEndsLateConnects(t *testing.T) {
	hour := map[string]any{"delay": "1h", "connect": true, "direction": "upstream"}
	f := start(t, inject(t, "latency", hour))
	f.Arm("f1")
	c := f.dial(t)
	require.Eventually(t, func() bool { return f.count(Bite) == 1 }, 10*time.Second, time.Millisecond)
	f.Lift("f1")
	assert.NoError(t, talk(t, c), "without the interceptor the proxy's own dial is late")

	config := inject(t, "latency", hour)
	config.Intercepted = true
	f = start(t, config)
	f.Arm("f1")
	d := f.Connect()
	assert.Equal(t, time.Hour, d.Delay)
	select {
	case <-d.Lifted:
		t.Error("it is still on")
	default:
	}
	f.Lift("f1")
	<-d.Lifted
}

// What was on its way when a silent black hole is lifted is as lost as the rest: the client must not even see a reset.
func TestSilentStaysSilentForWhatIsOnItsWay(t *testing.T) {
	g := newHeldGate()
	c := inject(t, "blackhole", nil)
	c.Gate = g.call
	f := start(t, c)
	open := f.dial(t)
	require.NoError(t, talk(t, open))
	f.Arm("f1")
	f.SetGated(true)
	_, err := open.Write([]byte("lost\n"))
	require.NoError(t, err)
	<-g.at // it is before the fault
	f.SetGated(false)
	f.Lift("f1")
	g.goOn <- struct{}{}
	require.NoError(t, f.ask(), "new ones work")
	require.NoError(t, open.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err = io.ReadFull(open, make([]byte, 1))
	var timeout net.Error
	assert.True(t, errors.As(err, &timeout) && timeout.Timeout(), "%v", err)
}
