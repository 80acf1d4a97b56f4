package runner_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/racedetector"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
	"github.com/chaos-startup/chaos/timeline"
)

// What a service may do that a runner must survive: the trial is judged, and nothing is left behind.

// readyExperiment expects nothing but readiness, so that the control is all there is to see.
const readyExperiment = `
readiness:
  - {name: alive, tcp: {address: '127.0.0.1:${port.http}'}}
experiments:
  - name: plain
    expect: {readiness: all}
`

func TestExitsAtOnce(t *testing.T) {
	l := newLab(t)
	r := l.run("service:\n  command: '${var.program}'\n" + readyExperiment)
	control := trials(r, "")[0]
	verdict(t, control, contracts.Fail, "control", "exited with code 0")
	verdict(t, only(t, r, "plain"), contracts.Fail, "", "exited with code 0")
}

// A gigabyte of log costs no memory; what an expectation looks for is found in the middle of it.
func TestFloodOfLog(t *testing.T) {
	size := 256 << 20 / racedetector.Slowdown
	l := newLab(t)
	l.vars["size"] = fmt.Sprint(size / 2)
	stop, most := watchHeap()
	r := l.run(`
service:
  command: '${var.program} phase one + open a ${echo} + spam ${var.size} 120 + say the needle + spam ${var.size} 4000 + phase two + must + wait'
  ready: {log: 'PHASE two'}
  budget: 120s
experiments:
  - name: flood
    inject: [{on: echo, during: one, fault: refuse}]
    expect: {fail_fast: {within: 120s, log: 'the needle'}}
`)
	stop()
	trial := only(t, r, "flood")
	assert.NotEqual(t, contracts.Error, trial.Verdict, show(trial))
	assert.Equal(t, "ECONNREFUSED", told(t, trial, "open a"))
	assert.Contains(t, logged(trial), "the needle")
	assert.Contains(t, logged(trial), "PHASE two", "the last lines are kept")
	assert.Less(t, len(trial.Timeline), 600)
	dropped := events(trial, timeline.LogDropped)
	require.Len(t, dropped, 1)
	assert.Greater(t, dropped[0].Count["lines"], 1e6/racedetector.Slowdown)
	assert.Less(t, *most>>20, uint64(100), "MiB of heap in use")
}

// However often the line is there that a contract looks for, the one that an invariant forbids is not lost among the others.
func TestForbiddenLineInAFlood(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + unless ${trial} t1 lines 500 postgres is down + unless ${trial} t1 say panic: boom + lines 500 nothing + must + ready ok + wait'
experiments:
  - name: flood
    inject: [{on: echo, from: start, fault: refuse}]
    expect: {fail_fast: {log: 'postgres'}}
    invariants: [{log_never: ['panic:']}]
`)
	verdict(t, only(t, r, "flood"), contracts.Fail, "log_never", "panic: boom")
}

// watchHeap notes the largest heap until stop is called.
func watchHeap() (stop func(), most *uint64) {
	most = new(uint64)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				*most = max(*most, m.HeapInuse)
			case <-done:
				return
			}
		}
	})
	return func() { close(done); wg.Wait() }, most
}

func TestLogWithoutNewline(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + spam 3000000 100000000 + part PHASE one + must + phase two + part READY + wait'
  ready: {log: 'READY'}
  budget: 2s
experiments:
  - name: cut
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
`)
	control := trials(r, "")[0]
	assert.Equal(t, contracts.Hung, control.Outcome.Class, "a line that does not end is no line yet")
	assert.Contains(t, logged(control)[len(logged(control))-1], "READY", "but it is told at the end")
}

func TestSurvivingChild(t *testing.T) {
	l := newLab(t)
	var rung sync.Map
	l.rung = func(text string) { rung.Store(text, true) }
	r := l.run(`
service:
  command: '${var.program} open a ${echo} + child ${trial} + ring parent ${trial} + must + ready ok + wait'
invariants: [stops_on_signal]
experiments:
  - name: exits
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
`)
	control := trials(r, "")[0]
	verdict(t, control, contracts.Fail, "stops_on_signal", "left 1 child behind", "deaf")
	for _, trial := range r.Trials {
		if len(trial.Timeline) == 0 {
			continue
		}
		survivors := events(trial, timeline.Survivor)
		require.Len(t, survivors, 1, show(trial))
		assert.Contains(t, survivors[0].Text, "deaf")
	}
}

func TestIgnoresSIGTERM(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} deaf + open a ${echo} + ready ok + hang'
  stop: {grace: 200ms}
invariants: [stops_on_signal]
` + readyExperiment)
	control := trials(r, "")[0]
	verdict(t, control, contracts.Fail, "stops_on_signal", "SIGTERM")
	killed, exit := events(control, timeline.Kill), events(control, timeline.Exit)
	require.Len(t, killed, 1)
	require.Len(t, exit, 1)
	assert.Less(t, killed[0].ID, exit[0].ID, "it died of the kill")
	assert.Equal(t, "SIGKILL", exit[0].Signal)
}

func TestNeverReady(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: '${var.program} phase one + serve + wait'
  budget: 300ms
` + readyExperiment)
	control := trials(r, "")[0]
	assert.Equal(t, contracts.Hung, control.Outcome.Class)
	verdict(t, control, contracts.Fail, "", "not ready")
}

func TestCommandNotFound(t *testing.T) {
	for text, words := range map[string][]string{
		"command: [/no/such/program]":                                               {"/no/such/program"},
		"command: [no-such-program-anywhere]":                                       {"no-such-program-anywhere", "PATH"},
		"command: ['${var.lab}']":                                                   {"start the service"},
		"command: ['${var.lab}/experiments.yaml']":                                  {"experiments.yaml"},
		"command: ['${var.program}', wait]\n  dir: missing":                         {"missing"},
		"command: ['${var.program}', wait]\n  files: {a: {template: no-such.tmpl}}": {"service.files.a", "no-such.tmpl"},
	} {
		l := newLab(t)
		r := l.run("service:\n  " + text + "\n" + readyExperiment)
		verdict(t, trials(r, "")[0], contracts.Error, "harness", words...)
		assert.Equal(t, reports.ExitHarness, r.ExitCode(), text)
	}
}

func TestAddressInUse(t *testing.T) {
	l := newLab(t)
	l.vars["taken"] = l.bell // somebody listens there
	r := l.run(`
dependencies:
  echo: {upstream: '${var.echo}', listen: '${var.taken}'}
service:
  command: '${var.program} wait'
` + readyExperiment)
	verdict(t, trials(r, "")[0], contracts.Error, "harness", "echo", l.bell, "in use", "127.0.0.1:0")
}

// A fixed address makes trials run one by one, and is free again for each.
func TestFixedAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	l := newLab(t)
	l.vars["fixed"] = address
	l.opts.Parallel = 4
	r := l.run(`
dependencies:
  echo: {upstream: '${var.echo}', listen: '${var.fixed}'}
service:
  command: '${var.program} open a ${var.fixed} + ask a hi + must + say address ${echo} + ready ok + wait'
experiments:
  - name: fixed
    inject: [{on: echo, from: start, fault: reset}]
    expect: fail_fast
    repeat: 6
`)
	assert.Equal(t, 6, r.Experiments[0].Pass, show(r.Trials[1]))
}

func TestDependencyThatDoesNotComeUp(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, c := range []struct {
		dependency string
		words      []string
	}{
		{"{command: '${var.program} say its last words + exit 7', env: {LAB: '${var.mark}'}}", []string{"dependency echo", "exit code 7", "its last words"}},
		{"{command: '${var.program} say I will not + wait', env: {LAB: '${var.mark}'}, ready: {tcp: {address: '${echo}'}, within: 200ms}}",
			[]string{"dependency echo", "not ready", "I will not"}},
		{"{command: [no-such-server]}", []string{"dependency echo", "no-such-server"}},
		{"{upstream: '" + closed.Addr().String() + "', ready: {tcp: {address: '" + closed.Addr().String() + "'}, within: 100ms}}",
			[]string{"dependency echo", closed.Addr().String(), "start it"}},
	} {
		l := newLab(t)
		r, err := l.try("dependencies:\n  echo: " + c.dependency + "\nservice:\n  command: '${var.program} wait'\n" + readyExperiment)
		require.Error(t, err, c.dependency)
		for _, w := range c.words {
			assert.Contains(t, err.Error(), w)
		}
		for _, trial := range r.Trials {
			assert.Empty(t, trial.Timeline)
		}
		assert.NotEqual(t, reports.ExitPass, r.ExitCode())
	}
}

// The line that says that a dependency is up counts also when a thousand follow it.
func TestDependencyReadyByLog(t *testing.T) {
	l := newLab(t)
	r := l.run(`
dependencies:
  echo:
    command: '${var.program} say listening + spam 200000 100 + say bye + wait'
    env: {LAB: '${var.mark}'}
    ready: {log: '^listening', within: 5s}
  plain: {upstream: '${var.echo}', ready: {tcp: {address: '${plain}'}, within: 2s}}
service:
  command: '${var.program} ready ok + wait'
` + readyExperiment)
	verdict(t, only(t, r, "plain"), contracts.Pass, "")
}

// A dependency that dies while trials run is no fault of the service.
func TestDependencyDies(t *testing.T) {
	mortal := `
dependencies:
  echo:
    command: '${var.program} serve + say last words of it + wait'
    env: {LAB: '${var.mark}', PORT: '${echo.port}'}
service:
  command: '${var.program} ring ${trial} + ready ok + wait'
` + readyExperiment
	l := newLab(t)
	r := l.run(mortal)
	verdict(t, only(t, r, "plain"), contracts.Pass, "")

	l = newLab(t)
	var once sync.Once
	l.rung = func(string) { once.Do(func() { killProcess(t, l.mark, "last words of it") }) }
	r = l.run(mortal)
	for _, trial := range r.Trials {
		verdict(t, trial, contracts.Error, "harness", "dependency echo", "killed", "last words of it")
	}
}

// killProcess kills the process of a lab whose command line has words.
func killProcess(t testing.TB, mark, words string) {
	for _, p := range processesOf(mark) {
		var pid int
		if _, err := fmt.Sscanf(p, "/proc/%d ", &pid); assert.NoError(t, err) && strings.Contains(p, words) {
			assert.NoError(t, unix.Kill(pid, unix.SIGKILL))
			return
		}
	}
	t.Errorf("no process with %q", words)
}

func TestBuildFails(t *testing.T) {
	for build, words := range map[string][]string{
		"'${var.program} say what went wrong + exit 2'": {"service.build", "exit code 2", "what went wrong"},
		"[no-such-compiler, -o, '${bin}/x']":            {"service.build", "no-such-compiler"},
	} {
		l := newLab(t)
		r, err := l.try("service:\n  build: " + build + "\n  command: ['${bin}/x']\n" + readyExperiment)
		require.Error(t, err)
		for _, w := range words {
			assert.Contains(t, err.Error(), w)
		}
		assert.NotEqual(t, reports.ExitPass, r.ExitCode())
	}
}

// A build may leave a daemon behind that holds its output open.
func TestBuildLeavesDaemon(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  build: ['sh', '-c', 'sleep 600 & setsid sleep 601 & echo started']
  command: '${var.program} ready ok + wait'
` + readyExperiment)
	verdict(t, only(t, r, "plain"), contracts.Pass, "")
}

func TestUnusableFolders(t *testing.T) {
	l := newLab(t)
	l.opts.TempDir = filepath.Join(l.dir, "missing")
	_, err := l.plain()
	require.ErrorContains(t, err, "TMPDIR")
}

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small disk can't be mounted: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(disk, 0)) })
	l := newLab(t)
	l.opts.TempDir = filepath.Join(disk, "runs")
	require.NoError(t, os.Mkdir(l.opts.TempDir, 0o700))
	r := l.run(`
service:
  command: '${var.program} spam 1000000 100 + open a ${echo} + ready ok + wait'
` + readyExperiment)
	trial := only(t, r, "plain")
	verdict(t, trial, contracts.Pass, "")
	require.NotEmpty(t, r.EvidenceMissing)
	assert.Contains(t, r.EvidenceMissing[0], "log file is incomplete")
	require.NoError(t, os.WriteFile(filepath.Join(disk, "rest"), make([]byte, 256<<10-8192), 0o600))
	l.vars["big"] = strings.Repeat("x", 100_000)
	r, err := l.try("service:\n  command: '${var.program} wait'\n  files: {a: {content: '${var.big}'}}\n" + readyExperiment)
	if err == nil {
		verdict(t, trials(r, "")[0], contracts.Error, "harness", "no space left on device")
	}
	require.NoError(t, os.Remove(filepath.Join(disk, "rest")))
}

// plain runs the smallest file.
func (l *lab) plain() (*reports.Report, error) {
	text := "service:\n  command: '${var.program} ready ok + wait'\n" + readyExperiment
	return runner.Run(l.ctx, l.plan(text, experiments.Selection{}), l.opts)
}
