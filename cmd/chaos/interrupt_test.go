package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/internal/servers"
)

// stage brings a run to a point where it stays until the test goes on.
type stage struct {
	name      string
	arguments string   // of the service
	change    []string // of the file
	reach     func(*lab) ring
	passed    int // trials that pass when the run is interrupted here
	kept      int // trials that the journal has when the run is killed here
	trials    int // that the report of an interrupted run has
}

func stages() []stage {
	return []stage{
		{
			name: "build", change: []string{"  command:", "  build: [svc, -stay, build, -spawn, -bell, 'BELL']\n  command:"},
			reach: func(l *lab) ring { return l.await("build") },
		},
		{
			name: "dependencies coming up", change: []string{"phases:", "  db: {command: [svc, -stay, dependency, -spawn, -bell, 'BELL']}\nphases:"},
			reach: func(l *lab) ring { return l.await("dependency") },
		},
		{name: "control", arguments: "-spawn, ", reach: func(l *lab) ring { return l.await("started") }, trials: 3},
		{name: "trial", arguments: "-spawn, ", reach: second, passed: 1, kept: 1, trials: 3},
		{
			name: "stop", arguments: "-spawn, -ignore-term, ", passed: 1, trials: 3,
			reach: func(l *lab) ring {
				l.await("started").answer()
				return l.await("stopping")
			},
		},
	}
}

// second is the trial after the control.
func second(l *lab) ring {
	l.await("started").answer()
	l.await("stopping").answer()
	return l.await("started")
}

// endings are the signals of a user, of a CI system and of a terminal that is gone, with their exit codes.
func endings() map[os.Signal]int {
	all := map[os.Signal]int{os.Interrupt: 130, syscall.SIGTERM: 143}
	if !signal.Ignored(syscall.SIGHUP) { // the test itself runs under nohup
		all[syscall.SIGHUP] = 129
	}
	return all
}

// TestInterrupted sends the signals in every stage.
func TestInterrupted(t *testing.T) {
	codes := endings()
	for _, s := range stages() {
		for sig, code := range codes {
			t.Run(s.name+" "+sig.String(), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, s.arguments, s.change...)
				l.start("run", "lab.yaml", "--servers", "standin", "--parallel", "1", "--json", "report.json", "--junit", "junit.xml")
				held := s.reach(l)
				l.signal(sig)
				l.eventually("it takes the signal", func() bool { return strings.Contains(l.err.String(), "interrupted: ") })
				go l.answerAll(held)
				assert.Equal(t, code, l.code(), "stdout:\n%s\nstderr:\n%s", &l.out, &l.err)
				l.requireClean()
				assert.Contains(t, l.err.String(), "interrupted: lifting every fault and stopping what was started")
				r := l.report("report.json")
				assert.True(t, r.Interrupted)
				assert.Len(t, r.Trials, s.trials)
				assert.True(t, l.exists("junit.xml"))
				assert.False(t, l.exists("report.json.part"), "the report holds all of it")
				assert.Equal(t, 3, r.ExitCode(), "who judges it again does not take it for a pass")
				s.told(t, l)
				for i, trial := range r.Trials {
					assert.Equal(t, i < s.passed, trial.Verdict == contracts.Pass, "%s is %s", trial.Title, trial.Verdict)
				}
			})
		}
	}
}

// told checks the words for the user: what was judged, or that nothing was, and no complaint about what the interruption itself did.
func (s stage) told(t *testing.T, l *lab) {
	assert.NotContains(t, l.err.String(), "killed")
	assert.NotContains(t, l.err.String(), "context canceled")
	if s.trials == 0 {
		assert.Contains(t, l.err.String(), "chaos: interrupted before the first trial: nothing was judged")
		assert.Empty(t, l.out.String())
		return
	}
	assert.Contains(t, l.out.String(), "interrupted after")
}

// answerAll lets everybody go on: first who was held, then whoever rings.
func (l *lab) answerAll(first ring) {
	first.answer()
	for {
		select {
		case r := <-l.bells:
			r.answer()
		case <-l.exited:
			return
		}
	}
}

// TestInterruptedTwice: the service does not stop, and the user does not wait.
func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	l := newLab(t, "-spawn, -ignore-term, ", "grace: 2s", "grace: 10m")
	l.start("run", "lab.yaml", "--servers", "standin", "--json", "report.json")
	l.await("started").answer()
	l.await("stopping")
	l.signal(os.Interrupt)
	l.eventually("it takes the first", func() bool { return strings.Contains(l.err.String(), "interrupted: ") })
	l.signal(os.Interrupt)
	assert.Equal(t, 130, l.code(), "stderr:\n%s", &l.err)
	l.eventually("the guardian cleans up", l.clean)
	code, out := l.judge("report.json.part")
	assert.Equal(t, 3, code, out)
	assert.Contains(t, out, "interrupted")
}

// TestHungUpTwice: a terminal that goes sends SIGHUP more than once, and everything is still healed and written.
func TestHungUpTwice(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("under nohup a run survives its terminal, as it should")
	}
	l := newLab(t, "-spawn, -ignore-term, ")
	l.start("run", "lab.yaml", "--servers", "standin", "--json", "report.json")
	l.await("started").answer()
	held := l.await("stopping")
	l.signal(syscall.SIGHUP)
	l.eventually("it takes the first", func() bool { return strings.Contains(l.err.String(), "interrupted: ") })
	l.signal(syscall.SIGHUP)
	go l.answerAll(held)
	assert.Equal(t, 129, l.code(), "stderr:\n%s", &l.err)
	l.requireClean()
	assert.True(t, l.report("report.json").Interrupted)
}

// TestKilled: nothing of a run survives it, and what was judged is kept.
func TestKilled(t *testing.T) {
	for _, s := range stages() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, s.arguments, s.change...)
			require.NoError(t, os.WriteFile(filepath.Join(l.dir, "report.json"), []byte("of an earlier run"), 0o600))
			l.start("run", "lab.yaml", "--servers", "standin", "--parallel", "1", "--json", "report.json")
			s.reach(l)
			require.NotEmpty(t, l.folders())
			l.signal(syscall.SIGKILL)
			l.code()
			l.eventually("the guardian cleans up", l.clean)
			old, err := os.ReadFile(filepath.Join(l.dir, "report.json"))
			require.NoError(t, err)
			assert.Equal(t, "of an earlier run", string(old))
			r := l.report("report.json.part")
			assert.Len(t, r.Trials, s.kept)
			for _, trial := range r.Trials {
				assert.Equal(t, contracts.Pass, trial.Verdict)
			}
			code, out := l.judge("report.json.part")
			assert.Equal(t, 3, code, "what is not there was not shown: %s", out)
			assert.Contains(t, out, "interrupted")
		})
	}
}

// TestKilledWithRealServers: installed servers run as other users and start processes of their own; they go, too.
func TestKilledWithRealServers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"redis", "postgres"} {
		if _, ok := servers.Find(kind); !ok {
			if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
				t.Fatalf("CHAOS_REQUIRE_SERVERS=1, and there is no %s", kind)
			}
			t.Skipf("there is no %s", kind)
		}
	}
	l := newLab(t, "", "phases:", "  db: {protocol: postgres, server: postgres}\nphases:")
	require.NoError(t, os.Chmod(filepath.Dir(l.tmp), 0o755)) // other users must pass
	l.start("run", "lab.yaml", "--servers", "real")
	l.await("started")
	require.Greater(t, len(l.processes()), 6, "chaos, its guardian, the service, Redis, PostgreSQL and its workers: %v", l.commands())
	l.signal(syscall.SIGKILL)
	l.code()
	l.eventually("the guardian cleans up", l.clean)
}
