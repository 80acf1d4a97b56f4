package runner_test

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
)

// lies is how many trials each figure of a false-ready window is made of.
const lies = 20

// aimMS is how near to the truth a window should be.
const aimMS = 5

// BenchmarkFalseReady compares the false-ready windows that the report gives with those that the service measured by its own clock while it lied.
// The error is that of the one figure; interval is how far apart the bounds beside it are; outside counts the trials whose truth is not between them.
// A lie that was not seen (the first to ask asked too late) counts as a window of 0.
func BenchmarkFalseReady(b *testing.B) {
	for _, d := range liars {
		if d == 0 {
			continue
		}
		b.Run(strconv.Itoa(int(d.Milliseconds()))+"ms", func(b *testing.B) {
			for range b.N {
				measureLies(b, d)
			}
		})
	}
}

func measureLies(b *testing.B, d time.Duration) {
	b.Helper()
	l := newLab(b)
	l.opts.Parallel = 1
	r := l.run(lying("lie", []time.Duration{d}, lies, "no_false_ready"))
	var errs, widths []float64
	seen, outside := 0, 0
	for _, trial := range r.Trials {
		if trial.Control || trial.Experiment != d.String() {
			continue
		}
		really, said := truth(b, trial), 0.0
		if o := trial.Outcome; o.Class == contracts.FalseReady {
			seen++
			said = *o.FalseReadyMS
			widths = append(widths, o.FalseReadyWithinMS[1]-o.FalseReadyWithinMS[0])
			if really < o.FalseReadyWithinMS[0]-rounding || really > o.FalseReadyWithinMS[1]+rounding {
				outside++
			}
		}
		errs = append(errs, math.Abs(said-really))
	}
	require.Len(b, errs, lies)
	slices.Sort(errs)
	slices.Sort(widths)
	b.ReportMetric(lies, "trials")
	b.ReportMetric(float64(seen), "seen")
	b.ReportMetric(float64(outside), "outside")
	b.ReportMetric(errs[len(errs)/2], "error-p50-ms")
	b.ReportMetric(float64(len(errs)-sort.SearchFloat64s(errs, aimMS)), "beyond-5ms")
	b.ReportMetric(errs[len(errs)-1], "error-max-ms")
	if len(widths) > 0 {
		b.ReportMetric(widths[len(widths)/2], "interval-p50-ms")
	}
}
