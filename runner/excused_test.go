package runner_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
)

// A proof that an optional dependency excuses is asked by one attempt only, whatever its `within`: each attempt may make the service try
// that dependency, and the service must not be accused of the attempts that the harness caused.
func TestAnExcusedProofIsAskedByOneAttempt(t *testing.T) {
	l := newLab(t)
	l.vars["lab"] = l.dir
	r := l.run(`
dependencies:
  echo: {upstream: '${var.echo}', required: false}
service:
  command: ['${var.program}', phase, one, +, open, a, '${echo}', +, ready, '{"status":"degraded"}', +, wait]
readiness:
  - name: holds without a fault
    needs: [echo]
    exec: {command: [sh, -c, 'echo "$1" >> "$2" ; test "$1" = t1', sh, '${trial}', '${var.lab}/asked']}
    within: 2s
    interval: 10ms
experiments:
  - name: gone
    inject: [{on: echo, fault: refuse}]
    expect: degrade
`)
	verdict(t, only(t, r, "gone"), contracts.Pass, "degrade")
	asked, err := os.ReadFile(filepath.Join(l.dir, "asked"))
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(asked), "t2"), "attempts under the fault")
}
