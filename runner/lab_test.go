package runner_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
	"github.com/chaos-startup/chaos/timeline"
)

// lab runs files on a real dependency (an echo server) and checks after each run that nothing was left behind.
type lab struct {
	testing.TB
	echo string // address of a server that answers each line with itself
	mark string // in the environment of every process of the file
	dir  string // of the file
	vars map[string]string
	opts runner.Options
	ctx  context.Context
	bell string // where steps `ring`
	rung func(text string)
}

var labs atomic.Int64

func newLab(t testing.TB) *lab {
	l := &lab{TB: t, mark: fmt.Sprintf("lab-%d-%d", os.Getpid(), labs.Add(1)), dir: t.TempDir(), ctx: t.Context(), vars: map[string]string{}}
	l.echo = lineServer(t, func(text string) string { return text })
	l.bell = lineServer(t, func(text string) string {
		if l.rung != nil {
			l.rung(text)
		}
		return text
	})
	l.opts.TempDir = t.TempDir()
	return l
}

// lineServer answers lines until the end of the test.
func lineServer(t testing.TB, answer func(string) string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			work.Go(func() {
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					delete(open, c)
					_ = c.Close()
				}()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if _, err := fmt.Fprintf(c, "%s\n", answer(lines.Text())); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return listener.Addr().String()
}

// preamble is what most files share. The service claims readiness over HTTP.
const preamble = `
version: 1
dependencies:
  echo: {upstream: '${var.echo}'}
phases:
  pattern: '^PHASE (?P<phase>[a-z]\w*)'
  ends: 'PHASE COMPLETED (?P<phase>\w+)'
  order: [one, two, three, four]
service:
  name: service
  env: {LAB: '${var.mark}', BELL: '${var.bell}', PORT: '${port.http}', GOMAXPROCS: '1'}
  ready: {http: {url: 'http://127.0.0.1:${port.http}/ready'}}
  budget: 20s
  stop: {grace: 2s}
`

// plan loads text after the preamble: a top-level key of the text takes the place of the preamble's, and lines under
// `service:` are added to it.
func (l *lab) plan(text string, s experiments.Selection) *experiments.Plan {
	l.Helper()
	f, err := l.load(text)
	require.NoError(l, err)
	p, err := f.Expand(s)
	require.NoError(l, err)
	return p
}

func (l *lab) load(text string) (*experiments.File, error) {
	l.Helper()
	vars := map[string]string{"echo": l.echo, "mark": l.mark, "bell": l.bell, "program": program, "lab": l.dir}
	for name, v := range l.vars {
		vars[name] = v
	}
	whole := combine(preamble, text)
	for name := range vars {
		if !strings.Contains(whole, "${var."+name+"}") {
			delete(vars, name)
		}
	}
	path := filepath.Join(l.dir, "experiments.yaml")
	require.NoError(l, os.WriteFile(path, []byte(whole), 0o600))
	return experiments.Load(path, experiments.Options{Vars: vars})
}

// combine lays text over base: top-level keys replace, except service, whose lines are joined (a key that comes twice counts the
// second time).
func combine(base, text string) string {
	order, blocks := topLevel(base)
	more, over := topLevel(text)
	for _, key := range more {
		if key == "service" {
			blocks[key] = joinService(blocks[key], over[key])
			continue
		}
		if _, ok := blocks[key]; !ok {
			order = append(order, key)
		}
		blocks[key] = over[key]
	}
	var b strings.Builder
	for _, key := range order {
		b.WriteString(blocks[key])
	}
	return b.String()
}

func joinService(base, text string) string {
	out := "service:\n"
	for _, line := range strings.Split(strings.TrimSpace(base), "\n")[1:] {
		key, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if !regexp.MustCompile(`(?m)^  ` + key + `:`).MatchString(text) {
			out += line + "\n"
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n")[1:] {
		if !strings.HasSuffix(line, ": none") {
			out += line + "\n"
		}
	}
	return out
}

func topLevel(text string) (order []string, blocks map[string]string) {
	blocks = map[string]string{}
	key := ""
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		if !strings.HasPrefix(line, " ") && strings.Contains(line, ":") {
			key, _, _ = strings.Cut(line, ":")
			order = append(order, key)
		}
		blocks[key] += line
	}
	return order, blocks
}

// run runs text, checks that nothing is left, and that the report says the same when it is judged again.
func (l *lab) run(text string) *reports.Report {
	l.Helper()
	r, err := l.try(text)
	require.NoError(l, err)
	return r
}

// try is run for files on which chaos itself fails.
func (l *lab) try(text string) (*reports.Report, error) {
	l.Helper()
	r, err := runner.Run(l.ctx, l.plan(text, experiments.Selection{}), l.opts)
	l.clean(r)
	return r, err
}

// clean checks that no process, no folder and no port of the run is left, and that judging again changes nothing.
func (l *lab) clean(r *reports.Report) {
	l.Helper()
	assert.Empty(l, processesOf(l.mark), "processes that were left")
	left, err := os.ReadDir(l.opts.TempDir)
	require.NoError(l, err)
	if !l.opts.Keep {
		assert.Empty(l, left, "folders that were left")
	}
	if r == nil {
		return
	}
	for _, address := range toldAddresses(r) {
		listener, err := net.Listen("tcp", address)
		if assert.NoError(l, err, "a port that is still held") {
			_ = listener.Close()
		}
	}
	l.judgedAgain(r)
}

// judgedAgain writes the report as JSON, reads it, and judges it once more.
func (l *lab) judgedAgain(r *reports.Report) {
	l.Helper()
	var b bytes.Buffer
	require.NoError(l, reports.WriteJSON(&b, r))
	again, err := reports.Read(&b)
	require.NoError(l, err)
	again.Judge()
	assert.Equal(l, r.Summary, again.Summary)
	require.Len(l, again.Trials, len(r.Trials))
	for i := range r.Trials {
		assert.Equal(l, r.Trials[i].Verdict, again.Trials[i].Verdict, r.Trials[i].Title)
		assert.Equal(l, r.Trials[i].Reasons, again.Trials[i].Reasons, r.Trials[i].Title)
	}
}

// toldAddresses are the addresses that services printed as "address HOST:PORT".
func toldAddresses(r *reports.Report) []string {
	var out []string
	for _, t := range r.Trials {
		for _, line := range logged(t) {
			if address, ok := strings.CutPrefix(line, "address "); ok {
				out = append(out, address)
			}
		}
	}
	return out
}

// processesOf returns the command lines of the processes with LAB=mark in their environment.
func processesOf(mark string) []string {
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(data, []byte("LAB="+mark+"\x00")) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		if err == nil && len(line) > 0 {
			out = append(out, filepath.Dir(name)+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return out
}

// logged are the lines of a trial's log.
func logged(t reports.Trial) []string {
	var out []string
	for _, e := range t.Timeline {
		if e.Kind == timeline.Log {
			out = append(out, e.Text)
		}
	}
	return out
}

// told returns the first line of the log that begins with prefix, without it.
func told(t testing.TB, trial reports.Trial, prefix string) string {
	t.Helper()
	for _, line := range logged(trial) {
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Errorf("%s: nothing begins with %q in:\n%s", trial.Title, prefix, show(trial))
	return ""
}

// trials returns the trials of an experiment; "" for the controls.
func trials(r *reports.Report, experiment string) []reports.Trial {
	var out []reports.Trial
	for _, t := range r.Trials {
		if t.Experiment == experiment {
			out = append(out, t)
		}
	}
	return out
}

// only returns the one trial of an experiment.
func only(t testing.TB, r *reports.Report, experiment string) reports.Trial {
	t.Helper()
	list := trials(r, experiment)
	require.Len(t, list, 1, experiment)
	return list[0]
}

// verdict checks the verdict of a trial, and that the first of its reasons that has rule ("": any) says all the words.
func verdict(t testing.TB, trial reports.Trial, want contracts.Verdict, rule string, words ...string) {
	t.Helper()
	if !assert.Equal(t, want, trial.Verdict, "%s\n%s", trial.Title, show(trial)) {
		return
	}
	for _, reason := range trial.Reasons {
		all := reason.Text + " " + reason.Next
		if rule != "" && reason.Rule != rule {
			continue
		}
		for _, w := range words {
			assert.Contains(t, all, w, trial.Title)
		}
		return
	}
	t.Errorf("%s: no reason %s in:\n%s", trial.Title, rule, show(trial))
}

// events returns the events of a kind.
func events(t reports.Trial, kind timeline.Kind) []timeline.Event {
	var out []timeline.Event
	for _, e := range t.Timeline {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// show writes a trial for people who look for the cause of a failed test.
func show(t reports.Trial) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", t.Title, t.Verdict)
	for _, r := range t.Reasons {
		fmt.Fprintf(&b, "  %s %s: %s (%s)\n", r.State, r.Rule, r.Text, r.Next)
	}
	for n, e := range t.Timeline {
		if n > 80 {
			fmt.Fprintf(&b, "  and %d more\n", len(t.Timeline)-n)
			break
		}
		text := e.Text
		if len(text) > 200 {
			text = text[:200]
		}
		fmt.Fprintf(&b, "  %9.1f %-14s %s %s%s%s %s %s\n", e.MS, e.Kind, text, e.Phase, e.Fault, e.Name, e.Result, e.Error)
	}
	return b.String()
}

// needsInterceptor skips a test that is about connect(2) where it can't be intercepted.
func needsInterceptor(t testing.TB) {
	t.Helper()
	if err := process.Intercepting(); err != nil {
		if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
			t.Fatalf("this test needs the connect interceptor: %v", err)
		}
		t.Skipf("this test needs the connect interceptor: %v", err)
	}
}
