package contracts

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// tl numbers events as a recorder would.
func tl(parts ...any) []timeline.Event {
	var out []timeline.Event
	for _, p := range parts {
		switch v := p.(type) {
		case timeline.Event:
			out = append(out, v)
		case []timeline.Event:
			out = append(out, v...)
		}
	}
	for i := range out {
		out[i].ID = i
	}
	return out
}

func exec(ms float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Exec, Text: "bin/smd"}
}

func logs(ms float64, text string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Log, Stream: "stdout", Text: text}
}

func begin(ms float64, phase string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.PhaseBegin, Phase: phase, Source: "log"}
}

func polled(ms float64, phase string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.PhaseBegin, Phase: phase, Source: "http", Inexact: true}
}

func ends(ms float64, phase string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.PhaseEnd, Phase: phase, Source: "log"}
}

func armed(ms float64, fault string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.FaultArmed, Fault: fault}
}

func bite(ms float64, fault string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.FaultBite, Fault: fault}
}

func lift(ms float64, fault string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.FaultLifted, Fault: fault, Text: "its time was over"}
}

func liftAtEnd(ms float64, fault string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.FaultLifted, Fault: fault, Source: "end"}
}

// liftBecause is a lift with its reason in words and as a source.
func liftBecause(ms float64, text, source string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.FaultLifted, Fault: "f1", Text: text, Source: source}
}

// gone is an exit in the database phase that ends the phase, and with it the fault, in the order in which a runner may see it.
func gone(phase, exit, lift float64) []timeline.Event {
	end := ends(phase, "database")
	end.Source = "exit"
	all := []timeline.Event{end, liftBecause(lift, "phase database ended", ""), exits(exit, 3)}
	slices.SortStableFunc(all, func(a, b timeline.Event) int { return cmp.Compare(a.MS, b.MS) })
	return all
}

func claims(ms float64) timeline.Event { return timeline.Event{MS: ms, Kind: timeline.ReadyClaim} }

func claimsDegraded(ms float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.ReadyClaim, Degraded: true}
}

func lost(ms float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.ReadyLost, Error: "503"}
}

func holds(ms float64, name string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Proof, Name: name, OK: ref(true), Claimed: true}
}

// fails is a failed attempt after which the service still claimed to be ready.
func fails(ms float64, name, err string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Proof, Name: name, OK: ref(false), Claimed: true, Error: err}
}

func exits(ms float64, code int) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Exit, Code: ref(code)}
}

func restarts(ms float64, next int) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Restart, Incarnation: next}
}

func budget(ms float64) timeline.Event { return timeline.Event{MS: ms, Kind: timeline.Budget} }

func observed(ms float64) timeline.Event { return timeline.Event{MS: ms, Kind: timeline.End} }

func stop(ms float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Stop, Signal: "SIGTERM"}
}

func kill(ms float64) timeline.Event { return timeline.Event{MS: ms, Kind: timeline.Kill} }

func connects(ms float64, dep string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Connect, Dependency: dep, Result: "allowed"}
}

func accepts(ms float64, dep string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Accept, Dependency: dep}
}

func figures(ms float64, dep string, count map[string]float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Dependency, Dependency: dep, Count: count}
}

func seconds(s float64) timeline.Duration { return timeline.Duration(s * float64(time.Second)) }

// refused is a spec with one fault: postgres refuses during the database phase.
func refused(expect Expectation) Spec {
	return Spec{
		Title: "postgres is down", Budget: seconds(30), Grace: seconds(5), StopSignal: "SIGTERM",
		Phases: []Phase{{Name: "init"}, {Name: "database"}, {Name: "cache"}},
		Dependencies: map[string]Dependency{
			"postgres": {Required: true}, "redis": {Required: true}, "clickhouse": {Required: false},
		},
		Readiness: []Proof{{Name: "a thread is stored", Needs: []string{"postgres"}}},
		Faults:    []Fault{{On: "postgres", Kind: "refuse", Text: "refuse on postgres during database", Phase: "database"}},
		Expect:    expect,
	}
}

// optional is a spec with a fault on the dependency that the service may be ready without.
func optional(expect Expectation) Spec {
	s := refused(expect)
	s.Faults = []Fault{{On: "clickhouse", Kind: "refuse", Text: "refuse on clickhouse during database", Phase: "database"}}
	s.Readiness = append(s.Readiness, Proof{Name: "an event is stored", Needs: []string{"clickhouse"}})
	return s
}

// bitten is a start in which the fault comes on and bites in the database phase, at 110 ms.
func bitten() []timeline.Event {
	return tl(exec(0), begin(10, "init"), begin(100, "database"), armed(100, "f1"), bite(110, "f1"))
}

// judgeCase is one row of the tables: a timeline, and what must be said about it.
type judgeCase struct {
	name    string
	spec    Spec
	events  []timeline.Event
	verdict Verdict
	rule    string // of the first reason
	says    string // part of the text of some reason of that rule
}

func runCases(t *testing.T, cases []judgeCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			j := Judge(c.spec, c.events)
			require.NotEmpty(t, j.Reasons)
			assert.Equal(t, c.verdict, j.Verdict, "reasons: %s", dump(j))
			assert.Equal(t, c.rule, j.Reasons[0].Rule, "reasons: %s", dump(j))
			assert.Contains(t, said(j, c.rule), c.says)
			assertSound(t, c.spec, c.events, j)
		})
	}
}

// assertSound checks what must be true of every judgment: its evidence exists, its reasons are whole, and judging the events
// again after a trip through JSON gives the same.
func assertSound(t *testing.T, s Spec, events []timeline.Event, j Judgment) {
	t.Helper()
	ids := map[int]bool{}
	for _, e := range events {
		ids[e.ID] = true
	}
	for _, r := range j.Reasons {
		assert.NotEmpty(t, r.Text)
		assert.NotEmpty(t, r.State)
		assert.NotContains(t, r.Text, "%!")
		for _, id := range r.Evidence {
			assert.True(t, ids[id], "reason cites event %d, which does not exist: %s", id, r.Text)
		}
		if r.State == Violated {
			assert.NotEmpty(t, r.Evidence, "nothing is violated without evidence: %s", r.Text)
		}
	}
	if j.Verdict == Pass {
		for _, r := range j.Reasons {
			assert.Contains(t, []State{Held, Note}, r.State, r.Text)
		}
	}
	var spec Spec
	var again []timeline.Event
	roundTrip(t, s, &spec)
	roundTrip(t, events, &again)
	assert.Equal(t, j, Judge(spec, again))
	assert.Equal(t, Observe(s, events), Observe(spec, again))
}

func roundTrip(t *testing.T, from, to any) {
	t.Helper()
	data, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, to))
}

func said(j Judgment, rule string) string {
	var texts []string
	for _, r := range j.Reasons {
		if r.Rule == rule {
			texts = append(texts, r.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func dump(j Judgment) string {
	var b strings.Builder
	for _, r := range j.Reasons {
		b.WriteString("\n  [" + r.Rule + " " + string(r.State) + "] " + r.Text)
	}
	return b.String()
}
