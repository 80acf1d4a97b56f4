package runner_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// A message that is sent while the service starts is turned away or answered later; whoever takes it and loses it is found out, whatever it
// can do afterwards.
func TestMessagesDuringTheStartup(t *testing.T) {
	for _, c := range []struct {
		name, steps string
		want        contracts.Verdict
		words       []string
	}{
		{"turned away until it can be answered", "chat, open", contracts.Pass, nil},
		{"kept until it can be answered", "chat, queue, +, chat, await, +, chat, open", contracts.Pass, nil},
		{"lost", "chat, lose, +, chat, await, +, chat, open", contracts.Fail,
			[]string{"the message that was taken during the startup is lost", "got close 1011 (nobody is here)"}},
		{"forgotten", "chat, forget, +, chat, await, +, chat, open", contracts.Fail,
			[]string{"the message that was sent during the startup: still not answered 500ms later"}},
		{"turned away for ever", "chat, away", contracts.Fail, []string{"still not answered 500ms later; it was turned away before"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			timeout := "500ms"
			if c.want == contracts.Pass {
				timeout = "20s" // for a machine under load
			}
			l.vars["timeout"] = timeout
			r := l.run(`
service:
  command: ['${var.program}', serve, +, ` + c.steps + `, +, ready, ok, +, wait]
readiness:
  - name: nothing is lost
    from: start
    websocket: {url: 'ws://127.0.0.1:${port.http}/ws', send: 'hello', expect: [echo]}
    timeout: ${var.timeout}
experiments:
  - name: one
    expect: {readiness: all}
`)
			trial := only(t, r, "one")
			verdict(t, trial, c.want, "readiness", c.words...)
			assert.NotEmpty(t, events(trial, timeline.Proof))
		})
	}
}

// Each start has a message of its own: that one died with it is no loss.
func TestMessagesOfEveryStart(t *testing.T) {
	l := newLab(t)
	l.vars["lab"] = l.dir
	r := l.run(`
service:
  command: ['${var.program}', serve, +, chat, queue, +, chat, await, +, once, '${var.lab}/first-${trial}', '3', +, chat, open, +, ready, ok, +, wait]
  restart: {policy: on-failure, max: 2, backoff: 10ms}
readiness:
  - name: nothing is lost
    from: start
    websocket: {url: 'ws://127.0.0.1:${port.http}/ws', send: 'hello', expect: [echo]}
    timeout: 20s
experiments:
  - name: one
    expect: {readiness: all}
`)
	trial := only(t, r, "one")
	verdict(t, trial, contracts.Pass, "readiness")
	assert.Len(t, events(trial, timeline.Exec), 2, show(trial))
}
