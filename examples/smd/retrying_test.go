package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// backoffOf returns the pauses that the service makes with a defect.
func backoffOf(d Defect) []time.Duration {
	s := &service{config: Config{Defects: Defects{d}, MaxBackoff: 2 * time.Second}}
	pause := s.policy().Backoff
	var out []time.Duration
	for n := range 8 {
		out = append(out, pause(n+1))
	}
	return out
}

func TestDefectNoJitter(t *testing.T) {
	t.Parallel()
	var want []time.Duration
	for _, ms := range []int{100, 200, 400, 800, 1600, 2000, 2000, 2000} {
		want = append(want, time.Duration(ms)*time.Millisecond)
	}
	assert.Equal(t, want, backoffOf(NoJitter))
	assert.NotEqual(t, want, backoffOf(""), "the sound one has jitter")
}

func TestDefectSameSeed(t *testing.T) {
	t.Parallel()
	assert.Equal(t, backoffOf(SameSeed), backoffOf(SameSeed))
	assert.NotEqual(t, backoffOf(NoJitter), backoffOf(SameSeed), "it has jitter, but the same")
	assert.NotEqual(t, backoffOf(""), backoffOf(""), "the sound one draws anew")
}

func TestDefectParallelStorm(t *testing.T) {
	t.Parallel()
	env := sound(t)
	way := newRelay(t, servers.redis, silent)
	smd := launch(t, env.via("REDIS_URL", servers.redis, way.address()), defect(ParallelStorm), "--phase-timeout", "60s", "--startup-timeout", "60s")
	require.Eventually(t, func() bool { return way.open() == stormWorkers+1 }, patience, 10*time.Millisecond, "all wait for an answer at the same time")
	smd.terminate()
	assert.Equal(t, 0, smd.exit())
}
