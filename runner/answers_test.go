package runner_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// What the orchestrator asks at another path than service.ready is really asked: a service that is ready late survives if that path answers in
// time, and one that never answers there does not, however soon it is ready.
func TestOrchestratorsQuestionsAreAsked(t *testing.T) {
	for path, c := range map[string]struct {
		verdict contracts.Verdict
		answers int
		says    string
	}{
		"/state": {contracts.Pass, 2, "Kubernetes would not have killed it"},
		"/never": {contracts.Fail, 1, "startupProbe: 3 failures x 1 s"},
	} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			trial := only(t, l.run(`
service:
  command: '${var.program} pause 100ms + serve + pause 4500ms + ready ok + wait'
orchestrator: {kubernetes: {startupProbe: {periodSeconds: 1, failureThreshold: 3, httpGet: {path: `+path+`}}}}
experiments:
  - {name: survives, expect: survives_orchestrator}
`), "survives")
			verdict(t, trial, c.verdict, "survives_orchestrator", c.says)
			answers := events(trial, timeline.Answer)
			require.Len(t, answers, c.answers, show(trial))
			assert.False(t, *answers[0].OK, "nobody listened")
			assert.NotEmpty(t, answers[0].Error)
		})
	}
}

// However short a trial is, what its orchestrator asks is asked once more after the claim: a path that never answers is not acquitted.
func TestOrchestratorsQuestionsAreAskedAfterTheClaim(t *testing.T) {
	for path, c := range map[string]struct {
		verdict contracts.Verdict
		says    string
	}{
		"/state": {contracts.Pass, "Kubernetes would not have killed it"},
		"/never": {contracts.Inconclusive, "its livenessProbe was not answered yes once"},
	} {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			trial := only(t, l.run(`
service:
  command: '${var.program} pause 10ms + ready ok + wait'
orchestrator: {kubernetes: {livenessProbe: {httpGet: {path: `+path+`}}}}
experiments:
  - {name: survives, expect: survives_orchestrator}
`), "survives")
			verdict(t, trial, c.verdict, "survives_orchestrator", c.says)
			answers := events(trial, timeline.Answer)
			require.NotEmpty(t, answers)
			assert.Equal(t, path == "/state", *answers[len(answers)-1].OK, show(trial))
		})
	}
}

// A port that the trial does not know accuses nobody: what goes there is not asked at the port of service.ready.
func TestOrchestratorsPortsElsewhereAreNotAsked(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	manifest := `kind: Pod
spec:
  containers:
    - name: app
      livenessProbe: {httpGet: {path: /healthz, port: 9090}, periodSeconds: 1, failureThreshold: 1}
      readinessProbe: {httpGet: {path: /state, port: 8080}}
`
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "pod.yaml"), []byte(manifest), 0o600))
	trial := only(t, l.run(`
service:
  command: '${var.program} pause 100ms + serve + ready ok + wait'
orchestrator: {kubernetes: {manifest: pod.yaml}}
experiments:
  - {name: survives, expect: survives_orchestrator}
`), "survives")
	verdict(t, trial, contracts.Inconclusive, "survives_orchestrator", "the livenessProbe asks port 9090, and service.ready stands on port 8080")
	for _, e := range events(trial, timeline.Answer) {
		assert.Equal(t, "readinessProbe", e.Name)
	}
	missing := events(trial, timeline.MissingEvidence)
	require.NotEmpty(t, missing)
	assert.Equal(t, "livenessProbe", missing[0].Name)
}
