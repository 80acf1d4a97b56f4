package faults

import (
	"bytes"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestJitterIsUniform is the Kolmogorov-Smirnov test: the largest distance between what was drawn and the uniform distribution, at the level of 1 %.
func TestJitterIsUniform(t *testing.T) {
	const n = 20_000
	l, random := lateness{delay: time.Second, jitter: 300 * time.Millisecond}, seeded()
	drawn := make([]float64, n)
	for i := range drawn {
		drawn[i] = float64(l.draw(random)-700*time.Millisecond) / float64(600*time.Millisecond)
	}
	assert.Less(t, distance(drawn), 1.63/math.Sqrt(n))
	for i := range drawn {
		drawn[i] = drawn[i] * drawn[i] // the instrument: another distribution is told apart
	}
	assert.Greater(t, distance(drawn), 1.63/math.Sqrt(n))
}

// distance is the statistic D of Kolmogorov and Smirnov against the uniform distribution of 0..1.
func distance(sample []float64) (d float64) {
	slices.Sort(sample)
	n := float64(len(sample))
	for i, x := range sample {
		d = max(d, math.Abs(x-float64(i)/n), math.Abs(x-float64(i+1)/n))
	}
	return d
}

func TestLossHasItsShareAndComesInBursts(t *testing.T) {
	for _, correlation := range []float64{0, 0.5, 0.9} {
		l := &losses{probability: 0.1, correlation: correlation, rto: 200 * time.Millisecond, random: seeded()}
		const n = 100_000
		lost, pairs := 0, 0
		for range n {
			before := l.lost
			if l.draw() {
				lost++
				if before {
					pairs++
				}
			}
		}
		assert.InDelta(t, 0.1, float64(lost)/n, 0.02, "correlation %v", correlation)
		assert.InDelta(t, 0.1*(1-correlation)+correlation, float64(pairs)/float64(lost), 0.03, "behind a loss, correlation %v", correlation)
	}
	stalls := map[time.Duration]bool{}
	l := &losses{probability: 0.5, rto: 200 * time.Millisecond, random: seeded()}
	for range 2000 {
		stalls[l.stall()] = true
	}
	for _, want := range []time.Duration{0, 200, 600, 1400} {
		assert.True(t, stalls[want*time.Millisecond], "a stall of %d ms", want)
	}
	assert.Len(t, stalls, retries+1)
}

func TestLossOnlyBitesWhenItStalls(t *testing.T) {
	f := filter(t, "loss", map[string]any{"probability": 0, "direction": "downstream"}, Downstream)
	l := onLink(t, f, func(l *fakeLink) { l.send("a", "b", "EOF") })
	assert.Empty(t, l.bites)
	f = filter(t, "loss", map[string]any{"probability": 0.9, "rto": "1s"}, Upstream)
	l = onLink(t, f, func(l *fakeLink) {
		l.send("a", "b", "c")
		elapse(10 * time.Minute)
	})
	assert.NotEmpty(t, l.bites)
	assert.Equal(t, "abc", l.final(), "late, in order, and nothing is missing")
}

func TestBrownoutGrowsWithTheConnections(t *testing.T) {
	for open, want := range map[int]time.Duration{1: 50, 2: 150, 5: 450, 1000: 30_000, 1 << 40: 30_000} {
		f := filter(t, "brownout", map[string]any{"per_connection": "100ms", "delay": "50ms"}, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.open = open
			l.send("a")
			elapse(time.Minute)
		})
		assert.Equal(t, []arrival{{"a", want * time.Millisecond}}, l.out, "%d open", open)
	}
}

func TestCorruptHitsItsShareWithTheSeedAcrossChunks(t *testing.T) {
	stream := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	run := func(size int) (out []byte, bites int) {
		f := filter(t, "corrupt", 0.01, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			for at := 0; at < len(stream); at += size {
				l.send(string(stream[at:min(at+size, len(stream))]))
			}
		})
		return []byte(l.final()), len(l.bites)
	}
	got, bites := run(8 << 10)
	require.Len(t, got, len(stream))
	hit := 0
	for i := range got {
		if n := bits.OnesCount8(got[i] ^ stream[i]); n > 0 {
			hit++
			assert.Equal(t, 1, n, "one bit of byte %d", i)
		}
	}
	assert.InDelta(t, 0.01, float64(hit)/float64(len(stream)), 0.001)
	assert.Positive(t, bites)
	again, _ := run(16 << 10)
	assert.Equal(t, got, again, "the same bytes wherever the chunks begin")
}

func TestCorruptThatHitsNothingHasNotBitten(t *testing.T) {
	f := filter(t, "corrupt", 1e-9, Downstream)
	l := onLink(t, f, func(l *fakeLink) { l.send("a", "b") })
	assert.Equal(t, "ab", l.final())
	assert.Empty(t, l.bites)
}

func TestStallWaitsBehindItsBytes(t *testing.T) {
	for _, pieces := range [][]string{{"abcdef"}, {"abcd", "ef"}, {"a", "b", "c", "d", "e", "f"}} {
		f := filter(t, "stall", 4, Downstream)
		l := onLink(t, f, func(l *fakeLink) {
			l.send(pieces...)
			elapse(time.Hour)
			assert.Equal(t, "abcd", l.text())
			l.lift()
		})
		assert.Equal(t, "abcdef", l.final(), "the rest comes at the lift")
		assert.Len(t, l.bites, 1)
	}
}

func TestGarbageKeepsLengthsAndIsSeeded(t *testing.T) {
	run := func() []arrival {
		return onLink(t, filter(t, "garbage", nil, Downstream), func(l *fakeLink) { l.send("hello", strings.Repeat("x", 1000), "EOF") }).out
	}
	out := run()
	assert.Len(t, out[0].data, 5)
	assert.Len(t, out[1].data, 1000)
	assert.NotEqual(t, "hello", out[0].data)
	assert.Equal(t, "EOF", out[2].data)
	assert.Equal(t, out, run())
}

func TestCapsHangsAndLateAccepts(t *testing.T) {
	assert.True(t, behaviour(t, "hang", nil).Hang)
	assert.Equal(t, 5, behaviour(t, "max_connections", 5).Cap)
	assert.Equal(t, 3*time.Second, behaviour(t, "slow_accept", "3s").Late(rand.New(rand.NewPCG(1, 2))))
	for ending, want := range map[string]Lift{"reset": ResetThem, "silent": StayDead, "resume": GoOn} {
		b := behaviour(t, "half_open", map[string]any{"ending": ending, "direction": "upstream"})
		assert.Equal(t, want, b.Lift)
		assert.True(t, only(b, Upstream))
	}
}
