package runner_test

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/reports"
)

// benchRuns is how many trials each figure of exactness is made of.
const benchRuns = 1000

// BenchmarkPhaseExact counts in how many of 1,000 trials a fault for one phase is felt in that phase, and in how many elsewhere: as chaos does
// it, and beside it as a watcher does it that reads the log and then tells the proxy, without the gate and without the interceptor.
func BenchmarkPhaseExact(b *testing.B) {
	for _, c := range []struct {
		name, text string
		fault      string
		params     any
		count      func(testing.TB, []reports.Trial) tally
		watched    func(lines []string) (hit, spilled bool)
	}{
		{"open", openConnection, "latency", map[string]any{"delay": "20ms", "direction": "upstream"}, exactOpen, watchedOpen},
		{"connect", newConnection, "refuse", nil, exactConnect, watchedConnect},
	} {
		for _, cores := range []string{"all", "one"} {
			b.Run(c.name+"/cores="+cores+"/gate", func(b *testing.B) {
				needsInterceptor(b)
				pinned(b, cores)
				for range b.N {
					report(b, c.count(b, exactly(b, c.text, benchRuns, 8)))
				}
			})
			b.Run(c.name+"/cores="+cores+"/watcher", func(b *testing.B) {
				pinned(b, cores)
				spec, problems := faults.Parse(c.fault, c.params)
				require.Empty(b, problems)
				for range b.N {
					report(b, watch(b, stepsOf(c.text), spec, c.watched))
				}
			})
		}
	}
}

func pinned(b *testing.B, cores string) {
	if cores == "one" {
		oneCore(b)
	}
}

func report(b *testing.B, c tally) {
	b.ReportMetric(float64(c.trials), "trials")
	b.ReportMetric(float64(c.hit), "in-phase")
	b.ReportMetric(float64(c.spilled), "elsewhere")
}

// stepsOf takes the steps of the service out of a file, without those that wait for the runner.
func stepsOf(text string) []string {
	_, rest, _ := strings.Cut(text, "${var.program} ")
	steps, _, _ := strings.Cut(rest, " + ready ok")
	return strings.Fields(steps)
}

// watch runs the same service as often behind a proxy that a reader of its log arms and lifts.
func watch(b *testing.B, steps []string, spec faults.Spec, felt func([]string) (hit, spilled bool)) tally {
	b.Helper()
	echo := lineServer(b, func(text string) string { return text })
	c := tally{trials: benchRuns}
	var mu sync.Mutex
	var work sync.WaitGroup
	places := make(chan struct{}, 8)
	for range benchRuns {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			hit, spilled := felt(watchOnce(b, echo, steps, spec))
			mu.Lock()
			defer mu.Unlock()
			if hit {
				c.hit++
			}
			if spilled {
				c.spilled++
			}
		})
	}
	work.Wait()
	return c
}

func watchOnce(b *testing.B, echo string, steps []string, spec faults.Spec) (lines []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := proxy.Start(ctx, proxy.Config{Name: "echo", Upstream: echo, Injections: []proxy.Injection{{ID: "f1", Fault: spec}}})
	if err != nil {
		b.Error(err)
		return nil
	}
	defer func() { _ = p.Close(ctx) }()
	var args []string
	for _, s := range steps {
		args = append(args, strings.ReplaceAll(s, "${echo}", p.Addr().String()))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"GOMAXPROCS=1"}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Error(err)
		return nil
	}
	for scan := bufio.NewScanner(out); scan.Scan(); {
		lines = append(lines, scan.Text())
		switch scan.Text() {
		case "PHASE three":
			p.Arm("f1")
		case "PHASE four":
			p.Lift("f1")
		}
	}
	if err := cmd.Wait(); err != nil {
		b.Error(fmt.Errorf("%s: %w", strings.Join(lines, "; "), err))
	}
	return lines
}

// watchedOpen reads what a service of openConnection measured.
func watchedOpen(lines []string) (hit, spilled bool) {
	for _, line := range lines {
		var id, text, result string
		var us int
		if n, _ := fmt.Sscanf(line, "ask %s %s %s %d", &id, &text, &result, &us); n == 4 && us >= 20_000 {
			hit = hit || text == "three"
			spilled = spilled || text != "three"
		}
	}
	return hit, spilled
}

// watchedConnect reads what a service of newConnection met.
func watchedConnect(lines []string) (hit, spilled bool) {
	for _, line := range lines {
		if strings.HasPrefix(line, "open ") && !strings.HasSuffix(line, " ok") {
			hit = hit || line == "open c ECONNREFUSED"
			spilled = spilled || line != "open c ECONNREFUSED"
		}
	}
	return hit, spilled
}
