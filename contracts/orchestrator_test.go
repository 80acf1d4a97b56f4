package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/timeline"
)

func answers(ms float64, name string, yes bool) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Answer, Name: name, OK: ref(yes)}
}

func notifies(ms float64, text string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Notify, Text: text}
}

func TestSurvivesOrchestrator(t *testing.T) {
	thirty := orchestrators.Orchestrator{Kubernetes: &orchestrators.Kubernetes{StartupProbe: &orchestrators.Probe{}}}
	unit := orchestrators.Orchestrator{Systemd: &orchestrators.Systemd{Restart: "on-failure"}}
	notify := orchestrators.Orchestrator{Systemd: &orchestrators.Systemd{Type: "notify", TimeoutStartSec: ref(seconds(30))}}
	invariant := func(o orchestrators.Orchestrator) Spec {
		s := plain(Invariants{Survives: true})
		s.Readiness, s.Orchestrator, s.Budget = nil, &o, seconds(60)
		return s
	}
	contract := invariant(thirty)
	contract.Invariants, contract.Expect = Invariants{}, Expectation{Survives: &Survives{}}
	nobody := contract
	nobody.Orchestrator = nil
	transient := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	transient.Orchestrator, transient.Invariants.Survives = &unit, true
	transient.Faults[0].For = seconds(3)
	waits := refused(Expectation{Wait: &Wait{}})
	waits.Orchestrator, waits.Invariants.Survives = &orchestrators.Orchestrator{Kubernetes: &orchestrators.Kubernetes{StartupProbe: &orchestrators.Probe{FailureThreshold: 30}}}, true
	restarted := tl(exec(0), exits(500, 1), restarts(501, 2), exec(1000), claims(36_000), observed(36_100))
	runCases(t, []judgeCase{
		{"ready in time", invariant(thirty), tl(exec(0), claims(1000), observed(1100)), Pass, "ready", ""},
		{"ready too late", invariant(thirty), tl(exec(0), claims(34_200), observed(34_300)), Fail, "survives_orchestrator",
			"Kubernetes would have killed it at 31.0 s at the latest, perhaps at 20.0 s already (startupProbe: 3 failures x 10 s), it was ready at 34.2 s; restarts at"},
		{"perhaps too late", invariant(thirty), tl(exec(0), claims(25_000), observed(25_100)), Inconclusive, "survives_orchestrator", "may have killed it"},
		{"each start counts from its own exec", invariant(thirty), restarted, Fail, "survives_orchestrator", "it was ready at 35.0 s"},
		{"the contract wants it ready", contract, tl(exec(0), exits(500, 3), observed(501)), Fail, "survives_orchestrator", "exited with code 3 at 500ms instead of becoming ready"},
		{"and it is", contract, tl(exec(0), claims(1000), observed(1100)), Pass, "survives_orchestrator", "it was ready at 1.0 s"},
		{"nobody was named", nobody, tl(exec(0), claims(1000), observed(1100)), Inconclusive, "survives_orchestrator", "no orchestrator is given"},
		{"given up for good although the fault goes off", transient, tl(bitten(), exits(200, 3), observed(201)), Fail, "survives_orchestrator",
			"5 starts within 10.0 s (StartLimitBurst, StartLimitIntervalSec) (at 1.4 s); the fault went off at 3.1 s: it would have stayed down"},
		{"waiting was asked for", waits, tl(bitten(), budget(30_000), observed(30_001)), Pass, "survives_orchestrator", "not counted: the experiment asks it to wait"},
		{"READY=1 in time", invariant(notify), tl(exec(0), timeline.Event{MS: 20_000, Kind: timeline.Notify, Text: "READY=1"}, claims(34_000), observed(34_100)), Pass, "ready", ""},
		{"READY=1 too late", invariant(notify), tl(exec(0), claims(20_000), timeline.Event{MS: 33_000, Kind: timeline.Notify, Text: "READY=1"}, observed(34_100)), Fail,
			"survives_orchestrator", "systemd would have stopped it at 30.0 s"},
		{"its own answers", invariant(thirty), tl(exec(0), answers(5, "startupProbe", false), answers(900, "startupProbe", true), claims(40_000), observed(40_100)), Pass, "ready", ""},
		{"its own answers come late", invariant(thirty), tl(exec(0), answers(5, "startupProbe", false), claims(10_000), answers(33_000, "startupProbe", true), observed(33_100)), Fail,
			"survives_orchestrator", "31.0 s at the latest"},
		{"READY=1 is a line of its own", invariant(notify), tl(exec(0), notifies(10_000, "STATUS=not READY=1"), claims(20_000), observed(34_100)), Fail,
			"survives_orchestrator", "systemd would have stopped it at 30.0 s"},
		{"READY=1 among other lines", invariant(notify), tl(exec(0), notifies(10_000, "STATUS=up\nREADY=1"), claims(34_000), observed(34_100)), Pass, "ready", ""},
		{"it asks for more time", invariant(notify), tl(exec(0), notifies(25_000, "EXTEND_TIMEOUT_USEC=20000000"), notifies(40_000, "READY=1"), claims(40_000), observed(40_100)), Pass,
			"ready", ""},
		{"but not for ever", invariant(notify), tl(exec(0), notifies(25_000, "EXTEND_TIMEOUT_USEC=18446744073709551615"), notifies(40_000, "READY=1"), claims(40_000), observed(40_100)), Fail,
			"survives_orchestrator", "systemd would have stopped it at 30.0 s"},
		{"what could not be asked is open", invariant(thirty), tl(exec(0), timeline.Event{MS: 1, Kind: timeline.MissingEvidence, Source: "orchestrator", Name: "startupProbe",
			Text: "the startupProbe asks port 9090"}, claims(40_000), observed(40_100)), Inconclusive, "survives_orchestrator", "the startupProbe asks port 9090"},
	})
	abort := transient
	abort.Orchestrator = &orchestrators.Orchestrator{Systemd: &orchestrators.Systemd{Restart: "on-abort", RestartSec: ref(seconds(5))}}
	killed := timeline.Event{MS: 200, Kind: timeline.Exit, Signal: "SIGSEGV"}
	assert.Contains(t, Judge(abort, tl(bitten(), killed, observed(201))).Reasons[0].Text, "is that at 5.2 s")
	exited := Judge(transient, tl(bitten(), exits(200, 3), observed(201)))
	assert.Contains(t, exited.Reasons[0].Next, "RestartSec")
}

// Every replica starts for itself, and the start that then_restart asks for is not one of those that the fault was about.
func TestStartsOfReplicas(t *testing.T) {
	s := replicated(2, nil)
	all := Starts(s, tl(of(1, exec(0), claims(1000)), of(2, exec(500), claims(4500)), observed(5000)))
	assert.Len(t, all, 2)
	assert.InDelta(t, 1000, all[0].Ready[0].From, 1e-9)
	assert.InDelta(t, 4000, all[1].Ready[0].From, 1e-9)
	over := Starts(plain(Invariants{}), tl(exec(0), answers(50, "startupProbe", true), exits(100, 3), answers(150, "startupProbe", false), observed(201)))
	assert.Equal(t, []orchestrators.Span{{From: 50, To: 100}}, over[0].Answers["startupProbe"], "it answers no longer than it lives")
	again := Starts(plain(Invariants{}), tl(exec(0), exits(100, 3), observed(101), timeline.Event{MS: 102, Kind: timeline.Again}, exec(103), claims(9000), observed(9100)))
	assert.Len(t, again, 1)
}
