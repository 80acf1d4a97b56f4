package e2e

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/racedetector"
	"github.com/chaos-startup/chaos/internal/servers"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
)

var (
	shippedFile = filepath.Join("..", "experiments.yaml")
	smdFolder   = filepath.Join("..", "examples", "smd")
	defectsFile = filepath.Join(smdFolder, "defects.yaml")
)

// sound are the variables under which defects.yaml switches no defect on.
var sound = map[string]string{"defect": "none"}

// side is how many trials run at a time: nearly all that a broken service does is waiting.
const side = 10

// caughtBy reads what a description of defects.yaml promises: "NAME is caught by RULE, RULE".
var caughtBy = regexp.MustCompile(`^([a-z-]+) is caught by ([a-z_]+(?:, [a-z_]+)*)$`)

// promise is one experiment of defects.yaml: the rules that must catch the defect.
type promise struct {
	experiment, defect string
	rules              []string
}

func load(t *testing.T, path string, vars map[string]string) *experiments.File {
	t.Helper()
	file, err := experiments.Load(path, experiments.Options{Env: os.LookupEnv, Vars: vars})
	require.NoError(t, err)
	return file
}

func promises(t *testing.T) []promise {
	t.Helper()
	var out []promise
	for _, e := range load(t, defectsFile, nil).Experiments {
		found := caughtBy.FindStringSubmatch(e.Description)
		require.NotNil(t, found, "%s: its description must say DEFECT is caught by RULE, RULE; it says %q", e.Name, e.Description)
		require.NotNil(t, e.Service, e.Name)
		require.Contains(t, e.Service.Command, found[1], "%s: the defect of its description is the one it switches on", e.Name)
		out = append(out, promise{e.Name, found[1], strings.Split(found[2], ", ")})
	}
	return out
}

// run runs defects.yaml on the installed servers.
func run(t *testing.T, vars map[string]string) *reports.Report {
	t.Helper()
	needServers(t)
	plan, err := load(t, defectsFile, vars).Expand(experiments.Selection{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	report, err := runner.Run(ctx, plan, runner.Options{Servers: "real", Parallel: side, LookupEnv: os.LookupEnv})
	require.NoError(t, err)
	require.Empty(t, report.Errors)
	for _, d := range report.Dependencies {
		require.False(t, d.Standin, "%s is a stand-in", d.Name)
	}
	return report
}

// needServers skips without the servers, or fails where CHAOS_REQUIRE_SERVERS=1 asks for them.
func needServers(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"postgres", "redis", "clickhouse"} {
		if _, ok := servers.Find(kind); ok {
			continue
		}
		if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
			t.Fatalf("no %s server is installed, and CHAOS_REQUIRE_SERVERS=1 requires it", kind)
		}
		t.Skipf("no %s server is installed", kind)
	}
}

// explain tells what a trial came to and why.
func explain(trial reports.Trial) string {
	var b strings.Builder
	b.WriteString(trial.Title + ": " + string(trial.Verdict) + ", " + trial.Outcome.Words())
	for _, r := range trial.Reasons {
		b.WriteString("\n  " + string(r.State) + " " + r.Rule + ": " + r.Text)
	}
	return b.String()
}

// The sound service passes every experiment that catches a defect, controls included.
func TestSoundServicePasses(t *testing.T) {
	report := run(t, sound)
	for _, trial := range report.Trials {
		assert.Equal(t, contracts.Pass, trial.Verdict, explain(trial))
	}
	assert.Equal(t, reports.ExitPass, report.ExitCode())
}

// Every defect fails its experiment, and the rules that should catch it are among the reasons.
func TestEveryDefectIsCaught(t *testing.T) {
	if racedetector.Enabled {
		t.Skip("TestSoundServicePasses plays the same file, and takes half as long")
	}
	report := run(t, nil)
	trials := map[string]reports.Trial{}
	for _, trial := range report.Trials {
		assert.NotEqual(t, contracts.Error, trial.Verdict, explain(trial))
		if !trial.Control {
			trials[trial.Experiment] = trial
		}
	}
	for _, p := range promises(t) {
		trial, ok := trials[p.experiment]
		require.True(t, ok, p.experiment)
		assert.Equal(t, contracts.Fail, trial.Verdict, explain(trial))
		var violated []string
		for _, r := range trial.Reasons {
			if r.State == contracts.Violated {
				violated = append(violated, r.Rule)
			}
		}
		for _, rule := range p.rules {
			assert.Contains(t, violated, rule, explain(trial))
		}
	}
	assert.Equal(t, reports.ExitViolated, report.ExitCode())
	assert.Equal(t, len(trials), report.Summary.Fail)
}

// Whatever can be expected, and every invariant, is proved by a defect that it catches.
func TestEveryRuleIsProved(t *testing.T) {
	var proved []string
	for _, p := range promises(t) {
		proved = append(proved, p.rules...)
	}
	for _, of := range []reflect.Type{reflect.TypeFor[contracts.Expectation](), reflect.TypeFor[contracts.Invariants]()} {
		for field := range of.Fields() {
			rule, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch rule {
			case "name", "message", "all_of": // a name is none, nor is a message, and a list is what its parts are
				continue
			}
			assert.Contains(t, proved, rule, "an experiment of %s must prove it", defectsFile)
		}
	}
}

// Every defect of smd is caught by an experiment.
func TestEveryDefectHasAnExperiment(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(smdFolder, "README.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "## DEFECTS")
	require.True(t, found)
	var known, tried []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(table, -1) {
		known = append(known, row[1])
	}
	for _, p := range promises(t) {
		tried = append(tried, p.defect)
	}
	slices.Sort(known)
	slices.Sort(tried)
	assert.Equal(t, known, slices.Compact(tried))
}

// Both files speak of the same service: what catches a defect is what the shipped experiments check.
func TestFilesAgree(t *testing.T) {
	shipped, defects := load(t, shippedFile, nil), load(t, defectsFile, sound)
	for _, f := range []*experiments.File{shipped, defects} {
		f.Service.Build, f.Service.Dir = nil, ""
	}
	assert.Equal(t, shipped.Service, defects.Service)
	assert.Equal(t, shipped.Dependencies, defects.Dependencies)
	assert.Equal(t, shipped.Phases, defects.Phases)
	assert.Equal(t, shipped.Readiness, defects.Readiness)
	assert.Equal(t, shipped.Contracts, defects.Contracts)
	assert.Equal(t, shipped.Invariants, defects.Invariants)
}
