package contracts

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/timeline"
)

var allKinds = []timeline.Kind{
	timeline.Exec, timeline.Log, timeline.LogDropped, timeline.PhaseBegin, timeline.PhaseEnd, timeline.FaultArmed, timeline.FaultBite,
	timeline.FaultLifted, timeline.FaultSummary, timeline.Connect, timeline.Undeclared, timeline.Escape, timeline.Accept, timeline.Close,
	timeline.UpstreamError, timeline.Notify, timeline.Mark, timeline.ReadyClaim, timeline.ReadyLost, timeline.Proof, timeline.EarlyProof, timeline.Budget,
	timeline.Stop, timeline.Kill, timeline.Survivor, timeline.Exit, timeline.Restart, timeline.Dependency, timeline.Process,
	timeline.MissingEvidence, timeline.Harness, timeline.Interrupted, timeline.Answer, timeline.End, timeline.Again, timeline.Control, "from.the.future",
}

// everySpec has each contract and every invariant once.
func everySpec() []Spec {
	all := Invariants{NoFalseReady: true, PhaseOrder: true, PhaseBudgets: true, StartupBudget: true, StopsOnSignal: &StopsOnSignal{},
		LogNever: []string{"never", "("}, Retry: &Retry{MaxAttempts: 2, MaxRate: 2, Backoff: BackoffExponential, Jitter: true, MaxParallel: 1, MaxAmplification: 1, GiveUpWithin: seconds(0.02),
			Lockstep: ref(false)}, NoLeakedConnections: &LeakedConnections{Max: 1}, NoLeakedFDs: &LeakedFDs{Growth: 1}, Memory: &Memory{Max: 90, Growth: 10}, Threads: &Threads{Max: 90, Growth: 10},
		NoOrphans: true, NoSecretsInLogs: true, LateReady: &LateReady{}}
	spoken := all
	spoken.Survives = true
	spoken.Expr = []Expr{{Expr: "trial.ready_ms < 5"}, {Expr: "phases.all(p, p.took_ms < 5) && faults.all(f, has(f.armed_ms))"}, {Expr: "nonsense"}}
	expectations := []Expectation{
		{}, {FailFast: &FailFast{Log: "never"}}, {GiveUp: &GiveUp{After: seconds(0.01)}}, {Recover: &Recover{Restarts: 1}}, {Tolerate: &Tolerate{}},
		{Degrade: &Degrade{}}, {Wait: &Wait{}}, {Readiness: "all"},
		{Expr: "trial.restarts == 0", Message: "never restarted"},
	}
	expectations = append(expectations, Expectation{AnyOf: expectations[1:6]}, Expectation{AllOf: expectations[3:5]})
	kubernetes := &orchestrators.Orchestrator{Kubernetes: &orchestrators.Kubernetes{StartupProbe: &orchestrators.Probe{PeriodSeconds: 1},
		LivenessProbe: &orchestrators.Probe{PeriodSeconds: 1}}}
	specs := []Spec{{}, {Control: true, Budget: seconds(1), Invariants: spoken, Orchestrator: kubernetes},
		{Invariants: spoken, Expect: Expectation{Survives: &Survives{}}, Orchestrator: &orchestrators.Orchestrator{Compose: &orchestrators.Compose{}}}}
	for _, e := range expectations {
		s := optional(e)
		s.Invariants, s.Phases[1].Budget = all, seconds(0.01)
		s.Faults = append(s.Faults, Fault{On: "postgres", Kind: "latency", Text: "latency on postgres"})
		specs = append(specs, s)
	}
	pair := refused(Expectation{FailFast: &FailFast{}})
	pair.Replicas, pair.Invariants = 2, all
	asked := optional(Expectation{Stop: &Stop{Log: "never"}})
	asked.Stop, asked.ThenRestart, asked.Invariants = &AskStop{Text: "SIGTERM at phase database", Phase: "database"}, &ThenRestart{Within: seconds(0.02)}, all
	return append(specs, pair, asked)
}

// decode makes events of bytes: five for each.
func decode(data []byte) []timeline.Event {
	pick := func(names []string, b byte) string { return names[int(b)%len(names)] }
	var events []timeline.Event
	now := 0.0
	for len(data) >= 5 && len(events) < 200 {
		a, b, c, d, e := data[0], data[1], data[2], data[3], data[4]
		data = data[5:]
		now += float64(int(b)-20) * float64(1+int(c)%50)
		ev := timeline.Event{ID: len(events), MS: now, Kind: allKinds[int(a)%len(allKinds)]}
		ev.Fault = pick([]string{"f1", "f2", "f3", "", "f0", "fx"}, d)
		ev.Dependency = pick([]string{"postgres", "clickhouse", "redis", "nobody"}, e)
		ev.Phase = pick([]string{"init", "database", "cache", "other", ""}, d)
		ev.Name = pick([]string{thread, "an event is stored", "unknown"}, e)
		ev.Text = pick([]string{"never", "hello", ""}, c)
		ev.Source = pick([]string{"log", "end", "experiment", "ready", "process", "secrets"}, c)
		if c%5 == 0 {
			ev.Secret = []string{"PASSWORD"}
		}
		ev.Claimed, ev.Degraded = c&1 == 1, c&2 == 2
		if d%3 != 0 {
			ev.OK, ev.Code = ref(d%3 == 1), ref(int(c)%4)
		}
		ev.Count = map[string]float64{"took_ms": float64(e), "attempts": float64(int(d) - 9), "open_at_end": float64(c), "connections_hit": 1e300,
			"fds": float64(c), "threads": float64(d), "rss_bytes": float64(e), "max_rss_bytes": float64(d) - 9, "sockets_to.redis": float64(e), "close_wait.redis": float64(d)}
		events = append(events, ev)
	}
	return events
}

func checkAny(t *testing.T, events []timeline.Event) {
	t.Helper()
	for _, s := range everySpec() {
		j := Judge(s, events)
		if len(j.Reasons) == 0 {
			t.Fatalf("a %s without any reason", j.Verdict)
		}
		assertSound(t, s, events, j)
	}
}

// FuzzJudge: whatever a timeline holds, Judge answers, soundly, and the same after a trip through JSON.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("exec log begin armed bite exits observed"))
	f.Add([]byte{0, 20, 1, 0, 0, 3, 30, 1, 1, 0, 5, 21, 0, 0, 0, 6, 21, 0, 0, 0, 17, 21, 0, 0, 0, 19, 21, 1, 0, 1, 31, 22, 0, 0, 0, 21, 22, 0, 0, 0, 24, 22, 0, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) { checkAny(t, decode(data)) })
}

// TestJudgeAnyTimeline is FuzzJudge with more structure: what a runner records, in any order, with pieces missing.
func TestJudgeAnyTimeline(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(r, "data")
		prefix := []byte{0, 20, 1, 0, 0, 3, 30, 1, 1, 0, 5, 21, 0, 0, 0, 6, 21, 0, 0, 0, 5, 21, 0, 1, 0, 6, 21, 0, 1, 0}
		if rapid.Bool().Draw(r, "bitten") {
			data = append(prefix, data...)
		}
		checkAny(t, decode(data))
	})
}
