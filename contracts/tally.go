package contracts

import "math"

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Tally is what the repeated trials of one experiment (or one cell of its matrix) come to.
type Tally struct {
	Verdict      Verdict
	Trials       int
	Pass         int
	Fail         int
	Inconclusive int
	Error        int
	Tolerated    bool       // Unstable, and the experiment allows that
	Wilson       [2]float64 // 95 % Wilson score interval of the share of passes among passes and failures; [0, 1] without any
}

// Combine adds up the verdicts of repeated trials. Trials that pass and trials that fail disagree: Unstable, whatever else there
// is. Otherwise a proven failure counts; then what keeps the rest from being a pass: an error before an inconclusive trial.
// No verdicts at all are Inconclusive.
func Combine(verdicts []Verdict, allowUnstable bool) Tally {
	t := Tally{Trials: len(verdicts), Verdict: Inconclusive}
	for _, v := range verdicts {
		switch v {
		case Pass:
			t.Pass++
		case Fail, Unstable:
			t.Fail++
		case Error:
			t.Error++
		default:
			t.Inconclusive++
		}
	}
	switch {
	case t.Pass > 0 && t.Fail > 0:
		t.Verdict, t.Tolerated = Unstable, allowUnstable
	case t.Fail > 0:
		t.Verdict = Fail
	case t.Error > 0:
		t.Verdict = Error
	case t.Inconclusive == 0 && t.Pass > 0:
		t.Verdict = Pass
	}
	t.Wilson = Wilson(t.Pass, t.Pass+t.Fail)
	return t
}

// Wilson returns the 95 % Wilson score interval for k successes of n (E. B. Wilson, 1927); [0, 1] for n = 0.
func Wilson(k, n int) [2]float64 {
	if n <= 0 {
		return [2]float64{0, 1}
	}
	count, z2 := float64(n), z95*z95
	p := float64(k) / count
	mid := (p + z2/(2*count)) / (1 + z2/count)
	half := z95 / (1 + z2/count) * math.Sqrt(p*(1-p)/count+z2/(4*count*count))
	return [2]float64{max(0, mid-half), min(1, mid+half)}
}

// Worst returns the verdict that decides for several: fail, unstable, error, inconclusive, pass. Of none it is Inconclusive.
func Worst(verdicts ...Verdict) Verdict {
	for _, v := range []Verdict{Fail, Unstable, Error, Inconclusive} {
		for _, have := range verdicts {
			if have == v || v == Inconclusive && have == "" {
				return v
			}
		}
	}
	if len(verdicts) == 0 {
		return Inconclusive
	}
	return Pass
}
