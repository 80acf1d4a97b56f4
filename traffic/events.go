package traffic

import (
	"cmp"
	"slices"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"github.com/chaos-startup/chaos/timeline"
)

// maxWindows bounds how many events tell of the course of a load.
const maxWindows = 60

// Event is an event of the timeline at an offset from the beginning of the load.
type Event struct {
	At time.Duration
	timeline.Event
}

// Events returns what the load came to, as evidence: its course, the first failures of each sort, and the figures of each step and of all.
// result says how it ended: complete, exited (the service's process ended), interrupted. Nothing may be added afterwards.
func (t *Tally) Events(result string, ended time.Duration) []Event {
	t.settle()
	out := t.course()
	for _, s := range t.samples {
		out = append(out, Event{s.Done, timeline.Event{
			Kind: timeline.TrafficError, Name: t.steps[s.Step], Result: string(s.Kind), Claimed: !s.early, Error: s.Error,
			Count: map[string]float64{"sent_ms": ms(s.Sent), "took_ms": ms(s.Done - s.Intended), "status": float64(s.Code)},
		}})
	}
	slices.SortStableFunc(out, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	if len(t.steps) > 1 {
		for i, name := range t.steps {
			if count := stepCount(t.sum[i], t.early[i]); count["requests"]+count["early_requests"] > 0 {
				out = append(out, Event{ended, timeline.Event{Kind: timeline.TrafficSummary, Name: name, Result: result, Count: count}})
			}
		}
	}
	return append(out, Event{ended, timeline.Event{Kind: timeline.TrafficSummary, Result: result, Count: t.total()}})
}

// course tells how the load went on, in at most maxWindows events.
func (t *Tally) course() []Event {
	each := (len(t.windows) + maxWindows - 1) / maxWindows
	var out []Event
	for from := 0; from < len(t.windows); from += each {
		var sum window
		for _, w := range t.windows[from:min(from+each, len(t.windows))] {
			sum.sent, sum.ok, sum.errors, sum.worst = sum.sent+w.sent, sum.ok+w.ok, sum.errors+w.errors, max(sum.worst, w.worst)
		}
		if sum.sent == 0 {
			continue
		}
		end := min(time.Duration(from+each)*time.Second, max(t.last, time.Duration(from)*time.Second))
		out = append(out, Event{end, timeline.Event{Kind: timeline.Traffic, Count: map[string]float64{
			"requests": float64(sum.sent), "ok": float64(sum.ok), "errors": float64(sum.errors), "max_ms": ms(sum.worst),
		}}})
	}
	return out
}

// total has the figures of all steps together, and those of the generator.
func (t *Tally) total() map[string]float64 {
	sum, early := newFigures(), newFigures()
	for i := range t.steps {
		sum.merge(t.sum[i])
		early.merge(t.early[i])
	}
	count := stepCount(sum, early)
	count["unsent"], count["cut"] = float64(t.unsent), float64(t.cut)
	count["lag_p50_ms"], count["lag_p99_ms"], count["lag_max_ms"] = at(t.lag, 50), at(t.lag, 99), float64(t.lag.Max())/1000
	if t.claimed {
		count["for_ms"] = ms(max(0, t.last-t.claim))
	}
	return count
}

func (f *figures) merge(from figures) {
	f.sent += from.sent
	for k, n := range from.kinds {
		f.kinds[k] += n
	}
	f.latency.Merge(from.latency)
}

func stepCount(sum, early figures) map[string]float64 {
	count := map[string]float64{"requests": float64(sum.sent), "ok": float64(sum.kinds[OK])}
	errors := 0
	for _, k := range failures {
		if n := sum.kinds[k]; n > 0 {
			count["errors_"+string(k)] = float64(n)
			errors += n
		}
	}
	count["errors"] = float64(errors)
	if sum.latency.TotalCount() > 0 {
		count["p50_ms"], count["p95_ms"], count["p99_ms"] = at(sum.latency, 50), at(sum.latency, 95), at(sum.latency, 99)
		count["max_ms"], count["mean_ms"] = float64(sum.latency.Max())/1000, sum.latency.Mean()/1000
	}
	if early.sent == 0 {
		return count
	}
	count["early_requests"] = float64(early.sent)
	bad := 0
	for k, n := range early.kinds {
		count["early_"+string(k)] = float64(n)
		if !k.clean() {
			bad += n
		}
	}
	count["early_bad"] = float64(bad)
	return count
}

func at(h *hdr.Histogram, percentile float64) float64 {
	return float64(h.ValueAtPercentile(percentile)) / 1000
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
