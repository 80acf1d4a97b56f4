package contracts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// Traffic is what judging needs to know of the load on the service. A percentile of 0 is not checked.
type Traffic struct {
	Text      string            `json:"text"` // the load in words
	FromStart bool              `json:"from_start,omitempty"`
	P50       timeline.Duration `json:"p50,omitempty"`
	P95       timeline.Duration `json:"p95,omitempty"`
	P99       timeline.Duration `json:"p99,omitempty"`
	Errors    float64           `json:"errors"`  // the share of requests that may fail
	MaxLag    timeline.Duration `json:"max_lag"` // the generator's own: beyond it nothing is decided
}

// TrafficFigures is what a load came to.
type TrafficFigures struct {
	Result string `json:"result"` // complete, exited, interrupted
	RequestFigures
	Early    map[string]int `json:"early,omitempty"` // requests before the claim, by what became of them
	LagP99MS float64        `json:"lag_p99_ms"`
	LagMaxMS float64        `json:"lag_max_ms"`
	Unsent   int            `json:"unsent,omitempty"`
	Steps    []TrafficStep  `json:"steps,omitempty"` // where there are several
}

// TrafficStep is what one step of a load came to.
type TrafficStep struct {
	Name string `json:"name"`
	RequestFigures
}

// RequestFigures are what became of requests after the claim. Latencies count from their intended moment; 0 where there was none.
type RequestFigures struct {
	Requests     int            `json:"requests"`
	OK           int            `json:"ok"`
	Errors       int            `json:"errors"`
	ErrorsByKind map[string]int `json:"errors_by_kind,omitempty"`
	P50MS        float64        `json:"p50_ms"`
	P95MS        float64        `json:"p95_ms"`
	P99MS        float64        `json:"p99_ms"`
	MaxMS        float64        `json:"max_ms"`
}

// trafficSummary returns the position of the figures of the whole load, or -1.
func (t *trace) trafficSummary() int {
	for _, i := range t.all(timeline.TrafficSummary, 0, len(t.ev)) {
		if t.ev[i].Name == "" {
			return i
		}
	}
	return -1
}

// traffic is the part of an observation about the load, or nil.
func (t *trace) trafficFigures() *TrafficFigures {
	total := t.trafficSummary()
	if total < 0 {
		return nil
	}
	c := t.ev[total].Count
	f := &TrafficFigures{
		Result: t.ev[total].Result, RequestFigures: requestsOf(c), Early: counted(c, "early_"),
		LagP99MS: c["lag_p99_ms"], LagMaxMS: c["lag_max_ms"], Unsent: whole(c["unsent"]),
	}
	for _, i := range t.all(timeline.TrafficSummary, 0, len(t.ev)) {
		if e := t.ev[i]; e.Name != "" {
			f.Steps = append(f.Steps, TrafficStep{Name: e.Name, RequestFigures: requestsOf(e.Count)})
		}
	}
	return f
}

func requestsOf(count map[string]float64) RequestFigures {
	return RequestFigures{
		Requests: whole(count["requests"]), OK: whole(count["ok"]), Errors: whole(count["errors"]), ErrorsByKind: counted(count, "errors_"),
		P50MS: count["p50_ms"], P95MS: count["p95_ms"], P99MS: count["p99_ms"], MaxMS: count["max_ms"],
	}
}

// counted returns the figures whose names begin so, without that beginning; nil when there are none.
func counted(count map[string]float64, prefix string) map[string]int {
	var out map[string]int
	for name, v := range count {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if out == nil {
				out = map[string]int{}
			}
			out[rest] = whole(v)
		}
	}
	return out
}

// Words says what a load came to, on one line.
func (f TrafficFigures) Words() string {
	var parts []string
	if f.Requests > 0 {
		parts = append(parts, f.words())
	}
	if n := f.Early["requests"]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d early (%s)", n, kinds(f.Early, "requests", "bad")))
	}
	if len(parts) == 0 {
		parts = append(parts, "no request")
	}
	lag := fmt.Sprintf("lag p99 %s", Millis(f.LagP99MS))
	if f.Unsent > 0 {
		lag += fmt.Sprintf(", %d not sent", f.Unsent)
	}
	return strings.Join(append(parts, lag), "; ")
}

// Words says what a step came to, on one line.
func (s TrafficStep) Words() string {
	if s.Requests == 0 {
		return "no request after the claim"
	}
	return s.words()
}

// words leaves the times out where nothing was answered as it should.
func (r RequestFigures) words() string {
	text := plural(r.Requests, "request") + ", " + errorWords(r.Errors, r.ErrorsByKind)
	if r.MaxMS == 0 {
		return text
	}
	return fmt.Sprintf("%s; p50 %s, p95 %s, p99 %s, max %s", text, Millis(r.P50MS), Millis(r.P95MS), Millis(r.P99MS), Millis(r.MaxMS))
}

func errorWords(n int, by map[string]int) string {
	if n == 0 {
		return "no error"
	}
	return fmt.Sprintf("%s (%s)", plural(n, "error"), kinds(by))
}

// kinds lists figures by name, without some: "3 reset, 1 status".
func kinds(by map[string]int, without ...string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(by)) {
		if by[k] > 0 && !slices.Contains(without, k) {
			parts = append(parts, fmt.Sprintf("%d %s", by[k], k))
		}
	}
	return strings.Join(parts, ", ")
}
