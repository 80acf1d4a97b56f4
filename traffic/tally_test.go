package traffic

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

const msec = time.Millisecond

// answer is one that was sent and intended at the same moment.
func answer(kind Kind, at, took time.Duration) Answer {
	return Answer{Kind: kind, Intended: at, Sent: at, Done: at + took, Error: string(kind)}
}

func total(t *testing.T, events []Event) map[string]float64 {
	t.Helper()
	last := events[len(events)-1]
	require.Equal(t, timeline.TrafficSummary, last.Kind)
	require.Empty(t, last.Name)
	return last.Count
}

// A service that stalls for a second can't hide it: whoever should have come meanwhile has waited.
func TestLatencyCountsFromTheIntendedMoment(t *testing.T) {
	tally := NewTally([]string{"a"})
	tally.Claimed(0)
	for i := range 100 {
		at := time.Duration(i) * 10 * msec
		tally.Add(Answer{Kind: OK, Intended: at, Sent: 1000 * msec, Done: 1001 * msec}) // all sent late
	}
	c := total(t, tally.Events("complete", time.Second))
	assert.InDelta(t, 500, c["p50_ms"], 15)
	assert.InDelta(t, 1001, c["max_ms"], 2)
	assert.InDelta(t, 1000, c["lag_max_ms"], 2)
	assert.InDelta(t, 990, c["lag_p99_ms"], 15)
}

func TestPercentiles(t *testing.T) {
	tally := NewTally([]string{"a", "b"})
	tally.Claimed(0)
	for i := range 1000 {
		a := answer(OK, time.Duration(i)*msec, time.Duration(i+1)*msec)
		a.Step = i % 2
		tally.Add(a)
	}
	events := tally.Events("complete", 2*time.Second)
	c := total(t, events)
	assert.InDelta(t, 500, c["p50_ms"], 1)
	assert.InDelta(t, 950, c["p95_ms"], 1)
	assert.InDelta(t, 990, c["p99_ms"], 1)
	assert.InDelta(t, 1000, c["max_ms"], 1)
	assert.EqualValues(t, 1000, c["requests"])
	assert.EqualValues(t, 0, c["errors"])
	var steps []string
	for _, e := range events {
		if e.Kind == timeline.TrafficSummary && e.Name != "" {
			steps = append(steps, e.Name)
			assert.EqualValues(t, 500, e.Count["requests"])
		}
	}
	assert.Equal(t, []string{"a", "b"}, steps)
}

// What fails fast makes no percentile better; what hangs counts with its time.
func TestErrorsAndPercentiles(t *testing.T) {
	tally := NewTally([]string{"a"})
	tally.Claimed(0)
	for range 50 {
		tally.Add(answer(Refused, 0, msec))
	}
	tally.Add(answer(OK, 0, 100*msec))
	tally.Add(answer(Hang, 0, 1000*msec))
	c := total(t, tally.Events("complete", time.Second))
	assert.InDelta(t, 100, c["p50_ms"], 1)
	assert.InDelta(t, 1000, c["max_ms"], 1)
	assert.EqualValues(t, 51, c["errors"])
	assert.EqualValues(t, 50, c["errors_refused"])
	assert.EqualValues(t, 1, c["errors_hang"])
}

func TestEarlyRequests(t *testing.T) {
	tally := NewTally([]string{"a"})
	for _, k := range []Kind{OK, Refused, Unavailable, Status, Hang, Dropped} {
		tally.Add(answer(k, 10*msec, msec))
	}
	tally.Claimed(time.Second)
	tally.Add(answer(Reset, 500*msec, 700*msec))                                                     // before the claim, answered after it
	tally.Add(Answer{Kind: Unavailable, Intended: 900 * msec, Sent: 1100 * msec, Done: 1101 * msec}) // sent after it
	c := total(t, tally.Events("complete", 2*time.Second))
	assert.EqualValues(t, 7, c["early_requests"])
	assert.EqualValues(t, 4, c["early_bad"])
	assert.EqualValues(t, 1, c["early_reset"])
	assert.EqualValues(t, 1, c["requests"])
	assert.EqualValues(t, 1, c["errors_unavailable"])
}

// Whoever is cut off by the end of the process has met no answer of the service; whoever was before it has.
func TestCutOffByTheExit(t *testing.T) {
	tally := NewTally([]string{"a"})
	tally.Add(answer(Reset, 100*msec, 10*msec))
	tally.Add(answer(Closed, 400*msec, 590*msec)) // just before the end is noticed
	tally.Add(answer(Reset, 900*msec, 110*msec))
	tally.Add(answer(Dropped, 2000*msec, 10*msec)) // of the next start
	tally.Exited(1000 * msec)
	c := total(t, tally.Events("exited", 3*time.Second))
	assert.EqualValues(t, 2, c["early_gone"])
	assert.EqualValues(t, 2, c["early_bad"])
	assert.EqualValues(t, 1, c["early_reset"])
	assert.EqualValues(t, 1, c["early_dropped"])
}

func TestTheGeneratorsOwn(t *testing.T) {
	tally := NewTally([]string{"a"})
	tally.Claimed(0)
	tally.Add(answer(Unsent, 0, 0))
	tally.Unsent(0)
	tally.Add(answer(Cut, 0, 0))
	c := total(t, tally.Events("interrupted", time.Second))
	assert.EqualValues(t, 2, c["unsent"])
	assert.EqualValues(t, 1, c["cut"])
	assert.EqualValues(t, 0, c["requests"])
}

// A million answers make no more events than a few.
func TestEventsAreBounded(t *testing.T) {
	tally := NewTally([]string{"a"})
	tally.Claimed(0)
	for i := range 1_000_000 {
		a := answer([]Kind{OK, Status, Reset}[i%3], time.Duration(i)*5*msec, msec)
		a.Code = 400 + i%200
		tally.Add(a)
	}
	events := tally.Events("complete", 2*time.Hour)
	assert.LessOrEqual(t, len(events), maxWindows+maxSamples+1)
	c := total(t, events)
	assert.EqualValues(t, 1_000_000, c["requests"])
	sum := 0.0
	for _, e := range events {
		if e.Kind == timeline.Traffic {
			sum += e.Count["requests"]
		}
	}
	assert.EqualValues(t, 1_000_000, sum, "the course has all")
	for i := 1; i < len(events); i++ {
		require.GreaterOrEqual(t, events[i].At, events[i-1].At)
	}
}
