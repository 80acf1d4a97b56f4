package contracts

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

func TestNeverBlameTheServiceForTheHarness(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(5)}})
	spec.Invariants = Invariants{NoFalseReady: true, PhaseOrder: true}
	broken := timeline.Event{MS: 50, Kind: timeline.Harness, Error: "listen 127.0.0.1:5432: address already in use"}
	ctrlC := timeline.Event{MS: 120, Kind: timeline.Interrupted}
	around := timeline.Event{MS: 115, Kind: timeline.Escape, Dependency: "postgres", Target: "127.0.0.1:5432"}
	elsewhere := timeline.Event{MS: 115, Kind: timeline.Escape, Dependency: "redis", Target: "127.0.0.1:6379"}
	summary := timeline.Event{MS: 162, Kind: timeline.FaultSummary, Fault: "f1", Count: map[string]float64{"escaped": 2}}
	hung := tl(budget(30000), observed(30000))
	runCases(t, []judgeCase{
		{"the harness fails", spec, tl(bitten(), broken, hung), Error, "harness", "address already in use"},
		{"it never started", spec, tl(broken), Error, "harness", "address already in use"},
		{"interrupted", spec, tl(bitten(), ctrlC), Inconclusive, "interrupted", "interrupted at 120ms"},
		{"interrupted before it began", spec, tl(ctrlC), Inconclusive, "interrupted", "before this trial began"},
		{"what an interruption breaks", spec, tl(bitten(), ctrlC, broken), Inconclusive, "interrupted", "interrupted"},
		{"broken before it was interrupted", spec, tl(bitten(), broken, ctrlC), Error, "harness", "in use"},
		{"escaped", spec, tl(bitten(), around, exits(160, 3), observed(161)), Inconclusive, "escaped", "reached postgres around the proxy once, first at 115ms to 127.0.0.1:5432"},
		{"escaped, and would have failed", spec, tl(bitten(), around, hung), Inconclusive, "escaped", "postgres"},
		{"escaped by the figures", spec, tl(bitten(), exits(160, 3), observed(161), summary), Inconclusive, "escaped", "2 times"},
		{"an escape elsewhere", spec, tl(bitten(), elsewhere, exits(160, 3), observed(161)), Pass, "fail_fast", ""},
		{"nothing seen", spec, nil, Inconclusive, "not_started", "does not show that the service was ever started"},
		{"breaks off", spec, bitten(), Inconclusive, "evidence", "breaks off at 110ms"},
	})
}

func TestVacuous(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(5)}})
	spec.Invariants.PhaseOrder = true
	triggered := refused(Expectation{FailFast: &FailFast{}})
	triggered.Faults[0] = Fault{On: "postgres", Kind: "reset", Text: "reset on postgres when it sends ALTER TABLE"}
	named := refused(Expectation{FailFast: &FailFast{}})
	named.Faults[0].Kind = "dns"
	asks := timeline.Event{MS: 15, Kind: timeline.Resolve, Dependency: "postgres", Name: "db", Text: "A", Result: "answered"}
	died := tl(logs(40, "config is missing"), exits(50, 1), observed(51))
	shared, drawn := refused(Expectation{FailFast: &FailFast{}}), named
	drawn.Faults = slices.Clone(named.Faults)
	shared.Faults[0].Toxicity, drawn.Faults[0].Toxicity = 0.05, 0.5
	used := tl(exec(0), begin(10, "init"), begin(20, "database"), armed(20, "f1"), connects(22, "postgres"), accepts(23, "postgres"), accepts(24, "redis"), lift(30, "f1"), accepts(31, "postgres"), claims(40), observed(50))
	asked := tl(exec(0), begin(10, "init"), begin(20, "database"), armed(20, "f1"), asks, lift(30, "f1"), claims(40), observed(50))
	runCases(t, []judgeCase{
		{"spared by the draw", shared, used, Inconclusive, "vacuous", "was on from 20ms to 30ms and spared what came in that time (1 connection): its toxicity is 0.05, and the draw chose none"},
		{"lookups spared by the draw", drawn, asked, Inconclusive, "vacuous", "spared what came in that time (1 lookup)"},
		{"nothing that it acts on", spec, used, Inconclusive, "vacuous", "postgres was used in that time (1 connection), and nothing passed that it acts on"},
		{"its phase never came", spec, tl(exec(0), begin(10, "init"), died), Inconclusive, "vacuous", "phase database never came, so `refuse on postgres during database` never came on; phases seen: init; the service exited with code 1 at 50ms"},
		{"no phase came", spec, tl(exec(0), died), Inconclusive, "vacuous", "no phase was seen at all"},
		{"its trigger never matched", triggered, tl(exec(0), begin(10, "init"), claims(100), observed(200)), Inconclusive, "vacuous", "the moment it waits for never came"},
		{"the phase came, the fault did not", spec, tl(exec(0), begin(10, "init"), begin(20, "database"), died), Inconclusive, "vacuous", "never came on"},
		{"never bit", spec, tl(exec(0), begin(10, "init"), accepts(15, "postgres"), begin(20, "database"), armed(20, "f1"), lift(30, "f1"), begin(30, "cache"), claims(40), observed(50)),
			Inconclusive, "vacuous", "was on from 20ms to 30ms but met no connection and no byte: postgres was not used in that time"},
		{"a name that was not looked up in its phase", named, tl(exec(0), begin(10, "init"), asks, begin(20, "database"), armed(20, "f1"), accepts(25, "postgres"), lift(30, "f1"), begin(30, "cache"), claims(40), observed(50)),
			Inconclusive, "vacuous", "met no query: no name of postgres was looked up in that time"},
		{"a bite during the stop is none", spec, tl(exec(0), begin(10, "init"), begin(20, "database"), armed(20, "f1"), claims(40), observed(50), stop(51), bite(52, "f1"), exits(60, 0)),
			Inconclusive, "vacuous", "was not used in that time, only at 52ms, when observation was over"},
		{"a violation stands on its own", spec, tl(exec(0), begin(10, "cache"), begin(20, "init"), died), Fail, "phase_order", "although init and database had not"},
	})

	assert.Contains(t, Judge(shared, used).Reasons[0].Next, "raise toxicity")
	j := Judge(spec, tl(exec(0), begin(10, "init"), accepts(15, "postgres"), begin(20, "database"), armed(20, "f1"), claims(40), observed(50)))
	assert.Equal(t, "let it come on when postgres is used: connections to it began in phase init", j.Reasons[0].Next)

	events := tl(exec(0))
	for i := range 30 {
		events = tl(events, logs(float64(i), "line"))
	}
	j = Judge(spec, tl(events, exits(50, 1), observed(51)))
	assert.Equal(t, []int{11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30}, j.Reasons[0].Evidence, "the last twenty lines are shown")
}

func TestControl(t *testing.T) {
	spec := plain(Invariants{})
	spec.Control = true
	liar := Judge(spec, tl(exec(0), claims(300), fails(350, thread, "500"), observed(400)))
	assert.Contains(t, liar.Reasons[0].Next, "it claims to be ready, with nothing injected, and is not")
	upstream := timeline.Event{MS: 15, Kind: timeline.UpstreamError, Dependency: "postgres", Error: "dial tcp 127.0.0.1:5432: connection refused"}
	runCases(t, []judgeCase{
		{"ready with every proof", spec, tl(up(), observed(400)), Pass, "control", "ready at 300ms"},
		{"degraded", spec, tl(exec(0), claimsDegraded(300), holds(350, thread), observed(400)), Pass, "control", "degraded, by its own word"},
		{"a proof fails", spec, tl(exec(0), claims(300), fails(350, thread, "500"), observed(400)), Fail, "control", "did not hold"},
		{"a proof was not tried", spec, tl(exec(0), claims(300), observed(400)), Inconclusive, "control", "never tried"},
		{"exits", spec, tl(exec(0), logs(5, "no DATABASE_URL"), exits(10, 1), observed(11)), Fail, "control", "exited with code 1 at 10ms instead of becoming ready"},
		{"hangs", spec, tl(exec(0), budget(30000), observed(30000)), Fail, "control", "still not ready 30s after its start (allowed 30s)"},
		{"its dependency is gone", spec, tl(exec(0), upstream, exits(20, 1), observed(21)), Fail, "upstream", "postgres itself could not be reached at 15ms, with no fault on it"},
	})
}

func TestUpstreamTrouble(t *testing.T) {
	spec := refused(Expectation{Recover: &Recover{Within: seconds(1)}})
	spec.Invariants.StartupBudget = true
	trouble := func(ms float64, dep string) timeline.Event {
		return timeline.Event{MS: ms, Kind: timeline.UpstreamError, Dependency: dep, Error: "connection refused"}
	}
	hung := tl(budget(30000), observed(30000))
	lying := refused(Expectation{Recover: &Recover{Within: seconds(1)}})
	lying.Invariants.NoFalseReady = true
	runCases(t, []judgeCase{
		{"a required one is gone", spec, tl(bitten(), lift(500, "f1"), trouble(600, "postgres"), hung), Inconclusive, "upstream", "postgres itself could not be reached"},
		{"an optional one is gone", spec, tl(bitten(), lift(500, "f1"), trouble(600, "clickhouse"), hung), Fail, "recover", "still not ready"},
		{"under its fault", spec, tl(bitten(), trouble(300, "postgres"), lift(500, "f1"), hung), Fail, "recover", "still not ready"},
		{"it recovers all the same", spec, tl(bitten(), lift(500, "f1"), trouble(600, "postgres"), claims(700), holds(710, thread), observed(800)), Pass, "recover", ""},
		{"a lie is still a lie", lying, tl(bitten(), lift(500, "f1"), trouble(600, "postgres"), claims(700), fails(710, thread, "x"), hung), Fail, "recover", ""},
	})
}

func TestOutcome(t *testing.T) {
	spec := plain(Invariants{})
	stopped := tl(observed(900), stop(901), exits(902, 0))
	cases := []struct {
		name   string
		events []timeline.Event
		class  Class
		at     float64
	}{
		{"ready", tl(up(), stopped), Ready, 300},
		{"degraded", tl(exec(0), claimsDegraded(300), stopped), Degraded, 300},
		{"the last claim stands", tl(exec(0), claims(300), lost(400), claims(500), stopped), Ready, 500},
		{"exited", tl(exec(0), exits(300, 1), observed(301)), Exited, 300},
		{"exited after ready", tl(exec(0), claims(200), exits(300, 1), observed(301)), Exited, 300},
		{"hung", tl(exec(0), budget(800), stopped), Hung, 800},
		{"alive, no longer ready", tl(exec(0), claims(200), lost(300), stopped), Hung, 900},
		{"false ready", tl(exec(0), claims(200), fails(300, thread, "x"), stopped), FalseReady, 200},
		{"restarting", tl(exec(0), exits(300, 1), restarts(301, 2), exec(400), exits(700, 1), stopped), Restarting, 700},
		{"restarted, then ready", tl(exec(0), exits(300, 1), restarts(301, 2), exec(400), claims(700), stopped), Ready, 700},
		{"unknown", tl(exec(0)), Unknown, 0},
		{"nothing", nil, Unknown, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := Observe(spec, c.events).Outcome
			assert.Equal(t, c.class, o.Class)
			assert.InDelta(t, c.at, o.AtMS, 1e-9)
			assert.NotEmpty(t, o.Words())
		})
	}
	exited := Observe(spec, tl(exec(0), claims(200), exits(300, 7), observed(301))).Outcome
	assert.Nil(t, exited.ReadyMS, "a claim that does not stand is no ready time")
	require.NotNil(t, exited.ExitCode)
	assert.Equal(t, 7, *exited.ExitCode)
	assert.Nil(t, Observe(spec, tl(up(), stopped)).Outcome.ExitCode, "the exit after a stop is not the outcome")
}

func TestObserve(t *testing.T) {
	spec := optional(Expectation{})
	summary := timeline.Event{MS: 960, Kind: timeline.FaultSummary, Fault: "f1", Count: map[string]float64{"connections_hit": 3, "bytes_hit": 42}}
	o := Observe(spec, tl(bitten(), connects(111, "clickhouse"), connects(130, "clickhouse"), ends(180, "database"), begin(200, "cache"), lift(250, "f1"),
		claims(300), holds(310, thread), fails(320, "an event is stored", "refused"), observed(900),
		figures(901, "clickhouse", map[string]float64{"attempts": 2, "refused": 2, "accepted": 0}),
		timeline.Event{MS: 902, Kind: timeline.Process, Count: map[string]float64{"fds": 9}}, stop(950), exits(955, 0), summary))
	assert.Equal(t, []PhaseSpan{
		{Name: "init", BeginMS: 10, EndMS: ref(100.0), Exact: true},
		{Name: "database", BeginMS: 100, EndMS: ref(180.0), Exact: true},
		{Name: "cache", BeginMS: 200, Exact: true},
	}, o.Phases)
	assert.Equal(t, []FaultSpan{{On: "clickhouse", Kind: "refuse", Text: "refuse on clickhouse during database", ArmedMS: ref(100.0), FirstBiteMS: ref(110.0),
		LiftedMS: ref(250.0), ConnectionsHit: 3, BytesHit: 42}}, o.Faults)
	assert.Equal(t, DependencyFigures{Attempts: ref(2), Refused: ref(2), AttemptMS: []float64{111, 130}}, o.Dependencies["clickhouse"])
	assert.Nil(t, o.Dependencies["postgres"].Attempts, "what was not counted is not zero")
	assert.Equal(t, []ProofResult{
		{Name: thread, OK: true, AtMS: 310, HeldMS: ref(310.0)},
		{Name: "an event is stored", AtMS: 320, Error: "refused"},
	}, o.Readiness)
	assert.Equal(t, map[string]float64{"fds": 9}, o.Process)
}

func TestMillis(t *testing.T) {
	for ms, want := range map[float64]string{0: "0ms", 0.42: "0.4ms", 84.4: "84ms", 1000: "1s", 5070: "5.07s", 5004: "5.004s", 120000: "120s", -20: "-20ms"} {
		assert.Equal(t, want, Millis(ms))
	}
}
