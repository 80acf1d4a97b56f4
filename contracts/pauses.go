package contracts

import (
	"math"
	"slices"
)

// growth names how the pauses between attempts develop.
type growth string

// The ways in which pauses develop.
const (
	tooFew      growth = "too_few"     // not enough of them to tell
	constant    growth = "constant"    // they stay the same, or vary around the same
	linear      growth = "linear"      // each is longer by the same time
	exponential growth = "exponential" // each is longer by the same factor
	growing     growth = "growing"     // they grow; whether by a time or a factor can't be told
	unclear     growth = "unclear"     // the evidence fits several of these
)

// What is known of jitter.
const (
	jitterYes     = "yes"
	jitterNo      = "no"
	jitterUnclear = "unclear"
)

// shape is how pauses develop, and whether they vary more than any measurement does.
type shape struct {
	growth growth
	factor float64 // exponential, or growing: by which each is longer, about
	step   float64 // linear: by which time, ms
	cap    float64 // where growth ended, ms; 0: it did not
	jitter string
	spread float64 // typical distance from the development, as a share; where jitter is not "no"
	median float64
}

// precision is how far from a law a pause may be and still keep it: ms, and for long pauses a share.
type precision struct{ ms, share float64 }

func (p precision) of(ms float64) float64 { return max(p.ms, p.share*ms) }

// A pause is measured from the end of an attempt to the beginning of the next, both seen in this process: it is late by scheduling, never
// early. What no law explains even roughly varies by intent; what a law explains only roughly may be either.
var (
	exactly = precision{2, 0.04}
	roughly = precision{10, 0.08}
)

const (
	// regularPauses is how many pauses beyond what a law is made of, and beyond the late ones, must obey it before chance is excluded.
	regularPauses = 4
	// readPauses bounds the work: what the first do is what all do.
	readPauses = 24
	// manyPauses is how many there must be before their level at the end is set against that at the beginning.
	manyPauses = 60
)

// shapeOf tells how pauses (ms) develop. It accuses nobody by chance: what random pauses would often show as well is unclear.
func shapeOf(pauses []float64) shape {
	s := shape{growth: tooFew, jitter: jitterUnclear}
	if len(pauses) == 0 {
		return s
	}
	s.median = median(pauses)
	if len(pauses) < 3 {
		return s
	}
	read := pauses[:min(len(pauses), readPauses)]
	if law, ok := regular(read, exactly); ok {
		s.growth, s.factor, s.step = law.growth, law.factor, law.step
		if law.reaches(len(read)) > 1 {
			s.cap = law.cap
		}
		if law.kept-law.params-law.late >= regularPauses && s.median >= 2*roughly.ms {
			s.jitter = jitterNo
		}
		return s
	}
	s = s.irregular(read)
	if s.growth == unclear && staysLow(pauses) {
		s.growth, s.spread = constant, spreadAround(read, 0)
	}
	return s
}

// staysLow says whether many pauses are in the end what they were at first. A busy machine makes pauses longer and none shorter, so that the short ones
// tell; and what varies by intent is longer by half at least when it has grown.
func staysLow(p []float64) bool {
	if len(p) < manyPauses {
		return false
	}
	first, last := p[:3], slices.Sorted(slices.Values(p[len(p)/2:]))
	return last[len(last)/10] < 1.5*slices.Min(first) && median(last) < 2*median(first)
}

// irregular tells how pauses develop that obey no law to the millisecond.
func (s shape) irregular(p []float64) shape {
	n := len(p)
	slope := theilSen(p)
	early, late := min(p[0], p[1]), median(p[2:])
	head := p[:min(n, 8)]
	switch chance := min(risesByChance(p), risesByChance(head)); {
	case n < 4:
		return s
	case chance <= 0.05 && math.Exp(theilSen(head)) >= 1.1:
		s.growth, s.factor = growing, math.Exp(theilSen(head))
		if steeperThanLinear(p) {
			s.growth = exponential
		}
	case n >= 12 && early >= late && risesByChance(p) > 0.3:
		s.growth, slope = constant, 0
	case n < 6:
		return s
	default:
		s.growth = unclear
	}
	s.spread = spreadAround(p, slope)
	if _, maybe := regular(p, roughly); !maybe && n >= 5 {
		s.jitter = jitterYes
	}
	return s
}

// steeperThanLinear compares the last third with the first: pauses that grow by a constant time, from nothing, reach a certain ratio at most.
func steeperThanLinear(p []float64) bool {
	k := max(1, len(p)/3)
	at := func(from, to int) (sum float64) {
		for i := from; i < to; i++ {
			sum += float64(i + 1)
		}
		return sum
	}
	bound := at(len(p)-k, len(p)) / at(0, k)
	return mean(p[len(p)-k:]) > 2*bound*mean(p[:k])
}

// spreadAround is the mean distance of pauses from a development by exp(slope) a step, as a share.
func spreadAround(p []float64, slope float64) float64 {
	level := make([]float64, len(p))
	for i, v := range p {
		level[i] = math.Log(max(v, 0.1)) - slope*float64(i)
	}
	mid := median(level)
	off := make([]float64, len(p))
	for i := range p {
		off[i] = math.Abs(math.Exp(level[i]-mid) - 1)
	}
	return mean(off)
}

// theilSen is the median slope of the logarithms (Theil, 1950; Sen, 1968): a robust estimate of the growth of a step.
func theilSen(p []float64) float64 {
	var slopes []float64
	for j, later := range p {
		for i, earlier := range p[:j] {
			slopes = append(slopes, (math.Log(max(later, 0.1))-math.Log(max(earlier, 0.1)))/float64(j-i))
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	return median(slopes)
}

// risesByChance is the probability that pauses in random order rise as much as these (Mann, 1945): small when they grow.
func risesByChance(p []float64) float64 {
	n := len(p)
	falls := 0
	for j := range p {
		for i := range j {
			if p[i] >= p[j] {
				falls++
			}
		}
	}
	ways := []float64{1} // ways[k]: the share of the orders of the numbers so far that have k inversions
	for size := 2; size <= n; size++ {
		next := make([]float64, len(ways)+size-1)
		for k, w := range ways {
			for more := range size {
				next[k+more] += w / float64(size)
			}
		}
		ways = next
	}
	sum := 0.0
	for k := 0; k <= falls && k < len(ways); k++ {
		sum += ways[k]
	}
	return sum
}

// burstSize tells whether short and long pauses take turns in the same way again and again, as those of a retry inside of a retry do:
// how many attempts are made each time. 1: they don't.
func burstSize(p []float64) int {
	if len(p) < 7 {
		return 1
	}
	p = p[:min(len(p), 400)]
	sorted := slices.Sorted(slices.Values(p))
	best, limit := 0.0, 0.0
	for i := 1; i < len(sorted); i++ {
		low := max(sorted[i-1], 1)
		if ratio := sorted[i] / low; ratio >= 4 && ratio > best && sorted[i] >= 20 {
			best, limit = ratio, sorted[i]
		}
	}
	if limit == 0 {
		return 1
	}
	size, count, rounds := 0, 1, 0
	for _, v := range p {
		if v < limit {
			count++
			continue
		}
		if size == 0 {
			size = count
		}
		if count != size {
			return 1
		}
		rounds, count = rounds+1, 1
	}
	if size < 2 || count > size || rounds < 2 || size == 2 && rounds < 4 || size == 3 && rounds < 3 {
		return 1
	}
	return size
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(1, len(v)))
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
