package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/phases"
)

// momentSections are the moments of injections, and the phases.
func momentSections() []section {
	return []section{triggerSection(), phasesSection(), phaseSection(), matchSection(), matchHTTPSection()}
}

func triggerSection() section {
	return section{
		name: "moment", title: "a moment", of: reflect.TypeFor[Trigger](),
		doc: "`start`, `ready`, the name of a phase (its begin), or a mapping with exactly one of these.",
		fields: []entry{
			{name: "connect", doc: "The Nth connection to that dependency.", example: "postgres"},
			{name: "nth", def: "1", min: bounds(1), max: bounds(1_000_000), doc: "Which connection.", example: "2"},
			{name: "log", format: formatRegexp, doc: "A line of the service's output matches.", example: "'migration 3'"},
			{name: "sends", format: formatRegexp, doc: "Bytes that the service sends to the dependency match.", example: "'ALTER TABLE'"},
			{name: "receives", format: formatRegexp, doc: "Bytes that the dependency answers match.", example: "'ReadyForQuery'"},
		},
	}
}

func phasesSection() section {
	return section{
		name: "phases", title: "the phases", of: reflect.TypeFor[phases.Spec](),
		doc: "The shorthand: one regular expression names every phase.",
		fields: []entry{
			{name: "pattern", def: required, format: formatPhaseRE, doc: "Its group named `phase` is the phase that begins, compared without regard to case.",
				example: `'PHASE TRANSITION .*-> *(?P<phase>\w+)'`},
			{name: "order", def: required, doc: "The phases in their order.", example: "[init, database, cache]"},
			{name: "ends", def: "(a phase ends when the next begins)", format: formatPhaseRE, doc: "A match ends the phase that its group names.",
				example: `'PHASE COMPLETED: (?P<phase>\w+)'`},
			{name: "budgets", doc: "How long phases may take.", example: "{database: 5s}"},
		},
	}
}

func phaseSection() section {
	return section{
		name: "phase", title: "a phase", of: reflect.TypeFor[phases.Phase](),
		doc: "The long form: `phases` is a list of these, in order.",
		fields: []entry{
			{name: "name", def: required, doc: "Its name.", example: "database"},
			{name: "begins", def: required, doc: "How its begin is seen.", example: "{log: 'PHASE 3'}"},
			{name: "ends", def: "(the next one begins)", doc: "How its end is seen.", example: "{log: 'PHASE COMPLETED: DATABASE'}"},
			{name: "budget", def: "(none)", doc: "How long it may take.", example: "5s"},
		},
	}
}

func matchSection() section {
	return section{
		name: "match", title: "a match", of: reflect.TypeFor[phases.Match](),
		doc: "`ready` (the service's own claim), or a mapping with exactly one of these.",
		fields: []entry{
			{name: "log", format: formatRegexp, doc: "A line of stdout or stderr matches, without its colours.", example: "'PHASE 3'"},
			{name: "connect", doc: "The first connection to that dependency.", example: "redis"},
			{name: "http", doc: "A polled URL answers with a value. Never exact.",
				example: `{url: "http://127.0.0.1:${port.http}/state", json: $.phase, equals: warmup}`},
			{name: "notify", doc: "An sd_notify assignment on `$NOTIFY_SOCKET`.", example: "READY=1"},
			{name: "mark", doc: "A POST to `$CHAOS_MARK_URL/NAME`, for scripts.", example: "late"},
		},
	}
}

func matchHTTPSection() section {
	return section{
		name: "match.http", title: "a polled URL", of: reflect.TypeFor[phases.HTTP](),
		doc: "Polls until the value at `json` equals `equals`.",
		fields: []entry{
			{name: "url", def: required, format: formatURL, doc: "What is polled.", example: `"http://127.0.0.1:${port.http}/state"`},
			{name: "json", def: required, format: formatPath, doc: "Path of the value.", example: "$.phase"},
			{name: "equals", def: required, doc: "The value, as text.", example: "warmup"},
			{name: "interval", def: "50ms", doc: "Between polls.", example: "20ms"},
		},
	}
}
