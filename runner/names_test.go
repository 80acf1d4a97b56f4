package runner_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/timeline"
)

// needsNames skips a test that is about names where the service can't be made to ask for them.
func needsNames(t testing.TB) {
	t.Helper()
	if process.OwnResolvConf() != nil {
		needsInterceptor(t)
	}
}

// lookups is a file about a dependency that the service knows by name.
const lookups = `
dependencies: {echo: {upstream: '${var.echo}', names: [Echo.Internal., echo-alias]}}
service:
  command: '${var.program} phase one + look a echo.internal + open a echo.internal:${echo.port} + ask a one + ready ok + wait'
contracts: {fails-fast: {fail_fast: {within: 10s, exit_code: 3, log: 'no such host'}}}
experiments:
  - name: fails fast
    service: {command: '${var.program} phase one + look a echo.internal + must + phase two + ready ok + wait'}
    inject: [{on: echo, during: one, fault: dns}]
    expect: fails-fast
  - name: recovers
    service: {command: '${var.program} phase one + look a echo-alias + find echo-alias + open a echo-alias:${echo.port} + ask a one + ready ok + wait'}
    inject: [{on: echo, from: one, until: {log: look a no such host}, fault: dns}]
    expect: {recover: {within: 15s}}
  - name: late
    inject: [{on: echo, during: one, fault: {dns: {answer: slow, delay: 200ms}}}]
    expect: tolerate
  - name: led astray
    service: {command: '${var.program} open a echo.internal:${echo.port} + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: {dns: wrong_address}}]
    expect: {fail_fast: {exit_code: 3}}
  - name: only the first
    service: {command: '${var.program} look a echo.internal + look b echo.internal + ready ok + wait'}
    inject: [{on: echo, from: start, fault: dns, connections: 1}]
    expect: tolerate
  - name: both at a time
    service: {command: '${var.program} look a echo.internal + open a echo.internal:${echo.port} + ready ok + wait'}
    inject:
      - {on: echo, from: start, fault: {dns: {answer: slow, delay: 50ms}}}
      - {on: echo, from: start, fault: accept_close}
    expect: tolerate
  - name: never asked
    service: {command: '${var.program} phase one + look a echo.internal + phase two + open a ${echo} + ready ok + wait'}
    inject: [{on: echo, during: two, fault: dns}]
    expect: tolerate
  - name: other names
    service: {command: '${var.program} look a nobody.invalid + look b nobody.invalid + look c echo.internal + ready ok + wait'}
    inject: [{on: echo, from: start, fault: {dns: {answer: slow, delay: 50ms}}}]
    expect: tolerate
`

// checkLookups checks the report of lookups.
func checkLookups(t *testing.T, r *reports.Report) {
	for _, trial := range trials(r, "") {
		require.Equal(t, contracts.Pass, trial.Verdict, show(trial))
		require.Len(t, events(trial, timeline.Resolver), 1, show(trial))
	}
	fails := only(t, r, "fails fast")
	verdict(t, fails, contracts.Pass, "")
	assert.Equal(t, "no such host", told(t, fails, "look a"))
	bite := events(fails, timeline.FaultBite)
	require.Len(t, bite, 1)
	assert.Regexp(t, `^(A|AAAA) of echo.internal: nxdomain$`, bite[0].Text)
	assert.NotEmpty(t, events(fails, timeline.Resolve))
	assert.Positive(t, fails.Faults[0].ConnectionsHit)

	verdict(t, only(t, r, "recovers"), contracts.Pass, "")
	assert.Equal(t, "no such host", told(t, only(t, r, "recovers"), "look a"))
	assert.Equal(t, "echo-alias ok 1", told(t, only(t, r, "recovers"), "find"), "the first lookup after the lift")
	verdict(t, only(t, r, "late"), contracts.Pass, "")

	astray := only(t, r, "led astray")
	verdict(t, astray, contracts.Pass, "")
	assert.Equal(t, "ECONNREFUSED", told(t, astray, "open a"))

	first := only(t, r, "only the first")
	assert.Equal(t, "no such host", told(t, first, "look a"))
	assert.Contains(t, told(t, first, "look b"), "ok 127.")
	assert.Equal(t, 2, first.Faults[0].ConnectionsHit, "A and AAAA of one lookup")

	both := only(t, r, "both at a time")
	verdict(t, both, contracts.Pass, "")
	assert.Positive(t, both.Faults[1].ConnectionsHit, "a connection by name meets the faults of the dependency")

	verdict(t, only(t, r, "never asked"), contracts.Inconclusive, "vacuous", "met no query", "in phase one")
	other := only(t, r, "other names")
	verdict(t, other, contracts.Pass, "")
	foreign := events(other, timeline.UndeclaredName)
	require.Len(t, foreign, 1, show(other))
	assert.Equal(t, "nobody.invalid", foreign[0].Name)
}

func TestNames(t *testing.T) {
	needsNames(t)
	mounts, before := read(t, "/proc/self/mountinfo"), read(t, "/etc/resolv.conf")
	l := newLab(t)
	r := l.run(lookups)
	checkLookups(t, r)
	assert.Equal(t, mounts, read(t, "/proc/self/mountinfo"), "mounts that were left")
	assert.Equal(t, before, read(t, "/etc/resolv.conf"))
	if process.Intercepting() == nil {
		astray := events(only(t, r, "led astray"), timeline.Connect)
		require.NotEmpty(t, astray)
		assert.Equal(t, "astray", astray[0].Result)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// With the interceptor a name stands for its dependency at whatever port, also where the service is given no address of a proxy.
func TestNamesAtAnyPort(t *testing.T) {
	needsInterceptor(t)
	r := newLab(t).run(`
dependencies: {echo: {upstream: '${var.echo}', names: [echo.internal]}}
service:
  command: '${var.program} open a echo.internal:5432 + ask a one + ready ok + wait'
experiments:
  - name: refused by name
    service: {command: '${var.program} open a echo.internal:5432 + must + ready ok + wait'}
    inject: [{on: echo, from: start, fault: refuse}]
    expect: fail_fast
  - name: interposed
    service: {interpose: connect, command: '${var.program} open a echo.internal:5432 + ask a one + open b ${echo} + ask b two + ready ok + wait'}
    inject: [{on: echo, from: start, fault: {latency: 50ms}}]
    expect: tolerate
`)
	refused := only(t, r, "refused by name")
	verdict(t, refused, contracts.Pass, "")
	assert.Equal(t, "ECONNREFUSED", told(t, refused, "open a"))
	interposed := only(t, r, "interposed")
	verdict(t, interposed, contracts.Pass, "")
	assert.Equal(t, 2, interposed.Faults[0].ConnectionsHit, show(interposed))
	assert.Empty(t, events(interposed, timeline.Escape))
}

// innerNames runs TestInnerNames in a process that lacks one of the two ways.
func innerNames(t *testing.T, expects string, spec process.Spec, prefix ...string) {
	t.Helper()
	var mu sync.Mutex
	var lines []string
	spec.Argv = append(prefix, os.Args[0], "-test.run", "^TestInnerNames$", "-test.v", "-test.timeout", "5m")
	spec.Env = append(os.Environ(), innerWay+"="+expects)
	spec.Line = func(_ process.Stream, line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	p, err := process.Start(spec)
	require.NoError(t, err)
	<-p.Done()
	require.NoError(t, p.Close())
	said := strings.Join(lines, "\n")
	require.True(t, p.Exit().OK(), said)
	assert.Contains(t, said, "--- PASS: TestInnerNames")
}

// innerWay is set in the environment of a test process that has only one way to answer names, or none, and says which.
const innerWay = "CHAOS_TEST_NAMES_BY"

// The resolv.conf alone: the process is intercepted already, and there can be only one interceptor.
func TestNamesByResolvConf(t *testing.T) {
	needsInterceptor(t)
	if err := process.OwnResolvConf(); err != nil {
		t.Skip(err)
	}
	innerNames(t, "conf", process.Spec{Decide: func(process.Attempt) process.Answer { return process.Answer{} }})
}

// The interceptor alone: root without the capability to mount is nobody special.
func TestNamesByConnects(t *testing.T) {
	needsInterceptor(t)
	if _, err := exec.LookPath("setpriv"); err != nil || os.Geteuid() != 0 {
		t.Skip("it takes root and setpriv to run without a capability")
	}
	innerNames(t, "connects", process.Spec{}, "setpriv", "--bounding-set=-sys_admin")
}

// Neither: what needs names is an error, and the rest goes on.
func TestNamesByNothing(t *testing.T) {
	needsInterceptor(t)
	if _, err := exec.LookPath("setpriv"); err != nil || os.Geteuid() != 0 {
		t.Skip("it takes root and setpriv to run without a capability")
	}
	innerNames(t, "nothing", process.Spec{Decide: func(process.Attempt) process.Answer { return process.Answer{} }},
		"setpriv", "--bounding-set=-sys_admin")
}

func TestInnerNames(t *testing.T) {
	switch os.Getenv(innerWay) {
	case "conf":
		require.Error(t, process.Intercepting())
		require.NoError(t, process.OwnResolvConf())
		checkLookups(t, newLab(t).run(lookups))
		assert.Equal(t, tally{trials: 40, hit: 40}, exactLookup(t, exactly(t, newLookup, 40, 4)))
	case "connects":
		require.NoError(t, process.Intercepting())
		require.Error(t, process.OwnResolvConf())
		r := newLab(t).run(lookups)
		checkLookups(t, r)
		assert.Contains(t, events(only(t, r, "late"), timeline.Resolver)[0].Text, "without connect(2)")
		assert.Equal(t, tally{trials: 40, hit: 40}, exactLookup(t, exactly(t, newLookup, 40, 4)))
	case "nothing":
		require.Error(t, process.Intercepting())
		require.Error(t, process.OwnResolvConf())
		namesByNothing(t)
	default:
		t.Skip("it is run by the tests that begin with TestNamesBy")
	}
}

func namesByNothing(t *testing.T) {
	r, err := newLab(t).try(`
dependencies: {echo: {upstream: '${var.echo}', names: [echo.internal]}}
service:
  command: '${var.program} open a ${echo} + ask a one + ready ok + wait'
experiments:
  - name: no name
    inject: [{on: echo, from: start, fault: dns}]
    expect: fail_fast
  - name: no need of names
    inject: [{on: echo, from: start, fault: {latency: 50ms}}]
    expect: tolerate
`)
	require.NoError(t, err)
	verdict(t, only(t, r, "no name"), contracts.Error, "harness", "dns", "chaos doctor", "root")
	verdict(t, only(t, r, "no need of names"), contracts.Pass, "")
	assert.Contains(t, strings.Join(r.EvidenceMissing, "\n"), "the names of echo are not answered")
}
