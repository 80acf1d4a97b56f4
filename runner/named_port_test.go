package runner_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/reports"
)

// namedPort is a file whose service is at a port that it names itself.
const namedPort = `
service:
  command: '${var.program} open a ${echo} + ready ok + wait'
  env: {LAB: '${var.mark}', PORT: '${var.port}', GOMAXPROCS: '1'}
  ready: {http: {url: 'http://127.0.0.1:${var.port}/ready'}}
readiness:
  - {name: it answers, http: {url: 'http://127.0.0.1:${var.port}/ready'}}
experiments:
  - {name: plain, expect: {readiness: all}, repeat: 3}
  - {name: late, inject: [{on: echo, from: start, fault: {latency: {delay: 20ms, connect: true}}}], expect: tolerate, repeat: 3}
`

// Two services can't have one port: trials whose file names it never run at the same time, however many there may be.
func TestTrialsTakeTurnsAtANamedPort(t *testing.T) {
	l := newLab(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.vars["port"] = strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	require.NoError(t, free.Close())
	l.opts.Parallel = 4
	r := l.run(namedPort)
	assert.Equal(t, reports.ExitPass, r.ExitCode())
	assert.Len(t, r.Trials, 7)
	for _, trial := range r.Trials {
		assert.Equal(t, contracts.Pass, trial.Verdict, show(trial))
	}
}

// Who answers at the service's address before it was started is not the service, and what then happens is not its fault.
func TestAnotherListensAlready(t *testing.T) {
	l := newLab(t)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // and says that all is well
	defer other.Close()
	address := other.Listener.Addr().String()
	_, l.vars["port"], _ = net.SplitHostPort(address)
	self, err := os.Executable()
	require.NoError(t, err)
	r := l.run(namedPort)
	verdict(t, trials(r, "")[0], contracts.Error, "harness", address, "process "+strconv.Itoa(os.Getpid()), filepath.Base(self), "stop that", "${port.http}")
	for _, trial := range trials(r, "plain") {
		verdict(t, trial, contracts.Error, "harness", address)
		assert.Empty(t, logged(trial), "it was not started")
	}
	assert.Equal(t, reports.ExitHarness, r.ExitCode())
}
