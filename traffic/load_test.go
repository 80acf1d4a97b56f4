package traffic

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func moments(l Load, n int) []time.Duration {
	a := l.Arrivals()
	out := make([]time.Duration, n)
	for i := range out {
		out[i], _ = a.Next()
	}
	return out
}

func TestArrivals(t *testing.T) {
	for name, l := range map[string]Load{
		"even": {Rate: 1000, Seed: 1}, "a third": {Rate: 1.0 / 3, Seed: 1}, "poisson": {Rate: 1000, Poisson: true, Seed: 1},
		"users": {Users: 7, Pace: time.Second, Seed: 1}, "poisson users": {Users: 7, Pace: time.Second, Poisson: true, Seed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 20_000
			got := moments(l, n)
			assert.Zero(t, got[0], "the first is at once")
			for i := 1; i < n; i++ {
				require.GreaterOrEqual(t, got[i], got[i-1], "none is before the last")
			}
			assert.InEpsilon(t, l.PerSecond(), float64(n)/got[n-1].Seconds(), 0.03, "the mean rate")
			assert.Equal(t, got, moments(l, n), "the same again")
		})
	}
}

func TestArrivalsDoNotDrift(t *testing.T) {
	got := moments(Load{Rate: 3}, 3_000_001)
	assert.InDelta(t, float64(1_000_000*time.Second), float64(got[3_000_000]), float64(time.Microsecond))
}

func TestSeedsDiffer(t *testing.T) {
	for _, l := range []Load{{Rate: 10, Poisson: true}, {Users: 10, Pace: time.Second}} {
		other := l
		other.Seed = 2
		assert.NotEqual(t, moments(l, 20), moments(other, 20))
	}
}

// A gap of a Poisson process has a standard deviation as large as its mean.
func TestPoissonGaps(t *testing.T) {
	const n = 50_000
	got := moments(Load{Rate: 100, Poisson: true, Seed: 3}, n+1)
	var sum, squares float64
	for i := range n {
		gap := (got[i+1] - got[i]).Seconds()
		sum, squares = sum+gap, squares+gap*gap
	}
	mean := sum / n
	assert.InEpsilon(t, 0.01, mean, 0.03)
	assert.InEpsilon(t, 0.01, math.Sqrt(squares/n-mean*mean), 0.03)
}

func TestUsersKeepTheirPace(t *testing.T) {
	got := moments(Load{Users: 3, Pace: 2 * time.Second, Seed: 9}, 9)
	for i := 3; i < 9; i++ {
		assert.Equal(t, 2*time.Second, got[i]-got[i-3])
	}
}

func TestNoRateHasNoMoments(t *testing.T) {
	_, ok := Load{Stampede: 10}.Arrivals().Next()
	assert.False(t, ok)
}

func TestMix(t *testing.T) {
	const n = 60_000
	count := [3]int{}
	m, again := NewMix([]int{3, 1, 2}, 7, "steps"), NewMix([]int{3, 1, 2}, 7, "steps")
	for range n {
		i := m.Next()
		count[i]++
		require.Equal(t, i, again.Next())
	}
	for i, share := range []float64{3. / 6, 1. / 6, 2. / 6} {
		assert.InEpsilon(t, share, float64(count[i])/n, 0.03)
	}
	var a, b []int
	x, y := NewMix([]int{1, 1}, 7, "steps"), NewMix([]int{1, 1}, 7, "stampede")
	for range 64 {
		a, b = append(a, x.Next()), append(b, y.Next())
	}
	assert.NotEqual(t, a, b, "each purpose has choices of its own")
}
