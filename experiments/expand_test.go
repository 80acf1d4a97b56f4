package experiments

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
)

func expand(t *testing.T, f *File, s Selection) *Plan {
	t.Helper()
	p, err := f.Expand(s)
	require.NoError(t, err)
	return p
}

func titles(p *Plan) []string {
	out := make([]string, len(p.Trials))
	for i, trial := range p.Trials {
		out[i] = trial.Title()
	}
	return out
}

func seeds(p *Plan) map[string]uint64 {
	out := map[string]uint64{}
	for _, trial := range p.Trials {
		out[trial.Title()] = trial.Seed
	}
	return out
}

func TestOrderAndTitles(t *testing.T) {
	f := load(t, "overlays", Options{})
	require.Equal(t, []string{
		"control: app",
		"as it is",
		"control: app (CONFIG=${file.extra}, MODE=before, no EXTRA, files changed, stop changed)",
		"another way to start [level=1, mode=before]",
		"control: app (CONFIG=${file.extra}, MODE=after, no EXTRA, files changed, stop changed)",
		"another way to start [level=1, mode=after]",
		"control: app (CONFIG=${file.extra}, LEVEL=2, MODE=before, no EXTRA, files changed, stop changed)",
		"another way to start [level=2, mode=before]",
		"control: app (CONFIG=${file.extra}, LEVEL=2, MODE=after, no EXTRA, files changed, stop changed)",
		"another way to start [level=2, mode=after]",
		"control: app (ready changed, restart changed)",
		"another claim",
	}, titles(expand(t, f, Selection{})))
}

func TestControlsEveryTwentyTrials(t *testing.T) {
	f := load(t, "minimal", Options{})
	for _, c := range []struct{ trials, controls int }{{1, 1}, {20, 1}, {21, 2}, {40, 2}, {41, 3}} {
		p := expand(t, f, Selection{Repeat: c.trials})
		var at []int
		for i, trial := range p.Trials {
			if !trial.Control {
				continue
			}
			at = append(at, i)
			require.Equal(t, contracts.Expectation{}, trial.Expect)
			require.Empty(t, trial.Inject)
			require.Equal(t, c.controls, trial.Repeats)
		}
		require.Len(t, at, c.controls)
		for i, index := range at {
			require.Equal(t, i*21, index)
		}
	}
}

// The seed of a trial depends on what it is, not on what else runs.
func TestSeedsDoNotDependOnOrder(t *testing.T) {
	f := load(t, "full", Options{})
	all := seeds(expand(t, f, Selection{}))
	require.Len(t, all, len(expand(t, f, Selection{}).Trials), "titles are unique")

	distinct := map[uint64]bool{}
	for _, seed := range all {
		distinct[seed] = true
	}
	require.Len(t, distinct, len(all))

	f.Experiments[0], f.Experiments[3] = f.Experiments[3], f.Experiments[0]
	reordered := seeds(expand(t, f, Selection{}))
	only := seeds(expand(t, f, Selection{Only: regexp.MustCompile("redis.*#3")}))
	require.Len(t, only, 10, "nine cells and their control")
	for title, seed := range only {
		if strings.HasPrefix(title, "control") {
			continue
		}
		require.Equal(t, all[title], seed, title)
		require.Equal(t, all[title], reordered[title], title)
	}
	other := uint64(2)
	for title, seed := range seeds(expand(t, f, Selection{Seed: &other})) {
		require.NotEqual(t, all[title], seed, title)
	}
	require.Equal(t, all, seeds(expand(t, load(t, "full", Options{}), Selection{})), "the same on every load")
	require.EqualValues(t, 2, expand(t, f, Selection{Seed: &other}).Seed)
	require.EqualValues(t, 1, expand(t, f, Selection{}).Seed)
}

// Seeds must not change between versions: a replay command in an old report must still play the same trial.
func TestSeedsAreFixed(t *testing.T) {
	p := expand(t, load(t, "minimal", Options{}), Selection{})
	require.Equal(t, "it starts", p.Trials[1].Title())
	require.EqualValues(t, uint64(0x53cd267729547315), p.Trials[1].Seed)
}

func TestShards(t *testing.T) {
	f := load(t, "full", Options{})
	all := expand(t, f, Selection{})
	seen := map[string]int{}
	smallest, largest := len(all.Trials), 0
	for shard := 1; shard <= 4; shard++ {
		p := expand(t, f, Selection{Shard: shard, Shards: 4})
		require.True(t, p.Trials[0].Control, "a shard has the controls that it needs")
		count := 0
		for _, trial := range p.Trials {
			if !trial.Control {
				seen[trial.Title()]++
				count++
			}
		}
		smallest, largest = min(smallest, count), max(largest, count)
	}
	require.LessOrEqual(t, largest-smallest, 1, "parts are as large as each other")
	for _, trial := range all.Trials {
		if !trial.Control {
			require.Equal(t, 1, seen[trial.Title()], trial.Title())
		}
	}
	for _, bad := range []Selection{{Shard: 5, Shards: 4}, {Shard: 0, Shards: 2}, {Shard: -1}, {Repeat: -1}, {Repeat: 10_001}} {
		_, err := f.Expand(bad)
		require.Error(t, err)
	}
}

func TestOnly(t *testing.T) {
	f := load(t, "overlays", Options{})
	require.Equal(t, []string{"control: app", "as it is"}, titles(expand(t, f, Selection{Only: regexp.MustCompile("^as it is$")})))
	require.Len(t, titles(expand(t, f, Selection{Only: regexp.MustCompile("^another way to start$")})), 8, "the experiment's name matches too")
	require.Equal(t, []string{"control: app"}, titles(expand(t, f, Selection{Only: regexp.MustCompile("^control: app$")})), "a control by itself")
	_, err := f.Expand(Selection{Only: regexp.MustCompile("^anothr way")})
	require.EqualError(t, err, `--only ^anothr way selects no experiment; the nearest: "another way to start", "another claim", "as it is"`)
}

func TestSpec(t *testing.T) {
	p := expand(t, load(t, "full", Options{}), Selection{Only: regexp.MustCompile("comes back")})
	s := p.Trials[1].Spec()
	require.Equal(t, "postgres comes back", s.Title)
	require.Equal(t, seconds(30), s.Budget)
	require.Equal(t, "SIGTERM", s.StopSignal)
	require.False(t, s.Restarts)
	require.Equal(t, contracts.Phase{Name: "database", Budget: seconds(5)}, s.Phases[2])
	require.True(t, s.Dependencies["llm"].Required)
	require.Equal(t, []contracts.Fault{{On: "postgres", Kind: "refuse", Text: "refuse on postgres during database for 3s", Phase: "database",
		Bounded: true, For: seconds(3)}}, s.Faults)
	require.Equal(t, []string{"postgres"}, s.Readiness[1].Needs)
	require.True(t, s.Invariants.NoFalseReady)
	require.True(t, p.Trials[0].Spec().Control)
}

func TestInvariantsAreAdded(t *testing.T) {
	text := `version: 1
service: {command: [./app], ready: {log: up}}
invariants: [startup_budget, {log_never: panic}, {retry: {max_attempts: 3}}]
experiments:
  - {name: one, expect: {expr: 'trial.outcome == "ready"'}, invariants: [stops_on_signal, {log_never: [race]}, {retry: {max_attempts: 9}}]}
`
	f, err := LoadBytes("x.yaml", []byte(text), Options{})
	require.NoError(t, err)
	p := expand(t, f, Selection{})
	require.Equal(t, f.Invariants, p.Trials[0].Invariants, "a control has the file's")
	require.True(t, p.Trials[1].Invariants.StartupBudget)
	require.NotNil(t, p.Trials[1].Invariants.StopsOnSignal)
	require.Equal(t, []string{"panic", "race"}, p.Trials[1].Invariants.LogNever)
	require.Equal(t, 9, p.Trials[1].Invariants.Retry.MaxAttempts)
	require.Equal(t, []string{"panic"}, f.Invariants.LogNever)
}

func TestSecretsInTitlesAreMasked(t *testing.T) {
	text := `version: 1
secrets: [PW]
service: {command: [./app], ready: {log: up}, env: {PW: "${env.PW}"}}
experiments:
  - {name: one, matrix: {pw: ["${env.PW}", other]}, service: {env: {PW: "${pw}", X: y}}, expect: {expr: 'trial.outcome == "ready"'}}
`
	f, err := LoadBytes("x.yaml", []byte(text), Options{Env: env(map[string]string{"PW": "hunter2"})})
	require.NoError(t, err)
	require.Equal(t, []string{"hunter2"}, f.Masked)
	p := expand(t, f, Selection{})
	require.Equal(t, "one [pw=***]", p.Trials[1].Title())
	require.Equal(t, "hunter2", p.Trials[1].Service.Env["PW"])
	for _, title := range titles(p) {
		require.NotContains(t, title, "hunter2")
	}
}

func TestTooManyTrials(t *testing.T) {
	values := make([]string, 11)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	text := `version: 1
service: {command: [./app], ready: {log: up}}
experiments:
  - {name: one, repeat: 10000, matrix: {a: [` + strings.Join(values, ",") + `]}, service: {env: {A: "${a}"}}, expect: {expr: 'trial.outcome == "ready"'}}
`
	f, err := LoadBytes("x.yaml", []byte(text), Options{})
	require.NoError(t, err)
	_, err = f.Expand(Selection{})
	require.ErrorContains(t, err, "more than 50000 trials")
	require.Len(t, expand(t, f, Selection{Repeat: 1}).Trials, 22)
}

func TestBound(t *testing.T) {
	f := load(t, "full", Options{})
	one := expand(t, f, Selection{Only: regexp.MustCompile("^postgres comes back$")})
	// Budget 30s + grace 5s + perTrial 2s + forProofs 6s + the longest proof (5.05s of 5.05s, 1.05s and 1.05s) for the control; the fault's 3s more for the trial.
	require.Equal(t, 99100*time.Millisecond, one.Bound(1))
	require.Equal(t, 51050*time.Millisecond, one.Bound(8))
	f.Dependencies[0].Listen = "127.0.0.1:15432"
	require.Equal(t, one.Bound(1), one.Bound(8), "a fixed port: one by one")
}
