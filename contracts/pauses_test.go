package contracts

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// schedule makes n pauses of a well-known way to retry, in ms.
type retrySchedule struct {
	name  string
	make  func(n int, r *rand.Rand) []float64
	never []growth // what it must not be taken for
	often growth   // what it is taken for if it is long enough; "": nothing certain
	jit   string   // what is said of its jitter if anything is
}

func uniform(r *rand.Rand, from, to float64) float64 { return from + (to-from)*r.Float64() }

func each(n int, pause func(i int) float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = pause(i)
	}
	return out
}

func retrySchedules() []retrySchedule {
	doubling := func(i int) float64 { return math.Min(100*math.Pow(2, float64(i)), 5000) }
	return []retrySchedule{
		{"constant 5 ms", func(n int, _ *rand.Rand) []float64 { return each(n, func(int) float64 { return 5 }) },
			[]growth{linear, exponential}, constant, jitterNo},
		{"constant 500 ms", func(n int, _ *rand.Rand) []float64 { return each(n, func(int) float64 { return 500 }) },
			[]growth{linear, exponential, growing}, constant, jitterNo},
		{"constant with jitter", func(n int, r *rand.Rand) []float64 { return each(n, func(int) float64 { return uniform(r, 250, 750) }) },
			[]growth{linear}, "", jitterYes},
		{"linear", func(n int, _ *rand.Rand) []float64 { return each(n, func(i int) float64 { return 100 * float64(i+1) }) },
			[]growth{constant, exponential}, linear, jitterNo},
		{"exponential", func(n int, _ *rand.Rand) []float64 { return each(n, doubling) },
			[]growth{constant, linear}, exponential, jitterNo},
		{"exponential by 1.5", func(n int, _ *rand.Rand) []float64 {
			return each(n, func(i int) float64 { return 50 * math.Pow(1.5, float64(i)) })
		}, []growth{constant, linear}, exponential, jitterNo},
		{"exponential, a fifth of jitter", func(n int, r *rand.Rand) []float64 {
			return each(n, func(i int) float64 { return doubling(i) * uniform(r, 0.8, 1.2) })
		}, []growth{constant, linear}, "", jitterYes},
		{"exponential, equal jitter", func(n int, r *rand.Rand) []float64 {
			return each(n, func(i int) float64 { return doubling(i) * uniform(r, 0.5, 1) })
		}, []growth{constant, linear}, "", jitterYes},
		{"exponential, full jitter", func(n int, r *rand.Rand) []float64 {
			return each(n, func(i int) float64 { return doubling(i) * uniform(r, 0, 1) })
		}, []growth{constant, linear}, "", jitterYes},
		{"decorrelated jitter", func(n int, r *rand.Rand) []float64 {
			last := 100.0
			return each(n, func(int) float64 { last = math.Min(5000, uniform(r, 100, 3*last)); return last })
		}, []growth{constant, linear}, "", jitterYes},
	}
}

// TestShapesOfRandomPauses plays each way to retry two hundred times, each time with pauses that are seen a little late, now and then much later.
// It may be unclear what a way is; it must not be taken for what would accuse it.
func TestShapesOfRandomPauses(t *testing.T) {
	const runs = 200
	for _, s := range retrySchedules() {
		for _, n := range []int{4, 6, 8, 12, 20, 80} {
			for _, noise := range []float64{0.3, 1} {
				t.Run(fmt.Sprintf("%s %d %g", s.name, n, noise), func(t *testing.T) {
					t.Parallel()
					seen, jitter, wrong := map[growth]int{}, map[string]int{}, 0
					for run := range runs {
						r := rand.New(rand.NewPCG(uint64(run), uint64(n)))
						p := s.make(n, r)
						for i := range p {
							p[i] += r.ExpFloat64() * noise
							if r.Float64() < 0.05*noise {
								p[i] += r.ExpFloat64() * 20
							}
						}
						got := shapeOf(p)
						seen[got.growth]++
						jitter[got.jitter]++
						for _, bad := range s.never {
							if got.growth == bad {
								wrong++
							}
						}
					}
					t.Log(seen, jitter)
					assert.LessOrEqual(t, wrong, runs/40, "taken for %v", s.never)
					if s.often != "" && n >= 6 {
						assert.GreaterOrEqual(t, seen[s.often], runs*7/10)
					}
					if s.jit == jitterYes {
						assert.LessOrEqual(t, jitter[jitterNo], runs/50, "jitter is there")
					} else {
						assert.LessOrEqual(t, jitter[jitterYes], runs/50, "there is none")
					}
				})
			}
		}
	}
}

// TestADrumbeatIsToldThroughTheNoiseOfABusyMachine: a hundred short pauses that a busy machine stretches do not grow.
func TestADrumbeatIsToldThroughTheNoiseOfABusyMachine(t *testing.T) {
	told := 0
	for run := range 200 {
		r := rand.New(rand.NewPCG(uint64(run), 1))
		p := make([]float64, 110)
		for i := range p {
			p[i] = 5 + r.ExpFloat64()*6
		}
		if shapeOf(p).growth == constant {
			told++
		}
	}
	t.Log(told)
	assert.GreaterOrEqual(t, told, 180)
}
