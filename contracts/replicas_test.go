package contracts

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// of gives events to a replica.
func of(replica int, events ...timeline.Event) []timeline.Event {
	out := slices.Clone(events)
	for i := range out {
		out[i].Replica = replica
	}
	return out
}

// crew is a trial of replicas whose pauses are given, in the order of time: all die of a refused postgres.
func retryCrew(pauses ...[]float64) []timeline.Event {
	list := tl(armed(101, "f1"), bite(110, "f1"), figures(80000, "postgres", map[string]float64{"attempts": 99}))
	for r, p := range pauses {
		late := float64(37 * r)
		own := tl(exec(late), begin(100+late, "database"), retryRefusals(p...), exits(70000, 3), observed(70001))
		for i := range own {
			if own[i].Kind == timeline.Connect {
				own[i].MS += late
			}
		}
		list = append(list, of(r+1, own...)...)
	}
	return tl(retryOrdered(list))
}

func replicated(n int, retry *Retry) Spec {
	s := refused(Expectation{GiveUp: &GiveUp{Within: seconds(80)}})
	s.Replicas, s.Invariants.Retry = n, retry
	return s
}

func TestLockstep(t *testing.T) {
	spec := replicated(3, &Retry{Lockstep: ref(false)})
	one := []float64{100, 200, 401, 802, 1600, 2001, 2000}
	two := []float64{101, 203, 400, 800, 1603, 2000, 2004}
	other := []float64{90, 270, 350, 990, 1300, 2600, 1500}
	another := []float64{130, 170, 520, 690, 2050, 1700, 2300}
	runCases(t, []judgeCase{
		{"in step", spec, retryCrew(one, two, one), Fail, "retry", "replicas retry postgres in lockstep: 10 of 10 pauses are the same within 15 ms or 4 %"},
		{"each in its own time", spec, retryCrew(one, other, another), Pass, "retry", "each in its own time: 10 of 10 pauses"},
		{"too few", spec, retryCrew(one[:3], two[:3], one[:3]), Inconclusive, "retry", "of 2 pauses of 400ms or more that can be compared, 2 are the same"},
		{"one alone", spec, retryCrew(one, nil, nil), Pass, "retry", "not applicable: fewer than two replicas retried postgres"},
	})
	broken := tl(retryCrew(one, two, one), timeline.Event{MS: 75000, Kind: timeline.Interrupted})
	assert.NotContains(t, fmt.Sprint(Judge(spec, broken).Reasons), "lockstep", "an interrupted trial is not judged")
	alone := refused(Expectation{GiveUp: &GiveUp{Within: seconds(80)}})
	alone.Invariants.Retry = &Retry{Lockstep: ref(false)}
	runCases(t, []judgeCase{{"no replicas", alone, tl(bitten(), exits(5000, 3), observed(5001)), Pass, "retry", "one instance alone is in step with nobody"}})
}

// TestLockstepOfRandomReplicas: independent jitter of a tenth either way or more is never called lockstep, no jitter always is.
func TestLockstepOfRandomReplicas(t *testing.T) {
	const runs = 500
	for _, jitter := range []float64{0, 0.1, 0.2, 1. / 3, 1} {
		for _, n := range []int{2, 3, 5} {
			t.Run(fmt.Sprintf("%.2f %d", jitter, n), func(t *testing.T) {
				t.Parallel()
				stepped, apart := 0, 0
				for run := range runs {
					r := rand.New(rand.NewPCG(uint64(run), uint64(n)))
					var all []manner
					for range n {
						m := manner{}
						for k := range 9 {
							m.pauses = append(m.pauses, math.Min(100*math.Pow(2, float64(k)), 2000)*uniform(r, 1-jitter, 1+jitter)+r.ExpFloat64())
						}
						all = append(all, m)
					}
					c := compareSteps(all)
					require.Equal(t, n, c.retried)
					if c.same*3 >= c.compared*2 && atLeastByChance(c.same, c.compared) <= stepEvidence {
						stepped++
					}
					if c.apart*5 >= c.compared*2 {
						apart++
					}
				}
				if jitter == 0 {
					assert.Equal(t, runs, stepped)
					return
				}
				assert.LessOrEqual(t, stepped, runs/200)
				if jitter > 0.3 {
					assert.GreaterOrEqual(t, apart, runs*9/10)
				}
			})
		}
	}
}

// TestExpressionsOfAReplica: an expression sees what is the replica's own, and no sum over all of them.
func TestExpressionsOfAReplica(t *testing.T) {
	each := func(r int) []timeline.Event {
		own := tl(up())
		for i := range 4 {
			own = append(own, connects(20, "postgres"), timeline.Event{MS: 20, Kind: timeline.Accept, Dependency: "postgres", Connection: 4*r + i})
		}
		return of(r, tl(own, observed(400))...)
	}
	total := figures(401, "postgres", map[string]float64{"attempts": 12, "accepted": 12, "open_at_end": 12, "bytes_up": 1200})
	for text, want := range map[string]Verdict{
		`dependency("postgres").accepted == 4`:     Pass,
		`dependency("postgres").attempts == 4`:     Pass,
		`dependency("postgres").open_at_end <= 10`: Inconclusive,
		`dependency("postgres").bytes_up < 500`:    Inconclusive,
	} {
		spec := plain(Invariants{})
		spec.Replicas, spec.Expect = 3, Expectation{Expr: text}
		j := Judge(spec, tl(retryOrdered(tl(each(1), each(2), each(3), total))))
		assert.Equal(t, want, j.Verdict, "%s: %v", text, j.Reasons)
	}
}

// TestReplicasAreJudgedEach: the worst counts, and is named.
func TestReplicasAreJudgedEach(t *testing.T) {
	spec := plain(Invariants{StopsOnSignal: &StopsOnSignal{}})
	spec.Replicas = 3
	well := func(r int) []timeline.Event { return of(r, tl(up(), observed(400), stop(401), exits(450, 0))...) }
	good := tl(well(1), well(2), well(3))
	j := Judge(spec, good)
	require.Equal(t, Pass, j.Verdict, j)
	assert.Contains(t, j.Reasons[0].Text, "every replica: ")

	bad := tl(well(1), of(2, exec(0), exits(20, 1), observed(21)), well(3))
	j = Judge(spec, bad)
	require.Equal(t, Fail, j.Verdict)
	assert.Contains(t, j.Reasons[0].Text, "replica 2: it exited with code 1")
	for _, id := range j.Reasons[0].Evidence {
		assert.Equal(t, 2, bad[id].Replica, "evidence is its own")
	}
	o := Observe(spec, bad)
	assert.Equal(t, Exited, o.Outcome.Class, "the worst is shown")
	require.Len(t, o.Replicas, 3)
	assert.Equal(t, []Verdict{Pass, Fail, Pass}, []Verdict{o.Replicas[0].Verdict, o.Replicas[1].Verdict, o.Replicas[2].Verdict})
	assert.Equal(t, Ready, o.Replicas[2].Outcome.Class)

	silent := tl(well(1), well(3))
	assert.Equal(t, Inconclusive, Judge(spec, silent).Verdict, "one that was never started shows nothing")
}

// TestReplicaThatMissedTheFault: what it did shows nothing about the fault.
func TestReplicaThatMissedTheFault(t *testing.T) {
	spec := replicated(2, nil)
	events := retryCrew([]float64{100, 200}, []float64{100})
	missed := slices.DeleteFunc(slices.Clone(events), func(e timeline.Event) bool { return e.Replica == 2 && e.Kind == timeline.Connect })
	require.Equal(t, Pass, Judge(spec, events).Verdict, Judge(spec, events))
	j := Judge(spec, missed)
	require.Equal(t, Inconclusive, j.Verdict)
	assert.Contains(t, j.Reasons[0].Text, "replica 2: it did not try postgres")
}

// TestReplicasMeetAFaultInTheirOwnTime: what a late replica did before its own first attempt was not under the fault.
func TestReplicasMeetAFaultInTheirOwnTime(t *testing.T) {
	spec := replicated(2, nil)
	quick := of(1, tl(exec(0), begin(90, "init"), begin(100, "database"), retryRefusals(100), exits(70000, 3), observed(70001))...)
	slow := of(2, exec(1), begin(300, "init"), begin(400, "database"), timeline.Event{MS: 410, Kind: timeline.Connect, Dependency: "postgres", Result: "refused"},
		exits(70000, 3), observed(70001))
	events := tl(retryOrdered(tl(armed(100, "f1"), bite(110, "f1"), quick, slow)))
	j := Judge(spec, events)
	require.Equal(t, Pass, j.Verdict, j)
	told := fmt.Sprint(j.Reasons)
	assert.Contains(t, told, "replica 2: it exited with code 3 at 70s, 69.59s after the fault on postgres first bit at 410ms")
}

// TestAcceptsBelongToTheirConnects: connections have the replica whose connect was let in at their turn.
func TestAcceptsBelongToTheirConnects(t *testing.T) {
	accept := func(ms float64, n int) timeline.Event {
		return timeline.Event{MS: ms, Kind: timeline.Accept, Dependency: "redis", Connection: n}
	}
	events := tl(of(2, connects(10, "redis")), of(1, connects(11, "redis")), accept(12, 2), accept(13, 1),
		timeline.Event{MS: 20, Kind: timeline.Close, Dependency: "redis", Connection: 1}, of(1, connects(30, "redis")), accept(31, 3))
	var got []int
	for _, e := range attributed(events) {
		if e.Kind != timeline.Connect {
			got = append(got, e.Replica)
		}
	}
	assert.Equal(t, []int{1, 2, 2, 1}, got)
}
