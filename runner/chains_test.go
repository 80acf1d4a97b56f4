package runner_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/contracts"
)

// A chain knows what it captured and what its attempt made up, and it talks to the dependency itself: ${echo} is the proxy for the service
// and the real address for the proof.
func TestProofsFollowWhatTheyDid(t *testing.T) {
	l := newLab(t)
	r := l.run(`
service:
  command: ['${var.program}', say, 'proxy ${echo}', +, ready, '{"id":7}', +, wait]
readiness:
  - name: a chain
    http: {url: 'http://127.0.0.1:${port.http}/ready'}
    capture: {id: $.id}
    then:
      exec: {command: [echo, '${captured.id} of ${unique}'], match: '^7 of [a-z2-7]{16}\n$'}
      capture: {first: $}
      then:
        tcp: {address: '${echo}'}
        then: {exec: {command: [test, '${captured.first} at ${echo}', '=', '7 of ${unique} at ${var.echo}']}}
experiments:
  - name: follows
    expect: {readiness: all}
`)
	trial := only(t, r, "follows")
	verdict(t, trial, contracts.Pass, "readiness")
	assert.NotEqual(t, l.echo, told(t, trial, "proxy "))

	r = l.run(`
service:
  command: ['${var.program}', say, serving, +, ready, '{"id":7}', +, wait]
readiness:
  - name: a chain
    http: {url: 'http://127.0.0.1:${port.http}/ready'}
    capture: {id: $.id}
    then: {log: serving, then: {exec: {command: [test, '${captured.id}', '=', '8']}}}
  - name: nothing to capture
    http: {url: 'http://127.0.0.1:${port.http}/ready'}
    capture: {name: $.name}
experiments:
  - name: breaks
    expect: {readiness: all}
`)
	verdict(t, only(t, r, "breaks"), contracts.Fail, "readiness", "then: ", "capture name: expected $.name")
}
