package phases

import (
	"fmt"
	"strings"
)

// Kind is one way to recognise a phase: its name in the language, what it does, and an example in YAML (a list of phases).
type Kind struct{ Name, Doc, Example string }

// Builtin lists every way to recognise a phase, in the order of the documentation.
func Builtin() []Kind {
	return []Kind{
		{SourceLog, "A line of stdout or stderr matches a regular expression; ANSI sequences are stripped before. Exact.",
			"- {name: database, begins: {log: 'PHASE 3'}, ends: {log: 'PHASE COMPLETED: DATABASE'}, budget: 5s}"},
		{SourceConnect, "The service connects to a dependency: for the first time (begins), or the first time since the phase began (ends). Exact.",
			"- {name: cache, begins: {connect: redis}}"},
		{SourceHTTP, "A value in a JSON answer of the service equals a text. It is polled, therefore never exact.",
			"- {name: warmup, begins: {http: {url: 'http://127.0.0.1:${port.http}/health/startup', json: $.phase, equals: warmup, interval: 20ms}}}"},
		{SourceNotify, "An assignment in an sd_notify datagram on $NOTIFY_SOCKET. Exact.",
			"- {name: serving, begins: {notify: READY=1}}"},
		{SourceMark, "A POST to $CHAOS_MARK_URL/NAME, for scripts. Exact.",
			"- {name: late, begins: {mark: late}}"},
		{SourceReady, "The service's own claim to be ready, which is polled, therefore not exact.",
			"- {name: up, begins: ready}"},
	}
}

const docsHead = `# Phases

A phase begins when its ` + "`begins`" + ` is seen, and ends when its ` + "`ends`" + ` is, when the next phase begins, or when the service exits. At most one is on
at a time, and each begins once per start of the service. What is seen by the gate (log, connect, notify, mark) is exact: no byte and no
connection after it passes before the phase is known. What is polled (http, ready) is not, and the report says so.

The shorthand names every phase by one regular expression on log lines with a group named phase. Names are compared without regard to case
and reported as ` + "`order`" + ` spells them; a name that order does not list is reported, too. A phase that is named again while it is on goes on; one
that is named again after it ended begins again, which phase_order judges.

` + "```yaml" + `
phases:
  pattern: 'PHASE TRANSITION .*-> *(?P<phase>\w+)'
  ends: 'PHASE COMPLETED: (?P<phase>\w+)'        # optional: otherwise a phase ends when the next begins
  order: [init, dependencies, database, cache, services, websocket, finalize]
  budgets: {database: 5s}
` + "```" + `

The long form is a list, in order. What a phase may begin and end with:

`

// Markdown returns docs/phases.md: the documentation of every way to recognise a phase, made from Builtin.
func Markdown() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n```yaml\nphases:\n  %s\n```\n\n", k.Name, k.Doc, k.Example)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
