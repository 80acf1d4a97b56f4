package proxy

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attempt is what an intercepted service does: Connect decides, and what it lets pass connects.
func (f *fixture) attempt() error {
	if d := f.Connect(); d.Errno != 0 {
		return d.Errno
	}
	return f.ask()
}

// The share of connections is drawn once: what Connect let pass is not drawn again when it is accepted.
func TestShareIsDrawnOnce(t *testing.T) {
	for _, kind := range []string{"refuse", "cut"} {
		c := inject(t, kind, nil)
		c.Injections[0].Toxicity, c.Seed, c.Intercepted = 0.3, 7, true
		f := start(t, c)
		f.Arm("f1")
		failed := 0
		for range 60 {
			if f.attempt() != nil {
				failed++
			}
		}
		s := f.Stats()
		assert.Equal(t, s.Refused, failed, "%s: only what was refused failed", kind)
		assert.InDelta(t, 18, failed, 12, kind)
		assert.Equal(t, failed, s.Fault("f1").ConnectionsHit, kind)
	}
}

// A connection that was late and then carried bytes under the same fault met it once.
func TestLateConnectCountsOnce(t *testing.T) {
	c := inject(t, "latency", map[string]any{"delay": "1ms", "connect": true})
	c.Intercepted = true
	f := start(t, c)
	f.Arm("f1")
	for range 3 {
		require.NoError(t, f.attempt())
	}
	assert.Equal(t, 3, f.Stats().Fault("f1").ConnectionsHit)
}
