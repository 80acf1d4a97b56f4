package reports

import (
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

func ref[T any](v T) *T { return &v }

func seconds(s float64) timeline.Duration { return timeline.Duration(s * float64(time.Second)) }

type ev = timeline.Event

func numbered(events ...ev) []ev {
	for i := range events {
		events[i].ID = i
	}
	return events
}

func spec(title string, expect contracts.Expectation) contracts.Spec {
	return contracts.Spec{
		Title: title, Budget: seconds(30), Grace: seconds(5), StopSignal: "SIGTERM",
		Phases:       []contracts.Phase{{Name: "init"}, {Name: "database"}, {Name: "cache"}},
		Dependencies: map[string]contracts.Dependency{"postgres": {Required: true}, "clickhouse": {}},
		Readiness:    []contracts.Proof{{Name: "a thread is stored", Needs: []string{"postgres"}}},
		Faults:       []contracts.Fault{{On: "postgres", Kind: "refuse", Text: "refuse on postgres during database", Phase: "database"}},
		Expect:       expect,
		Invariants:   contracts.Invariants{NoFalseReady: true, PhaseOrder: true, StopsOnSignal: &contracts.StopsOnSignal{}},
	}
}

var failsFast = contracts.Expectation{Name: "fails-fast", FailFast: &contracts.FailFast{Within: seconds(5), Log: "(?i)postgres"}}

func begun() []ev {
	return []ev{
		{MS: 0, Kind: timeline.Exec, Text: "bin/smd --serve after", Incarnation: 1},
		{MS: 8.25, Kind: timeline.Log, Stream: "stdout", Text: "PHASE TRANSITION -> INIT"},
		{MS: 8.3, Kind: timeline.PhaseBegin, Phase: "init", Source: "log"},
		{MS: 20, Kind: timeline.Log, Stream: "stdout", Text: "PHASE TRANSITION -> DATABASE"},
		{MS: 20.1, Kind: timeline.PhaseBegin, Phase: "database", Source: "log"},
		{MS: 20.1, Kind: timeline.FaultArmed, Fault: "f1", Dependency: "postgres", Text: "refuse"},
		{MS: 21.5, Kind: timeline.Connect, Dependency: "postgres", Target: "127.0.0.1:40001", Result: "refused", Error: "ECONNREFUSED"},
		{MS: 21.5, Kind: timeline.FaultBite, Fault: "f1", Dependency: "postgres", Connection: 1, Text: "refused connection 1"},
	}
}

func diedWell() []ev {
	return numbered(append(begun(),
		ev{MS: 30, Kind: timeline.Log, Stream: "stderr", Text: "PHASE FAILED: DATABASE - dial postgres: connection refused"},
		ev{MS: 35.5, Kind: timeline.Exit, Code: ref(3)},
		ev{MS: 36, Kind: timeline.End, Text: "the service exited"},
		ev{MS: 36.5, Kind: timeline.FaultLifted, Fault: "f1", Dependency: "postgres", Text: "the trial is over", Source: "end"},
		ev{MS: 37, Kind: timeline.Process, Count: map[string]float64{"cpu_ms": 12, "max_rss_bytes": 9e6}})...)
}

func hung() []ev {
	events := begun()
	for i := range 40 {
		events = append(events, ev{MS: 100 + 500*float64(i), Kind: timeline.Log, Stream: "stdout", Text: "\x1b[33mretrying\x1b[0m \x07postgres ]]> <&>"})
	}
	return numbered(append(events,
		ev{MS: 30000, Kind: timeline.Budget, Text: "neither ready nor gone after 30s"},
		ev{MS: 30000.4, Kind: timeline.End, Text: "its budget is over"},
		ev{MS: 30001, Kind: timeline.Stop, Signal: "SIGTERM"},
		ev{MS: 35002, Kind: timeline.Exit, Signal: "SIGKILL"},
		ev{MS: 35003, Kind: timeline.Kill, Text: "still alive 5s after SIGTERM"})...)
}

func ready() []ev {
	return numbered(
		ev{MS: 0, Kind: timeline.Exec, Text: "bin/smd"},
		ev{MS: 8, Kind: timeline.PhaseBegin, Phase: "init", Source: "log"},
		ev{MS: 20, Kind: timeline.PhaseBegin, Phase: "database", Source: "log"},
		ev{MS: 90, Kind: timeline.ReadyClaim, Text: `{"status":"ok"}`},
		ev{MS: 95, Kind: timeline.Proof, Name: "a thread is stored", OK: ref(true), Claimed: true, Count: map[string]float64{"took_ms": 4}},
		ev{MS: 100, Kind: timeline.MissingEvidence, Text: "no connect interceptor: refused attempts are not counted"},
		ev{MS: 101, Kind: timeline.End, Text: "it is ready and every fault is over"},
		ev{MS: 102, Kind: timeline.Stop, Signal: "SIGTERM"},
		ev{MS: 110, Kind: timeline.Exit, Code: ref(0)})
}

func diedAlone() []ev {
	return numbered(
		ev{MS: 0, Kind: timeline.Exec, Text: "bin/smd --strict"},
		ev{MS: 4, Kind: timeline.Log, Stream: "stderr", Text: "config: DATABASE_URL is not set"},
		ev{MS: 5, Kind: timeline.Exit, Code: ref(1)},
		ev{MS: 6, Kind: timeline.End, Text: "the service exited"})
}

func broken() []ev {
	return numbered(ev{MS: 0, Kind: timeline.Harness, Error: "listen 127.0.0.1:5432: address already in use"})
}

func control(title, start string, events []ev) Trial {
	s := spec(title, contracts.Expectation{})
	s.Control, s.Faults = true, nil
	return Trial{Title: title, Control: true, Start: start, Seed: 11, Repeat: 1, Spec: s, Timeline: events, Replay: "chaos run --only '^" + title + "$'"}
}

func trial(experiment, start string, repeat int, cell map[string]string, events []ev) Trial {
	title := experiment
	if key := cellKey(cell); key != "" {
		title += " [" + key + "]"
	}
	if repeat > 0 {
		title += " #" + string(rune('0'+repeat))
	}
	return Trial{
		Experiment: experiment, Title: title, Start: start, Cell: cell, Repeat: max(1, repeat), Seed: 7, Spec: spec(title, failsFast), Timeline: events,
		Replay: "chaos run experiments.yaml --seed 1 --only '^" + title + "$'",
	}
}

// handmade is a report with one of everything.
func handmade() *Report {
	r := New("v0.1.0", "experiments.yaml", 1, time.Date(2025, 11, 23, 17, 30, 0, 0, time.UTC))
	r.Tool.Go, r.Tool.OS, r.Tool.Arch = "go1.26.8", "linux", "amd64"
	r.DurationMS = 42123.4
	r.Dependencies = []Dependency{
		{Name: "postgres", Version: "PostgreSQL 15.14", Address: "127.0.0.1:40000", Required: true},
		{Name: "clickhouse", Version: "ClickHouse protocol in memory, not ClickHouse", Standin: true},
	}
	vacuous := numbered(ev{MS: 0, Kind: timeline.Exec, Text: "bin/smd"}, ev{MS: 8, Kind: timeline.PhaseBegin, Phase: "init", Source: "log"},
		ev{MS: 9, Kind: timeline.Log, Stream: "stdout", Text: "checking licence"}, ev{MS: 10, Kind: timeline.Exit, Code: ref(1)}, ev{MS: 11, Kind: timeline.End})
	wobbly := trial("it wobbles, and may", "a", 2, nil, hung())
	wobblier := trial("it wobbles, and may", "a", 1, nil, diedWell())
	wobbly.AllowUnstable, wobblier.AllowUnstable = true, true
	r.Trials = []Trial{
		control("control: smd", "a", ready()),
		control("control: smd (STRICT=1)", "b", diedAlone()),
		trial("postgres is down when the database phase begins", "a", 0, nil, diedWell()),
		trial("postgres fails in DATABASE", "a", 0, map[string]string{"fault": "refuse"}, diedWell()),
		trial("postgres fails in DATABASE", "a", 0, map[string]string{"fault": "blackhole"}, hung()),
		trial("one run misleads", "a", 1, nil, diedWell()),
		trial("one run misleads", "a", 2, nil, hung()),
		trial("one run misleads", "a", 3, nil, hung()),
		wobblier, wobbly,
		trial("the phase never comes", "a", 0, nil, vacuous),
		trial("the port is taken", "a", 0, nil, broken()),
		trial("the port is taken again", "a", 0, nil, broken()),
		trial("strict: postgres is down", "b", 0, nil, nil),
		trial("strict: redis is down", "b", 1, nil, nil),
		trial("strict: redis is down", "b", 2, nil, nil),
	}
	r.Judge()
	return r
}
