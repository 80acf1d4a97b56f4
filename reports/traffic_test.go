package reports

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// underLoad is a trial whose requests had that p95 and errors.
func underLoad(experiment string, p95 float64, errors int) Trial {
	ready := timeline.Event{ID: 1, MS: 100, Kind: timeline.ReadyClaim}
	failed := timeline.Event{ID: 2, MS: 200, Kind: timeline.TrafficError, Name: "http", Result: "reset", Claimed: true, Error: "GET: got connection reset", Count: map[string]float64{"took_ms": 3}}
	count := map[string]float64{"requests": 100, "ok": float64(100 - errors), "errors": float64(errors), "p50_ms": 1, "p95_ms": p95, "p99_ms": p95, "max_ms": p95, "lag_p99_ms": 1}
	if errors > 0 {
		count["errors_reset"] = float64(errors)
	}
	return Trial{
		Experiment: experiment, Title: experiment,
		Spec: contracts.Spec{Title: experiment, Budget: timeline.Duration(time.Second), Traffic: &contracts.Traffic{Text: "100 users", MaxLag: timeline.Duration(time.Second)}},
		Timeline: []timeline.Event{{Kind: timeline.Exec, Incarnation: 1, Text: "app"}, ready, failed,
			{ID: 3, MS: 900, Kind: timeline.TrafficSummary, Result: "complete", Count: count}, {ID: 4, MS: 901, Kind: timeline.End}},
	}
}

func loadText(t *testing.T, trials ...Trial) string {
	t.Helper()
	r := New("test", "x.yaml", 1, time.Unix(0, 0))
	r.Trials = trials
	r.Judge()
	var b bytes.Buffer
	require.NoError(t, WriteText(&b, r, Style{}))
	return b.String()
}

func TestTextTellsOfTheLoad(t *testing.T) {
	text := loadText(t, underLoad("fast", 2, 0), underLoad("broken", 7, 3), underLoad("fast", 9, 0))
	assert.Contains(t, text, "traffic: fast (the worst of 2 trials): 100 requests, no error; p50 1ms, p95 9ms, p99 9ms, max 9ms; lag p99 1ms")
	assert.Contains(t, text, "traffic: broken: 100 requests, 3 errors (3 reset); p50 1ms, p95 7ms")
	assert.Less(t, bytes.Index([]byte(text), []byte("traffic: broken")), bytes.Index([]byte(text), []byte("traffic: fast")), "the worst comes first")
	assert.Contains(t, text, "traffic: 3 of 100 requests failed (3 reset), none allowed: 100 users", "why it failed")
	assert.Contains(t, text, "http (after the claim), after 3ms: reset: GET: got connection reset", "the evidence")
	assert.NotContains(t, loadText(t, Trial{Experiment: "none", Title: "none"}), "traffic:")
}

func TestTextOfManyLoadsIsShort(t *testing.T) {
	var trials []Trial
	for i := range 40 {
		trials = append(trials, underLoad(fmt.Sprintf("load %d", i), float64(i+1), 0))
	}
	text := loadText(t, trials...)
	assert.Contains(t, text, "traffic: (and of 28 more; the JSON report has them all)")
	assert.Contains(t, text, "traffic: load 39:")
	assert.NotContains(t, text, "traffic: load 3:")
}
