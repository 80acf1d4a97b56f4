package experiments

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

func load(t *testing.T, name string, o Options) *File {
	t.Helper()
	f, err := Load(filepath.Join("testdata/good", name+".yaml"), o)
	require.NoError(t, err)
	return f
}

func seconds(n float64) timeline.Duration { return timeline.Duration(n * float64(time.Second)) }

func TestGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	require.NoError(t, err)
	for _, path := range append(files, "../experiments.yaml") {
		f, err := Load(path, Options{})
		require.NoError(t, err, path)
		p, err := f.Expand(Selection{})
		require.NoError(t, err, path)
		require.NotEmpty(t, p.Trials, path)
		require.Positive(t, p.Bound(2), path)
		for _, trial := range p.Trials {
			require.Equal(t, trial.Title(), trial.Spec().Title)
		}
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "no.yaml"), Options{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Load(t.TempDir(), Options{})
	require.ErrorContains(t, err, "not a file")
	big := filepath.Join(t.TempDir(), "big.yaml")
	require.NoError(t, os.WriteFile(big, make([]byte, maxBytes+1), 0o600))
	_, err = Load(big, Options{})
	require.ErrorContains(t, err, "at most 4194304")
}

func TestDefaults(t *testing.T) {
	f := load(t, "minimal", Options{})
	s := f.Service
	require.Equal(t, []string{"./app", "--port", "8080", "two words"}, s.Command)
	require.Equal(t, "app", s.Name)
	require.Equal(t, ".", s.Dir)
	require.Equal(t, seconds(30), s.Budget)
	require.Equal(t, Stop{Signal: "SIGTERM", Grace: seconds(5)}, s.Stop)
	require.Equal(t, Restart{Policy: "never", Max: 5, Backoff: seconds(0.1), MaxBackoff: seconds(5)}, s.Restart)
	require.Equal(t, "address", s.Interpose)
	require.Equal(t, []string{"PATH", "HOME", "LANG", "TZ", "TMPDIR"}, s.Inherit)
	require.Equal(t, "listening", s.Ready.Log)
	require.Zero(t, s.Ready.Timeout, "the probe decides")
	require.Equal(t, 1, s.Ready.FailureThreshold)
	require.Equal(t, "testdata/good", f.Dir)
	require.Equal(t, 1, f.Experiments[0].Repeat)
	require.Equal(t, 5, f.Experiments[0].Line)
	require.Equal(t, contracts.Expectation{Readiness: "all"}, f.Experiments[0].Expect)
}

func TestFullFile(t *testing.T) {
	f := load(t, "full", Options{})
	require.Equal(t, []string{"postgres", "redis", "llm"}, []string{f.Dependencies[0].Name, f.Dependencies[1].Name, f.Dependencies[2].Name})
	require.True(t, f.Dependencies[1].Required)
	require.Equal(t, "127.0.0.1:0", f.Dependencies[1].Listen)
	require.Equal(t, []string{"./llm --listen", "127.0.0.1:${llm.port}"}, f.Dependencies[2].Command)
	require.Equal(t, "http://${llm}/healthz", f.Dependencies[2].Ready.HTTP.URL)
	require.Equal(t, 20.0, f.Invariants.Retry.MaxRate)
	require.Equal(t, 10, f.Invariants.NoLeakedConnections.Max)
	require.Equal(t, 1, f.Readiness[1].Then.SQL.Expect)

	down := f.Experiments[0]
	require.Equal(t, Trigger{Phase: "database"}, down.Inject[0].From)
	require.Equal(t, &Trigger{PhaseEnd: "database"}, down.Inject[0].Until)
	require.Equal(t, 1.0, down.Inject[0].Toxicity)
	require.Equal(t, "fails-fast", down.Expect.Name)
	require.Equal(t, contracts.ExitCode("nonzero"), down.Expect.FailFast.ExitCode)

	back := f.Experiments[1]
	require.Len(t, back.Expect.AllOf, 2)
	require.Equal(t, seconds(10), back.Expect.AllOf[0].Recover.Within)
	require.Equal(t, "all", back.Expect.AllOf[1].Readiness)
	require.Equal(t, "ALTER TABLE", f.Experiments[2].Inject[0].From.Sends)

	matrix := f.Experiments[3]
	require.Len(t, matrix.cells, 27)
	require.Equal(t, []any{"refuse", map[string]any{"latency": "3s"}, "blackhole"}, matrix.Matrix["fault"])
	last := matrix.cells[10].experiment
	require.Equal(t, "redis", last.Inject[0].On, "dep, fault, phase: the last axis runs fastest")
	require.Equal(t, []Axis{{"dep", "redis"}, {"fault", "refuse"}, {"phase", "cache"}}, matrix.cells[10].axes)
	require.Equal(t, "degrades", last.Expect.AnyOf[2].Name)
	require.NotNil(t, last.Expect.AnyOf[2].Degrade)
}

func TestUnions(t *testing.T) {
	f := load(t, "phases-long", Options{})
	require.Len(t, f.Phases.List, 6)
	require.True(t, f.Phases.List[5].Begins.Ready)
	require.Equal(t, "PHASE COMPLETED: DATABASE", f.Phases.List[0].Ends.Log)
	require.Equal(t, seconds(0.05), f.Phases.List[2].Begins.HTTP.Interval)
	require.True(t, f.Invariants.PhaseBudgets)
	require.Equal(t, []string{"panic:"}, f.Invariants.LogNever)

	in := f.Experiments[0].Inject
	require.Equal(t, Trigger{Phase: "cache"}, in[0].From, "the declared spelling")
	require.Equal(t, &Trigger{Phase: "late"}, in[0].Until)
	require.Equal(t, Trigger{Connect: "redis", Nth: 2}, in[1].From)
	require.Equal(t, 3, in[1].Connections)
	require.Equal(t, 0.3, in[2].Toxicity)
	require.Equal(t, "resume", in[2].Fault.Params["ending"])
	require.Equal(t, `costs \${5}`, in[3].From.Log, "an escaped variable in a text that no trial renders")
	require.Equal(t, "latency{delay: 1s, jitter: 100ms} on redis from phase cache until phase late", in[0].String())
	require.Equal(t, `flap on redis from log line "costs \\${5}" after 200ms for 1m30s`, in[3].String())

	any := f.Experiments[0].Expect.AnyOf
	require.NotNil(t, any[0].Wait)
	require.Equal(t, seconds(12), any[1].GiveUp.Within, "ten seconds more than after")
	require.Equal(t, seconds(3), any[2].AllOf[1].Degrade.Within)
}

func TestAnchors(t *testing.T) {
	f := load(t, "anchors", Options{})
	require.Equal(t, seconds(10), f.Service.Budget)
	require.Equal(t, Stop{Signal: "SIGINT", Grace: seconds(2)}, f.Service.Stop)
	require.Equal(t, "127.0.0.1:7001", f.Dependencies[1].Upstream)
	require.False(t, f.Dependencies[1].Required)
	require.True(t, f.FixedListen())
	require.Len(t, f.Experiments[1].Inject, 2)
	require.Equal(t, "b", f.Experiments[1].Inject[1].On)
	require.Equal(t, "fails-fast", f.Experiments[1].Expect.Name)
	require.Equal(t, seconds(10), f.Experiments[1].Expect.FailFast.Within)
}

func TestOverlay(t *testing.T) {
	f := load(t, "overlays", Options{})
	require.Nil(t, f.Experiments[0].Service)
	s := f.Experiments[1].cells[2].experiment.Service // level 2, mode before
	require.Equal(t, map[string]string{"MODE": "before", "LEVEL": "2", "CONFIG": "${file.extra}"}, s.Env)
	require.Len(t, s.Files, 2)
	require.Equal(t, Stop{Signal: "SIGINT", Grace: seconds(1)}, s.Stop)
	require.Equal(t, "on-failure", s.Restart.Policy)
	require.Equal(t, []string{"./app"}, s.Command)
	require.Equal(t, 2, f.Experiments[1].cells[2].experiment.Inject[0].Connections)
	require.Nil(t, f.Experiments[2].Service.Ready.HTTP, "a probe is replaced as a whole")
	require.Equal(t, "up", f.Experiments[2].Service.Ready.Log)
	require.Equal(t, "never", f.Experiments[2].Service.Restart.Policy)
	require.Equal(t, "sound", f.Service.Env["MODE"], "the file's own is untouched")
}

func TestStarterIsValid(t *testing.T) {
	text, err := Starter{Needs: []string{"postgres", "redis", "clickhouse", "nats", "billing=127.0.0.1:9000"}}.Text()
	require.NoError(t, err)
	_, err = LoadBytes("experiments.yaml", []byte(text), Options{})
	require.NoError(t, err)
}
