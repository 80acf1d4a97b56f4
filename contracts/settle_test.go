package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func judged(v Verdict, rule string, state State) Judgment {
	return Judgment{Verdict: v, Reasons: []Reason{{Rule: rule, State: state, Text: "it exited with code 1 at 10ms", Next: "set DATABASE_URL", Evidence: []int{3}}}}
}

func TestSettle(t *testing.T) {
	pass, fail := judged(Pass, "fail_fast", Held), judged(Fail, "fail_fast", Violated)
	sound, broken := judged(Pass, "control", Held), judged(Fail, "control", Violated)
	crashed := judged(Error, "harness", Undecided)
	cut := judged(Inconclusive, "interrupted", Undecided)
	verdicts := func(entries ...Entry) []Verdict {
		var out []Verdict
		for _, j := range Settle(entries) {
			out = append(out, j.Verdict)
		}
		return out
	}
	control := func(start string, j Judgment) Entry { return Entry{Start: start, Control: true, Judgment: j} }
	trial := func(start string, j Judgment) Entry { return Entry{Start: start, Experiment: "x", Judgment: j} }

	assert.Equal(t, []Verdict{Pass, Pass, Fail}, verdicts(control("a", sound), trial("a", pass), trial("a", fail)))
	assert.Equal(t, []Verdict{Fail, Inconclusive, Inconclusive}, verdicts(control("a", broken), trial("a", pass), trial("a", fail)), "nothing stands on a broken control")
	assert.Equal(t, []Verdict{Fail, Pass}, verdicts(control("a", broken), trial("b", pass)), "another start is not concerned")
	assert.Equal(t, []Verdict{Pass, Inconclusive, Fail}, verdicts(control("a", sound), trial("a", pass), control("a", broken)), "any control counts")
	assert.Equal(t, []Verdict{Error, Inconclusive}, verdicts(control("a", crashed), trial("a", pass)))
	assert.Equal(t, []Verdict{Fail, Error}, verdicts(control("a", broken), trial("a", crashed)), "an error stays one")
	assert.Equal(t, []Verdict{Pass, Pass, Inconclusive}, verdicts(control("a", sound), trial("a", pass), control("a", cut)), "an interruption keeps what was judged")
	assert.Equal(t, []Verdict{Fail, Fail}, verdicts(control("a", judged(Fail, "phase_order", Violated)), trial("a", fail)), "a violation on its own evidence spoils nothing")

	assert.Equal(t, []Verdict{Fail, Inconclusive}, verdicts(control("a", judged(Fail, "phase_order", Violated)), trial("a", judged(Inconclusive, "not_started", Undecided))))
	plain := Entry{Start: "a", Faultless: true, Experiment: "x", Judgment: judged(Fail, "no_false_ready", Violated)}
	assert.Equal(t, []Verdict{Fail, Fail}, verdicts(control("a", broken), plain), "a trial without a fault stands by itself")
	plain.Judgment = judged(Inconclusive, "not_started", Undecided)
	assert.Equal(t, "control", Settle([]Entry{control("a", broken), plain})[1].Reasons[0].Rule, "unless it was not run")
	skipped := Settle([]Entry{control("a", judged(Fail, "phase_order", Violated)), trial("a", judged(Inconclusive, "not_started", Undecided))})[1]
	assert.Equal(t, "control", skipped.Reasons[0].Rule, "a trial that was not run because of its control says so")

	got := Settle([]Entry{control("a", broken), trial("a", fail)})[1]
	assert.Equal(t, []Reason{{Rule: "control", State: Undecided, Text: "the control trial (no fault) did not pass: it exited with code 1 at 10ms",
		Next: "make the control pass first; the experiments mean nothing without it: set DATABASE_URL"}}, got.Reasons)
}

func TestCombine(t *testing.T) {
	cases := []struct {
		in   []Verdict
		want Verdict
	}{
		{nil, Inconclusive},
		{[]Verdict{Pass, Pass}, Pass},
		{[]Verdict{Fail, Fail}, Fail},
		{[]Verdict{Pass, Fail, Pass}, Unstable},
		{[]Verdict{Pass, Fail, Error}, Unstable},
		{[]Verdict{Pass, Inconclusive}, Inconclusive},
		{[]Verdict{Fail, Inconclusive}, Fail},
		{[]Verdict{Pass, Error, Inconclusive}, Error},
		{[]Verdict{Pass, ""}, Inconclusive},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, Combine(c.in, false).Verdict, "%v", c.in)
	}
	assert.True(t, Combine([]Verdict{Pass, Fail}, true).Tolerated)
	assert.False(t, Combine([]Verdict{Fail, Fail}, true).Tolerated, "only a disagreement is tolerated")
	tally := Combine([]Verdict{Pass, Fail, Pass, Error, Inconclusive}, false)
	assert.Equal(t, []int{5, 2, 1, 1, 1}, []int{tally.Trials, tally.Pass, tally.Fail, tally.Error, tally.Inconclusive})
}

func TestWilson(t *testing.T) {
	// R: binom::binom.confint(8, 10, methods = "wilson") and the like.
	for _, c := range []struct {
		k, n   int
		lo, hi float64
	}{{8, 10, 0.4901625, 0.9433178}, {0, 10, 0, 0.2775328}, {5, 5, 0.5655175, 1}, {0, 0, 0, 1}} {
		got := Wilson(c.k, c.n)
		assert.InDelta(t, c.lo, got[0], 1e-6, "%d of %d", c.k, c.n)
		assert.InDelta(t, c.hi, got[1], 1e-6, "%d of %d", c.k, c.n)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		got, p := Wilson(k, n), float64(k)/float64(n)
		if got[0] < 0 || got[1] > 1 || got[0] > p+1e-12 || got[1] < p-1e-12 {
			t.Fatalf("Wilson(%d, %d) = %v does not hold %v", k, n, got, p)
		}
	})
}

func TestWorst(t *testing.T) {
	assert.Equal(t, Pass, Worst(Pass, Pass))
	assert.Equal(t, Inconclusive, Worst())
	assert.Equal(t, Inconclusive, Worst(Pass, ""))
	assert.Equal(t, Error, Worst(Pass, Inconclusive, Error))
	assert.Equal(t, Unstable, Worst(Error, Unstable))
	assert.Equal(t, Fail, Worst(Unstable, Fail))
}
