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

// Markdown returns the documentation of every way to recognise a phase, made from Builtin.
func Markdown() string {
	var b strings.Builder
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "### %s\n\n%s\n\n```yaml\nphases:\n  %s\n```\n\n", k.Name, k.Doc, k.Example)
	}
	return b.String()
}
