package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
)

// gateList is a short list over the service, the proofs and the invariants of the shipped file.
const gateList = `
experiments:
  - {name: a cold start serves the user, expect: {readiness: all}}
  - name: redis is down
    inject: [{on: redis, during: cache, fault: refuse}]
    expect: dies-of-redis
checklist:
  - {name: chat, covered_by: [a cold start serves the user, a user message is answered and stored]}
  - {name: auth, covered_by: only the auth service lets anybody in}
  - {name: threads, covered_by: a thread is stored}
  - {name: outage, covered_by: [redis is down, dies-of-redis]}
  - {name: truth, covered_by: no_false_ready}
  - {name: order, covered_by: phase_order}
`

// gated is the shipped file's service with a defect, under the short list.
func gated(t *testing.T, defect string) *experiments.File {
	t.Helper()
	text, err := os.ReadFile(shippedFile)
	require.NoError(t, err)
	head, _, found := strings.Cut(string(text), "\nexperiments:\n")
	require.True(t, found)
	const command = "\n  command: ['${bin}/smd', --phase-timeout, 10s]\n"
	require.Contains(t, head, command)
	head = strings.Replace(head, command, "\n  command: ['${bin}/smd', --phase-timeout, 10s, --defect, "+defect+"]\n", 1)
	file, err := experiments.LoadBytes(shippedFile, []byte(head+gateList), experiments.Options{Env: os.LookupEnv})
	require.NoError(t, err)
	return file
}

// TestGate: the gate is open for the sound service, and a defect turns the items red that it breaks. What a start that fails by
// itself takes the ground from is not shown, which is no pass either.
func TestGate(t *testing.T) {
	needServers(t)
	const fail, open = contracts.Fail, contracts.Inconclusive
	for defect, want := range map[string]map[string]contracts.Verdict{ // of the items that do not pass
		"none":      nil,
		"exit-zero": {"outage": fail},
		"no-auth":   {"chat": fail, "auth": fail, "truth": fail, "threads": open, "outage": open, "order": open},
	} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			plan, err := gated(t, defect).Expand(experiments.Selection{})
			require.NoError(t, err)
			report, err := runner.Run(t.Context(), plan, runner.Options{Servers: "real", Parallel: side, Gate: true, LookupEnv: os.LookupEnv})
			require.NoError(t, err)
			got := map[string]contracts.Verdict{}
			for _, item := range report.Checklist {
				if item.Verdict != contracts.Pass {
					got[item.Name] = item.Verdict
					t.Log(item.Name, item.CoveredBy)
				}
			}
			code := reports.ExitPass
			if len(want) > 0 {
				code = reports.ExitViolated
			}
			assert.Len(t, report.Checklist, 6)
			assert.Len(t, got, len(want))
			for name, verdict := range want {
				assert.Equal(t, verdict, got[name], name)
			}
			assert.Equal(t, code, report.ExitCode())
			assert.Equal(t, len(want) == 0, report.Gate.Open)
		})
	}
}
