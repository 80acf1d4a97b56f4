package runner_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/runner"
)

// pairs is how many pairs of a bare service and a trial of it the overhead is the median of.
const pairs = 101

// stopping is a service that says that it is ready and waits to be stopped; ending is one that exits by itself.
const (
	stopping = `
service:
  command: '${var.program} open a ${echo} + ask a hi + say READY + wait'
  ready: {log: '^READY'}
experiments: [{name: plain, expect: {expr: 'trial.outcome == "ready"'}}]
`
	ending = `
service:
  command: '${var.program} open a ${echo} + ask a hi + exit 3'
  ready: {log: '^READY'}
experiments: [{name: plain, expect: {expr: 'trial.outcome == "ready"'}}]
`
)

// BenchmarkOverhead compares a service by itself with a whole trial of it (folder, proxy, interceptor, log, timeline, judgment), each pair
// one after the other in one run, and tells the medians.
func BenchmarkOverhead(b *testing.B) {
	for name, c := range map[string]struct {
		text string
		bare func(b *testing.B, echo string) time.Duration
	}{
		"exits":   {ending, exitsBare},
		"stopped": {stopping, stopsBare},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				bare, trial := measurePairs(b, c.text, c.bare)
				b.ReportMetric(ms(median(bare)), "bare-ms")
				b.ReportMetric(ms(median(trial)), "trial-ms")
				b.ReportMetric(ms(medianDifference(bare, trial)), "overhead-ms")
				b.ReportMetric(ms(median(trial))/ms(median(bare)), "ratio")
			}
		})
	}
}

func measurePairs(b *testing.B, text string, bare func(*testing.B, string) time.Duration) (bares, trials []time.Duration) {
	l := newLab(b)
	plan := l.plan(text, experiments.Selection{Repeat: pairs})
	l.opts.Parallel = 1
	started := time.Time{}
	l.opts.On = func(p runner.Progress) {
		switch p.Kind {
		case runner.TrialStarted:
			bares = append(bares, bare(b, l.echo))
			started = time.Now()
		case runner.TrialDone:
			trials = append(trials, time.Since(started))
		}
	}
	_, err := runner.Run(b.Context(), plan, l.opts)
	require.NoError(b, err)
	return bares, trials
}

func exitsBare(b *testing.B, echo string) time.Duration {
	cmd := exec.Command(program, "open", "a", echo, "+", "ask", "a", "hi", "+", "exit", "3")
	cmd.Env = []string{"GOMAXPROCS=1"}
	began := time.Now()
	_, _ = cmd.Output()
	return time.Since(began)
}

func stopsBare(b *testing.B, echo string) time.Duration {
	cmd := exec.Command(program, "open", "a", echo, "+", "ask", "a", "hi", "+", "say", "READY", "+", "wait")
	cmd.Env = []string{"GOMAXPROCS=1"}
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	began := time.Now()
	require.NoError(b, cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "READY"; {
	}
	require.NoError(b, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	return time.Since(began)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// medianDifference is the median of what each trial took longer than the bare service just before it.
func medianDifference(bare, trial []time.Duration) time.Duration {
	var out []time.Duration
	for i := range min(len(bare), len(trial)) {
		out = append(out, trial[i]-bare[i])
	}
	return median(out)
}

// trivial is what the whole program is measured with: a service that connects once and is ready or gone.
const trivial = `
service:
  command: '${var.program} phase one + open a ${echo} + must + say READY + wait'
  ready: {log: '^READY'}
experiments:
  - name: refused
    inject: [{on: echo, during: one, fault: refuse}]
    expect: fail_fast
    repeat: 500
  - name: slow
    inject: [{on: echo, from: start, fault: {latency: {delay: 1ms, connect: true}}}]
    expect: tolerate
    repeat: 500
`

// BenchmarkProgram runs the real program: 200 trials side by side, and 1,000 of them for its memory.
func BenchmarkProgram(b *testing.B) {
	chaos := filepath.Join(b.TempDir(), "chaos")
	out, err := exec.Command("go", "build", "-o", chaos, "../cmd/chaos").CombinedOutput()
	require.NoError(b, err, string(out))
	for _, c := range []struct{ trials, parallel int }{{200, 8}, {1000, 8}} {
		b.Run(fmt.Sprintf("trials=%d/parallel=%d", c.trials, c.parallel), func(b *testing.B) {
			for range b.N {
				l := newLab(b)
				_, err := l.load(trivial)
				require.NoError(b, err)
				report := filepath.Join(l.dir, "report.json")
				cmd := exec.Command(program, "measure", chaos, "run", "--parallel", fmt.Sprint(c.parallel), "--repeat", fmt.Sprint(c.trials/2),
					"--json", report, "--var", "program="+program, "--var", "echo="+l.echo, "--var", "mark="+l.mark, "--var", "bell="+l.bell,
					filepath.Join(l.dir, "experiments.yaml"))
				text, err := cmd.Output()
				require.NoError(b, err)
				var wall, rss, code int
				_, err = fmt.Sscanf(string(text), "measured %d %d %d", &wall, &rss, &code)
				require.NoError(b, err, string(text))
				require.Zero(b, code, "every trial passes")
				info, err := os.Stat(report)
				require.NoError(b, err)
				b.ReportMetric(float64(wall)/1000, "wall-s")
				b.ReportMetric(float64(wall)/float64(c.trials), "ms/trial")
				b.ReportMetric(float64(rss>>20), "max-rss-MiB")
				b.ReportMetric(float64(info.Size())/float64(1<<20), "report-MiB")
			}
		})
	}
}
