package runner

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two runs on one machine find the same ports free. What one has given out and nobody listens on yet, the other must not give out too.
func TestRunsDoNotShareAPort(t *testing.T) {
	if !holds {
		t.Skip("ports can't be held against other runs on this system")
	}
	one, other := newPortPool(), newPortPool()
	other.next = one.next
	seen := map[int]bool{}
	for range 20 {
		for _, p := range []*portPool{one, other} {
			port, err := p.take(t.Context())
			require.NoError(t, err)
			assert.False(t, seen[port], "port %d is out twice", port)
			seen[port] = true
			p.next = one.next // both look at the same ports again
		}
	}
	require.NoError(t, one.close())
	require.NoError(t, other.close())

	free := 0
	for port := range seen {
		if held, err := hold(t.Context(), port); err == nil {
			free++
			require.NoError(t, held.Close())
		}
	}
	assert.Greater(t, free, len(seen)/2, "what was given back is free again, but for what a run beside this test has taken")
}
