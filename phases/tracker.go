// Package phases knows the startup phases of a service and how each is recognised.
//
// It is pure: a Tracker is fed with what was seen (log lines, connects, datagrams, marks, polls) and answers which phases
// began or ended. It reads no pipe and polls nothing; the runner does, under one lock, so that phases are exact.
package phases

import (
	"slices"
	"strings"
)

// The sources of a Change.
const (
	SourceLog     = "log"
	SourceConnect = "connect"
	SourceHTTP    = "http"
	SourceNotify  = "notify"
	SourceMark    = "mark"
	SourceReady   = "ready"
	SourceNext    = "next" // a phase ended because the next one began
	SourceExit    = "exit" // a phase ended because the service did
)

// Change is one phase that begins or ends.
type Change struct {
	Phase    string // as declared; a name that is not is spelled as it was seen
	Begin    bool   // false: it ends
	Source   string // one of the Source constants
	Exact    bool   // false: it was learned by polling (http, ready), so that the service was in it for a while already
	Declared bool   // false: the shorthand matched a name that Order does not list
}

// Tracker knows which phase one incarnation of a service is in. At most one phase is on at a time. It is not safe for
// concurrent use: its caller holds one lock over everything that it is fed with.
type Tracker struct {
	names []string // the declared phases, in order
	list  []rule   // the long form
	short *shorthand

	current string // "" between phases
	seen    []string
}

// Current returns the phase that is on, or "".
func (t *Tracker) Current() string { return t.current }

// Seen returns every phase that began in this incarnation, once each, in the order of their first begin.
func (t *Tracker) Seen() []string { return slices.Clone(t.seen) }

// Missing returns the declared phases that did not begin, in their declared order.
func (t *Tracker) Missing() []string {
	var missing []string
	for _, name := range t.names {
		if !slices.Contains(t.seen, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Reset forgets everything that was seen: a new incarnation of the service starts.
func (t *Tracker) Reset() { t.current, t.seen = "", nil }

// Log takes one line of stdout or stderr, without its newline and without ANSI sequences (see Strip).
func (t *Tracker) Log(line string) []Change {
	if t.short != nil {
		return t.shortLog(line)
	}
	return t.feed(SourceLog, func(m *match) bool { return m.line.matches(line) })
}

// Connect takes a connection (also a refused one) to a dependency.
func (t *Tracker) Connect(dependency string) []Change {
	return t.feed(SourceConnect, func(m *match) bool { return m.spec.Connect != "" && m.spec.Connect == dependency })
}

// Notify takes an sd_notify datagram: assignments such as READY=1, one a line.
func (t *Tracker) Notify(message string) []Change {
	return t.feed(SourceNotify, func(m *match) bool { return m.spec.Notify != "" && assigns(message, m.spec.Notify) })
}

// Mark takes a POST to $CHAOS_MARK_URL/<name>.
func (t *Tracker) Mark(name string) []Change {
	name = strings.Trim(name, "/")
	return t.feed(SourceMark, func(m *match) bool { return m.spec.Mark != "" && m.spec.Mark == name })
}

// Ready takes the service's own claim to be ready.
func (t *Tracker) Ready() []Change {
	return t.feed(SourceReady, func(m *match) bool { return m.spec.Ready })
}

// Polled takes the news that one of Polls came true: the begin of a phase, or its end.
func (t *Tracker) Polled(phase string, begins bool) []Change {
	return t.feed(SourceHTTP, func(m *match) bool { return m.spec.HTTP != nil && m.phase == phase && m.begins == begins })
}

// Exit takes the end of the service's process.
func (t *Tracker) Exit() []Change { return t.end(SourceExit, true) }

// feed asks every rule of the long form whether what was seen is its moment: first the end of the present phase, then the begins
// of those that have not begun yet.
func (t *Tracker) feed(source string, is func(*match) bool) []Change {
	var changes []Change
	exact := source != SourceHTTP && source != SourceReady
	for i := range t.list {
		if r := &t.list[i]; t.current == r.name && r.ends != nil && is(r.ends) {
			changes = append(changes, t.end(source, exact)...)
			break
		}
	}
	for i := range t.list {
		if r := &t.list[i]; is(&r.begins) && !slices.Contains(t.seen, r.name) {
			changes = append(changes, t.begin(Change{Phase: r.name, Source: source, Exact: exact, Declared: true})...)
		}
	}
	return changes
}

// begin begins a phase and ends the one before it.
func (t *Tracker) begin(c Change) []Change {
	changes := t.end(SourceNext, c.Exact)
	c.Begin = true
	t.current = c.Phase
	if !slices.Contains(t.seen, c.Phase) {
		t.seen = append(t.seen, c.Phase)
	}
	return append(changes, c)
}

// end ends the present phase, if there is one.
func (t *Tracker) end(source string, exact bool) []Change {
	if t.current == "" {
		return nil
	}
	c := Change{Phase: t.current, Source: source, Exact: exact, Declared: t.declared(t.current)}
	t.current = ""
	return []Change{c}
}

// declared reports whether a name is one of the phases of the file. Where the shorthand lists none, every name is.
func (t *Tracker) declared(name string) bool {
	return len(t.names) == 0 || slices.Contains(t.names, name)
}

// assigns reports whether an sd_notify datagram holds an assignment.
func assigns(message, assignment string) bool {
	for line := range strings.SplitSeq(message, "\n") {
		if strings.TrimSpace(line) == assignment {
			return true
		}
	}
	return false
}
