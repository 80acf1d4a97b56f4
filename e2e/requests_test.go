package e2e

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/runner"
)

// A service that asks again and again over one open connection makes no new attempt, but does not pass for one that tried once.
func TestRequestsOnAnOpenConnection(t *testing.T) {
	needServers(t)
	plan, err := load(t, "testdata/requests.yaml", nil).Expand(experiments.Selection{})
	require.NoError(t, err)
	report, err := runner.Run(t.Context(), plan, runner.Options{Servers: "real", Parallel: side, LookupEnv: os.LookupEnv})
	require.NoError(t, err)
	require.Empty(t, report.Errors)
	want := map[string]struct {
		verdict contracts.Verdict
		says    string
	}{
		"within the limit": {contracts.Pass, "tried redis once, and its requests were turned down on open connections"},
		"beyond the limit": {contracts.Inconclusive, "which is too much if those were retries"},
		"its manner":       {contracts.Inconclusive, "how they are repeated is not measured there"},
	}
	judged := 0
	for _, trial := range report.Trials {
		if w, ok := want[trial.Title]; ok {
			judged++
			assert.Equal(t, w.verdict, trial.Verdict, explain(trial))
			assert.Contains(t, explain(trial), w.says)
		}
	}
	assert.Equal(t, len(want), judged)
}
