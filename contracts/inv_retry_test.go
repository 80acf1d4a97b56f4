package contracts

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// refusals are connects that are refused after the pauses, the first at 110 ms.
func retryRefusals(pauses ...float64) []timeline.Event {
	at := 110.0
	out := []timeline.Event{{MS: at, Kind: timeline.Connect, Dependency: "postgres", Result: "refused", Error: "ECONNREFUSED"}}
	for _, p := range pauses {
		at += p
		out = append(out, timeline.Event{MS: at, Kind: timeline.Connect, Dependency: "postgres", Result: "refused", Error: "ECONNREFUSED"})
	}
	return out
}

// silences are connections that a blackhole accepts: begin and end of each.
func retrySilences(spans ...[2]float64) []timeline.Event {
	var out []timeline.Event
	for i, s := range spans {
		out = append(out, timeline.Event{MS: s[0], Kind: timeline.Connect, Dependency: "postgres", Result: "allowed"},
			timeline.Event{MS: s[0], Kind: timeline.Accept, Dependency: "postgres", Connection: i + 1},
			timeline.Event{MS: s[1], Kind: timeline.Close, Dependency: "postgres", Connection: i + 1, Count: map[string]float64{"bytes_up": 8, "bytes_down": 0}})
	}
	return retryOrdered(out)
}

func retryOrdered(list []timeline.Event) []timeline.Event {
	for i := range list {
		for j := i; j > 0 && list[j].MS < list[j-1].MS; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

func TestRetryManners(t *testing.T) {
	asking := func(r Retry) Spec {
		spec := refused(Expectation{GiveUp: &GiveUp{After: 0, Within: seconds(60)}})
		spec.Invariants.Retry = &r
		return spec
	}
	backoff, grows := asking(Retry{Backoff: BackoffExponential}), asking(Retry{Backoff: BackoffGrowing})
	jitter, single := asking(Retry{Jitter: true}), asking(Retry{MaxParallel: 2})
	once, patient := asking(Retry{MaxAmplification: 1.5}), asking(Retry{GiveUpWithin: seconds(5)})
	elsewhere := asking(Retry{On: []string{"redis"}, Backoff: BackoffExponential})
	waits, waitsLong := backoff, patient
	waits.Expect, waitsLong.Expect = Expectation{Wait: &Wait{}}, Expectation{Wait: &Wait{}}
	head := tl(exec(0), begin(100, "database"), armed(101, "f1"), bite(110, "f1"))
	died := tl(exits(50000, 3), observed(50001))
	alive := tl(budget(30000), observed(30001))
	doubling := retryRefusals(100, 200, 401, 802, 1600, 2000, 2001, 2000)
	varying := retryRefusals(90, 230, 350, 890, 1450, 2300, 1750, 2100)
	flat := retryRefusals(500, 501, 500, 502, 500, 500, 501)
	nested := retryRefusals(8, 9, 500, 8, 8, 1000, 8, 9, 2000, 8, 9)
	storm := retrySilences([2]float64{110, 1110}, [2]float64{111, 1111}, [2]float64{112, 1112}, [2]float64{1310, 2310}, [2]float64{1311, 2311}, [2]float64{1312, 2312})
	calm := retrySilences([2]float64{110, 1110}, [2]float64{1210, 2210}, [2]float64{2410, 3410}, [2]float64{3810, 4810})
	together := retryRefusals(1, 1, 500, 1, 1, 1000, 1, 1)
	lifted := tl(lift(1500, "f1"), connects(1910, "postgres"), accepts(1911, "postgres"), claims(2000), observed(2100),
		timeline.Event{MS: 2200, Kind: timeline.Close, Dependency: "postgres", Count: map[string]float64{"bytes_down": 90}})
	runCases(t, []judgeCase{
		{"a factor", backoff, tl(head, doubling, died), Pass, "give_up", ""},
		{"a factor and jitter", backoff, tl(head, varying, died), Pass, "give_up", ""},
		{"no growth", backoff, tl(head, flat, died), Fail, "retry", "do not back off (exponential is asked for): 8 failed attempts in 3.504s; pauses of 500ms"},
		{"by a time", backoff, tl(head, retryRefusals(100, 200, 300, 400, 500, 600), died), Fail, "retry", "they grow by 100ms a step"},
		{"by a time is growth", grows, tl(head, retryRefusals(100, 200, 300, 400, 500, 600), died), Pass, "give_up", ""},
		{"too few, and not over", waits, tl(head, retryRefusals(100, 200), budget(1000), observed(1001)), Inconclusive, "retry", "whether its pauses grow can't be told"},
		{"fell silent", waitsLong, tl(head, retryRefusals(100, 200), alive), Pass, "wait", ""},
		{"too few, for good", backoff, tl(head, retryRefusals(500, 500), died), Pass, "retry", "not applicable: postgres was tried too few times"},
		{"none", backoff, tl(head, figures(49000, "postgres", map[string]float64{"attempts": 0}), died), Pass, "retry", "not applicable: no attempt on postgres failed"},
		{"one", backoff, tl(head, retryRefusals(), died), Pass, "retry", "not applicable: the attempt on postgres that failed was not repeated"},
		{"another dependency", elsewhere, tl(head, flat, died), Pass, "give_up", ""},
		{"no jitter", jitter, tl(head, doubling, died), Fail, "retry", "have no jitter: 9 failed attempts"},
		{"jitter", jitter, tl(head, varying, died), Pass, "give_up", ""},
		{"side by side", single, tl(head, storm, died), Fail, "retry", "made 3 attempts on postgres at the same time (at most 2)"},
		{"one after the other", single, tl(head, calm, died), Pass, "give_up", ""},
		{"refused together", single, tl(head, together, died), Inconclusive, "retry", "3 attempts on postgres within 5 ms"},
		{"nested", once, tl(head, nested, died), Fail, "retry", "each retry on postgres is made 3 times over"},
		{"not nested", once, tl(head, doubling, died), Pass, "give_up", ""},
		{"for ever", patient, tl(head, doubling, died), Fail, "retry", "still tried postgres 9.104s after its first attempt had failed (it must give up within 5s)"},
		{"in time", patient, tl(head, retryRefusals(100, 200, 400, 800), exits(1700, 3), observed(1701)), Pass, "give_up", ""},
	})
	gone := asking(Retry{GiveUpWithin: seconds(5), Backoff: BackoffExponential})
	gone.Expect, gone.Faults[0].Bounded = Expectation{Recover: &Recover{Within: seconds(10)}}, true
	recovered := timeline.Event{MS: 2001, Kind: timeline.Proof, Name: "a thread is stored", OK: ref(true), Claimed: true}
	runCases(t, []judgeCase{{"it came back", gone, tl(head, retryRefusals(100, 200), lifted[:4], recovered, lifted[4:]), Inconclusive, "retry", "whether its pauses grow can't be told"}})
}

// retrying is a service that postgres refuses and that dies of it, whose retries are judged.
func retrying(r Retry) Spec {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(5000)}})
	spec.Invariants.Retry = &r
	return spec
}

// denied are requests on postgres's connection that the fault answered itself, every so many ms from 120 ms on.
func denied(connection, times int, each float64) []timeline.Event {
	var out []timeline.Event
	for i := range times {
		out = append(out, timeline.Event{
			MS: 120 + each*float64(i), Kind: timeline.Denied, Fault: "f1", Dependency: "postgres", Connection: connection, Text: "failed a statement with 40001",
		})
	}
	return out
}

// TestRetryOnOpenConnections: requests that a fault turns down on an open connection may be retries: they acquit nobody, and accuse nobody.
func TestRetryOnOpenConnections(t *testing.T) {
	before := tl(exec(0), connects(40, "postgres"), timeline.Event{MS: 50, Kind: timeline.Accept, Dependency: "postgres", Connection: 1}, armed(101, "f1"), bite(119, "f1"))
	under := tl(exec(0), armed(101, "f1"), connects(110, "postgres"), timeline.Event{MS: 111, Kind: timeline.Accept, Dependency: "postgres", Connection: 1}, bite(119, "f1"))
	died := tl(exits(20000, 3), observed(20001))
	runCases(t, []judgeCase{
		{"few, all in all", retrying(Retry{MaxAttempts: 10}), tl(before, denied(1, 9, 100), died), Pass, "fail_fast", ""},
		{"too many, if they are retries", retrying(Retry{MaxAttempts: 10}), tl(before, denied(1, 10, 100), died), Inconclusive, "retry", "which is too much if those were retries"},
		{"the first belongs to its connect", retrying(Retry{MaxAttempts: 10}), tl(under, denied(1, 10, 100), died), Pass, "fail_fast", ""},
		{"too fast, if they are retries", retrying(Retry{MaxRate: 20}), tl(before, denied(1, 30, 40), died), Inconclusive, "retry", "up to 25 times within one second"},
		{"too many without them", retrying(Retry{MaxAttempts: 3}), tl(before, denied(1, 10, 10), retryRefusals(200, 200, 200), died), Fail, "retry", "(at most 3)"},
		{"a manner that is not seen", retrying(Retry{Backoff: BackoffGrowing}), tl(before, denied(1, 10, 100), died), Inconclusive, "retry", "is not measured there"},
		{"one is no retry", retrying(Retry{Backoff: BackoffGrowing}), tl(before, denied(1, 1, 100), died), Pass, "retry", "not applicable"},
		{"a manner that is seen", retrying(Retry{Backoff: BackoffGrowing}), tl(before, denied(1, 2, 100), retryRefusals(500, 501, 500, 502, 500, 500, 501), died), Fail, "retry", "do not back off"},
	})
}

// TestRetryBecauseAsked: what a service does because chaos asked something of it is not taken for its retries.
func TestRetryBecauseAsked(t *testing.T) {
	head := tl(exec(0), begin(100, "database"), armed(101, "f1"), bite(110, "f1"))
	died := tl(exits(40000, 3), observed(40001))
	// asked are 31 refusals 30 ms apart while as many requests as each says are under way, and so many more begin between two of them.
	asked := func(under, begun string, open, more float64) []timeline.Event {
		list := retryRefusals(slices.Repeat([]float64{30}, 30)...)
		for i := range list {
			list[i].Count = map[string]float64{under: open, begun: open + more*float64(i)}
		}
		return list
	}
	each := asked("asking", "asked", 1, 1)
	none := asked("asking", "asked", 1, 0)
	proofs := asked("proving", "proved", 1, 1)
	hanging := asked("proving", "proved", 1, 0)
	runCases(t, []judgeCase{
		{"nobody asked", retrying(Retry{MaxAttempts: 20}), tl(head, asked("asking", "asked", 0, 0), died), Fail, "retry", "tried postgres 31 times (at most 20)"},
		{"one request for each", retrying(Retry{MaxAttempts: 20}), tl(head, each, died), Inconclusive, "retry", "31 of them while chaos asked something of it"},
		{"one request for all", retrying(Retry{MaxAttempts: 20}), tl(head, none, died), Fail, "retry", "tried postgres 31 times, 4 of them while chaos asked something of it"},
		{"within the limit all the same", retrying(Retry{MaxAttempts: 40}), tl(head, each, died), Pass, "fail_fast", ""},
		{"the rate of one for each", retrying(Retry{MaxRate: 10}), tl(head, each, died), Inconclusive, "retry", "up to 31 times within one second"},
		{"the rate of one for all", retrying(Retry{MaxRate: 10}), tl(head, none, died), Fail, "retry", "27 times within one second"},
		{"no jitter in what proofs ask for", retrying(Retry{Jitter: true}), tl(head, proofs, died), Inconclusive, "retry", "were made while proofs or load asked something of it"},
		{"no jitter beside a proof that hangs", retrying(Retry{Jitter: true}), tl(head, hanging, died), Fail, "retry", "have no jitter"},
		{"no jitter beside the ready probe", retrying(Retry{Jitter: true}), tl(head, each, died), Fail, "retry", "have no jitter"},
	})
}

// TestRetryTruncated: a timeline that holds only the first attempts does not show that the others kept the rules.
func TestRetryTruncated(t *testing.T) {
	head := tl(exec(0), begin(100, "database"), armed(101, "f1"), bite(110, "f1"))
	thousand := retryRefusals(slices.Repeat([]float64{500, 700, 300}, 333)...)
	all := tl(figures(600000, "postgres", map[string]float64{"attempts": 1000}), exits(600000, 3), observed(600001))
	more := tl(figures(600000, "postgres", map[string]float64{"attempts": 5000}), exits(600000, 3), observed(600001))
	runCases(t, []judgeCase{
		{"all are told", retrying(Retry{MaxRate: 5}), tl(head, thousand, all), Pass, "fail_fast", ""},
		{"the rate of the others", retrying(Retry{MaxRate: 5}), tl(head, thousand, more), Inconclusive, "retry", "only the first of its attempts on postgres"},
		{"their number is known", retrying(Retry{MaxAttempts: 6000}), tl(head, thousand, more), Pass, "fail_fast", ""},
		{"and may be too many", retrying(Retry{MaxAttempts: 4000}), tl(head, thousand, more), Fail, "retry", "tried postgres 5000 times"},
		{"how they were repeated", retrying(Retry{Jitter: true}), tl(head, thousand, more), Inconclusive, "retry", "only the first of its attempts on postgres"},
	})
}

// TestRetryUnseen: a closed port of the kernel tells nobody who knocks.
func TestRetryUnseen(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	spec.Invariants.Retry = &Retry{Backoff: BackoffExponential}
	runCases(t, []judgeCase{
		{"refused by the kernel", spec, tl(bitten(), accepts(110, "postgres"), exits(5000, 3), observed(5001)), Inconclusive, "retry", "can't be seen without the connect interceptor"},
	})
}

// TestRetryFigures: what was measured is in the observation, in numbers and in words.
func TestRetryFigures(t *testing.T) {
	spec := refused(Expectation{})
	pauses := []float64{90, 230, 350, 990, 1450, 3700, 5200, 14100}
	o := Observe(spec, tl(exec(0), armed(101, "f1"), bite(110, "f1"), retryRefusals(pauses...), exits(60000, 3), observed(60001)))
	got := o.Dependencies["postgres"].Retries
	require.NotNil(t, got)
	assert.Equal(t, 9, got.Attempts)
	assert.Len(t, got.PausesMS, 8)
	assert.Equal(t, string(exponential), got.Growth)
	assert.InDelta(t, 2, got.Factor, 0.4)
	assert.Equal(t, jitterYes, got.Jitter)
	assert.Equal(t, endGaveUp, got.End)
	assert.Contains(t, got.Text, "9 failed attempts in")
	assert.Contains(t, got.Text, "they grow exponentially")
	assert.Nil(t, o.Dependencies["redis"].Retries)
}

// TestBurstSize: bursts are found where they come again and again, and nowhere by chance.
func TestBurstSize(t *testing.T) {
	assert.Equal(t, 4, burstSize([]float64{8, 16, 32, 500, 8, 16, 32, 1000, 8}))
	assert.Equal(t, 2, burstSize([]float64{5, 300, 5, 600, 6, 1200, 5, 2400, 5}))
	assert.Equal(t, 1, burstSize([]float64{5, 300, 5, 600, 6}), "too little to be sure")
	r := rand.New(rand.NewPCG(3, 4))
	wrong := 0
	for range 500 {
		for _, s := range retrySchedules() {
			if burstSize(s.make(9+r.IntN(12), r)) > 1 {
				wrong++
			}
		}
	}
	assert.LessOrEqual(t, wrong, 5, "of 5000")
}
