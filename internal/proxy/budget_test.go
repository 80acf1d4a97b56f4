package proxy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBudget: connections beyond it wait, whatever is asked of the proxy meanwhile, and are served when others have ended.
func TestBudget(t *testing.T) {
	c := inject(t, "hang", nil)
	c.Budget = NewBudget(perProxy + 2*perConnection)
	f := start(t, c)
	one, two := f.dial(t), f.dial(t)
	require.NoError(t, talk(t, one))
	require.NoError(t, talk(t, two))
	assert.Zero(t, f.count(Shortage))
	three := f.dial(t)
	waiting := make(chan error, 1)
	go func() { waiting <- talk(t, three) }()
	require.Eventually(t, func() bool { return f.count(Shortage) == 1 }, 20*time.Second, time.Millisecond)
	f.Arm("f1") // must not wait for descriptors
	f.Lift("f1")
	assert.Equal(t, 2, f.Stats().Accepted)
	require.NoError(t, one.Close())
	require.NoError(t, <-waiting)
	require.NoError(t, two.Close())
	require.NoError(t, three.Close())
	require.Eventually(t, func() bool { return f.count(ShortageOver) == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, f.ask())
	assert.Equal(t, 1, f.count(Shortage))
	require.NoError(t, f.Close(t.Context()))
	dropPipes()
	assert.Equal(t, c.Budget.all, c.Budget.free.Load(), "all is given back")
}

func TestUnreachedIsCounted(t *testing.T) {
	f := start(t, Config{Upstream: "127.0.0.1:1"})
	for range 3 {
		assert.Error(t, f.ask())
	}
	assert.Eventually(t, func() bool { return f.Stats().Unreached == 3 }, 20*time.Second, time.Millisecond)
}
