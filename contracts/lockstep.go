package contracts

import (
	"fmt"
	"math"
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// Replicas that were hit by the same outage at the same time come back together, attempt after attempt, if their pauses are the same.
// So pauses are compared, the k-th of each replica with the k-th of the others: replicas need not have begun at the same instant here, as
// they would where an outage hits all of them at once.

const (
	// stepPauseMS is from how long on pauses are compared: shorter ones are alike by measurement.
	stepPauseMS = 400
	// stepByChance is how probable it is that two pauses with a jitter of a tenth either way are the same within stepPrecision.
	stepByChance = 0.36
	// stepEvidence is how improbable the agreement must be for replicas whose jitter is their own.
	stepEvidence = 0.001
)

// stepPrecision is within which two pauses are the same, and how many times that they must be apart to be different.
var stepPrecision = precision{15, 0.04}

const stepApart = 2.0

// lockstep: replicas do not retry together.
func lockstep(s Spec, all [][]timeline.Event) finding {
	const rule = "retry"
	traces := make([]*trace, len(all))
	for r, view := range all {
		traces[r] = newTrace(s, view)
	}
	t := traces[0]
	var out []finding
	for _, dep := range t.faultedNames() {
		if on := s.Invariants.Retry.On; len(on) > 0 && !slices.Contains(on, dep) {
			continue
		}
		if t.unseen(dep) {
			out = append(out, t.undecided(rule, "run it where connects can be intercepted (chaos doctor)", nil,
				"which replica tried %s can't be told without the connect interceptor: whether they retry in step is not known", dep))
			continue
		}
		longest, doubtful := longestEach(traces, dep)
		if doubtful {
			out = append(out, t.undecided(rule, ownRequests, nil,
				"attempts of a replica on %s were made while proofs or load asked something of it: nobody can say whether they are retries", dep))
			continue
		}
		out = append(out, inStep(traces, rule, dep, longest))
	}
	return merge(out...)
}

// longestEach returns the longest series of each replica, and whether one had to be left out.
func longestEach(traces []*trace, dep string) (longest []manner, doubtful bool) {
	for _, own := range traces {
		var m manner
		for _, r := range own.runs {
			series, out := own.mannersIn(dep, r)
			doubtful = doubtful || out != nil
			if l := longestOf(series); len(l.tries) > len(m.tries) {
				m = l
			}
		}
		longest = append(longest, m)
	}
	return longest, doubtful
}

// inStep compares the pauses of replicas on one dependency.
func inStep(traces []*trace, rule, dep string, all []manner) finding {
	t := traces[0]
	c := compareSteps(all)
	switch {
	case c.retried < 2:
		return t.notes(rule, "not applicable: fewer than two replicas retried %s", dep)
	case c.same*3 >= c.compared*2 && c.compared > 0 && atLeastByChance(c.same, c.compared) <= stepEvidence:
		var at []int
		for r, m := range all {
			for _, a := range m.tries[:min(len(m.tries), 3)] {
				at = append(at, traces[r].ev[a.at].ID)
			}
		}
		f := t.violates(rule, "draw each pause at random, from a source that every instance seeds for itself", nil,
			"replicas retry %s in lockstep: %d of %d pauses are the same within %.0f ms or %.0f %% (chance: %s); %s", dep, c.same, c.compared,
			stepPrecision.ms, 100*stepPrecision.share, improbable(atLeastByChance(c.same, c.compared)), stepWords(all))
		f.reasons[0].Evidence = at
		return f
	case c.compared >= 4 && c.apart*5 >= c.compared*2 || c.compared >= 3 && c.apart == c.compared:
		return t.holds(rule, nil, "replicas retry %s each in its own time: %d of %d pauses of %s or more differ by more than %.0f %%", dep, c.apart, c.compared,
			Millis(stepPauseMS), 100*stepApart*stepPrecision.share)
	}
	return t.undecided(rule, "let the fault last longer, or run more replicas", nil,
		"whether replicas retry %s in lockstep can't be told: of %d pauses of %s or more that can be compared, %d are the same and %d differ; %s", dep, c.compared,
		Millis(stepPauseMS), c.same, c.apart, stepWords(all))
}

// steps is what a comparison of pauses comes to.
type steps struct{ retried, compared, same, apart int }

// compareSteps compares the k-th pause of each replica with that of the next replica: of n pauses n-1 are free to differ.
func compareSteps(all []manner) (c steps) {
	for i, m := range all {
		if len(m.pauses) > 0 {
			c.retried++
		}
		if i == 0 {
			continue
		}
		mine, other := m.ownPauses(), all[i-1].ownPauses()
		for k := range min(len(mine), len(other)) {
			longer, off := max(mine[k], other[k]), math.Abs(mine[k]-other[k])
			if longer < stepPauseMS {
				continue
			}
			c.compared++
			switch within := stepPrecision.of(longer); {
			case off <= within:
				c.same++
			case off > stepApart*within:
				c.apart++
			}
		}
	}
	return c
}

// ownPauses are those that the service chose: the last before a success may end because the outage did.
func (m manner) ownPauses() []float64 {
	if m.succeeded > 0 && len(m.pauses) > 0 {
		return m.pauses[:len(m.pauses)-1]
	}
	return m.pauses
}

// atLeastByChance is the probability of k or more successes of n, each with probability stepByChance.
func atLeastByChance(k, n int) float64 {
	sum := 0.0
	for i := k; i <= n; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a - b - c + float64(i)*math.Log(stepByChance) + float64(n-i)*math.Log(1-stepByChance))
	}
	return min(1, sum)
}

func improbable(p float64) string { return fmt.Sprintf("1 in %.0f", 1/max(p, 1e-9)) }

// stepWords shows the pauses of each replica.
func stepWords(all []manner) string {
	var shown []string
	for r, m := range all[:min(len(all), 4)] {
		text := "no retries"
		if len(m.pauses) > 0 {
			text = m.pauseWords()
		}
		shown = append(shown, fmt.Sprintf("replica %d: %s", r+1, text))
	}
	return list(shown)
}
