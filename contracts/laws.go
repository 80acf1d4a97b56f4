package contracts

import "math"

// law is a deterministic development of pauses, and how many of them keep it.
type law struct {
	growth growth
	base   float64
	factor float64
	step   float64
	cap    float64 // 0: none
	params int
	kept   int
	late   int
	grown  int // of those kept, how many come before the cap
}

// at is what the law says of the i-th pause.
func (l law) at(i int) float64 {
	v := l.base
	switch l.growth {
	case exponential:
		v = l.base * math.Pow(l.factor, float64(i))
	case linear:
		v = l.base + l.step*float64(i)
	}
	if l.cap > 0 {
		v = min(v, l.cap)
	}
	return v
}

// reaches counts the pauses of n that the law keeps from growing further.
func (l law) reaches(n int) (count int) {
	free := l
	free.cap = 0
	for i := range n {
		if l.cap > 0 && free.at(i) >= l.cap {
			count++
		}
	}
	return count
}

// lateness is how late a busy machine may make a pause, now and then. One that is longer by more is not late, but another pause.
var lateness = precision{100, 0.25}

// test counts the pauses that keep the law. One in four may be late; one that is much longer, or shorter, breaks it.
func (l law) test(p []float64, within precision) (law, bool) {
	l.kept, l.late, l.grown = 0, 0, 0
	for i, v := range p {
		want := l.at(i)
		switch off := v - want; {
		case math.Abs(off) <= within.of(want):
			l.kept++
			if l.cap == 0 || want < l.cap {
				l.grown++
			}
		case off > 0 && off <= lateness.of(want):
			l.late++
		default:
			return l, false
		}
	}
	allowed := 0
	if len(p) >= 6 {
		allowed = len(p) / 4
	}
	return l, l.late <= allowed
}

// regular finds the simplest law that pauses keep to a precision.
func regular(p []float64, within precision) (law, bool) {
	if l, ok := steady(p, within); ok {
		return l, true
	}
	powers, okP := bestLaw(p, exponential, within)
	steps, okS := bestLaw(p, linear, within)
	switch {
	case okP && okS:
		if powers.kept > steps.kept {
			return powers, true
		}
		if steps.kept > powers.kept {
			return steps, true
		}
		powers.growth = growing
		return powers, true
	case okP:
		return powers, true
	case okS:
		return steps, true
	}
	return law{}, false
}

// steady tests whether pauses stay the same.
func steady(p []float64, within precision) (law, bool) {
	base := median(p)
	best, found := law{}, false
	for _, b := range append([]float64{base}, p[:min(len(p), 8)]...) {
		l, ok := law{growth: constant, base: b, params: 1}.test(p, within)
		if ok && (!found || l.kept > best.kept) {
			best, found = l, true
		}
	}
	return best, found
}

// bestLaw tries every law of a kind that goes through two of the pauses, with and without a cap. Three must lie on the part that grows:
// any two do.
func bestLaw(p []float64, kind growth, within precision) (best law, found bool) {
	tail := median(p[len(p)-max(1, len(p)/3):])
	for j := range p {
		for i := range j {
			l, ok := through(kind, i, p[i], j, p[j])
			if !ok {
				continue
			}
			for _, limit := range []float64{0, p[len(p)-1], tail} {
				l.cap, l.params = limit, 2
				if limit > 0 {
					l.params = 3
				}
				tried, ok := l.test(p, within)
				if ok && tried.grown >= 3 && (!found || tried.kept > best.kept || tried.kept == best.kept && tried.params < best.params) {
					best, found = tried, true
				}
			}
		}
	}
	return best, found
}

// through is the law of a kind on which two pauses lie. What grows by less than a tenth a step does not count as growing.
func through(kind growth, i int, vi float64, j int, vj float64) (law, bool) {
	n := float64(j - i)
	if vi < 0.5 || vj <= vi {
		return law{}, false
	}
	if kind == exponential {
		f := math.Pow(vj/vi, 1/n)
		return law{growth: exponential, factor: f, base: vi / math.Pow(f, float64(i))}, f >= 1.1
	}
	step := (vj - vi) / n
	base := vi - step*float64(i)
	return law{growth: linear, step: step, base: base}, base > 0 && step >= 0.1*base
}
