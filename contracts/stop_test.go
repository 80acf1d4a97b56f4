package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

// asks is the signal of the experiment.
func asks(ms float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Stop, Signal: "SIGTERM", Source: "experiment"}
}

func ended(ms float64, signal string) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Exit, Signal: signal}
}

func TestStop(t *testing.T) {
	starting := tl(exec(0), begin(10, "init"), begin(100, "database"))
	spec := func(c Stop) Spec {
		s := refused(Expectation{Stop: &c})
		s.Faults, s.Stop = nil, &AskStop{Text: "SIGTERM at phase database", Phase: "database"}
		s.Invariants = Invariants{StopsOnSignal: &StopsOnSignal{}, StartupBudget: true, PhaseOrder: true}
		return s
	}
	runCases(t, []judgeCase{
		{"exits with 0", spec(Stop{}), tl(starting, asks(101), observed(102), exits(150, 0)), Pass, "stop",
			"asked to stop with SIGTERM in phase database at 101ms, it exited with code 0 49ms later (allowed 5s)"},
		{"exits with 143", spec(Stop{}), tl(starting, asks(101), observed(102), exits(150, 143)), Pass, "stop", "code 143"},
		{"dies of it", spec(Stop{}), tl(starting, asks(101), observed(102), ended(150, "SIGTERM")), Pass, "stop", "was ended by SIGTERM"},
		{"fails of it", spec(Stop{}), tl(starting, asks(101), observed(102), exits(150, 3)), Fail, "stop", "exited with code 3 at 150ms; expected code 0, code 143 or an end by SIGTERM itself"},
		{"crashes of it", spec(Stop{}), tl(starting, asks(101), observed(102), ended(150, "SIGSEGV")), Fail, "stop", "was ended by SIGSEGV"},
		{"a code of its own", spec(Stop{ExitCode: "7"}), tl(starting, asks(101), observed(102), exits(150, 7)), Pass, "stop", ""},
		{"not that code", spec(Stop{ExitCode: "7"}), tl(starting, asks(101), observed(102), exits(150, 0)), Fail, "stop", "expected code 7"},
		{"any code", spec(Stop{ExitCode: "any"}), tl(starting, asks(101), observed(102), ended(150, "SIGSEGV")), Pass, "stop", ""},
		{"too late", spec(Stop{Within: seconds(1)}), tl(starting, asks(101), observed(102), exits(1200, 0)), Fail, "stop", "only 1.099s later (allowed 1s)"},
		{"has to be killed", spec(Stop{}), tl(starting, asks(101), observed(102), kill(5101), ended(5102, "SIGKILL")), Fail, "stop", "it went on, and was killed at 5.101s"},
		{"says so", spec(Stop{Log: "shutting down"}), tl(starting, asks(101), observed(102), logs(120, "shutting down"), exits(150, 0)), Pass, "stop", "its log says that it stops"},
		{"says nothing", spec(Stop{Log: "shutting down"}), tl(exec(0), logs(1, "never shutting down"), begin(100, "database"), asks(101), observed(102), exits(150, 0)), Fail, "stop", "no line that it logged while it stopped"},
		{"the phase never came", spec(Stop{}), tl(exec(0), begin(10, "init"), exits(50, 1), observed(51)), Inconclusive, "vacuous", "phase database never came"},
		{"it is not known", spec(Stop{}), tl(starting, asks(101), observed(102)), Inconclusive, "stop", "ends before it stopped"},
	})
}

// Whatever a stop under a fault shows, it shows only when the fault had bitten before.
func TestStopUnderAFault(t *testing.T) {
	spec := refused(Expectation{Stop: &Stop{}})
	spec.Stop = &AskStop{Text: "SIGTERM at phase database, after 200ms", Phase: "database"}
	late := tl(exec(0), begin(10, "init"), begin(100, "database"), armed(100, "f1"), asks(300), observed(301), connects(302, "postgres"), bite(302, "f1"), exits(310, 0),
		liftAtEnd(320, "f1"))
	runCases(t, []judgeCase{
		{"bitten", spec, tl(bitten(), asks(300), observed(301), exits(310, 0), liftAtEnd(320, "f1")), Pass, "stop", ""},
		{"not bitten", spec, tl(exec(0), begin(10, "init"), begin(100, "database"), armed(100, "f1"), asks(300), observed(301), exits(310, 0)), Inconclusive, "vacuous", "met no connection"},
		{"bitten only then", spec, late, Inconclusive, "vacuous",
			"came on at 100ms and bit only at 302ms, after the service had been asked to stop at 300ms: how it stops under the fault was not seen"},
	})
	assert.Equal(t, "give the fault its time: a longer `after` under `stop`", Judge(spec, late).Reasons[0].Next)
	unused := Judge(spec, tl(exec(0), begin(100, "database"), armed(100, "f1"), asks(300), observed(301), exits(310, 0)))
	assert.Contains(t, unused.Reasons[0].Next, "a longer `after` under `stop`")
	o := Observe(spec, tl(bitten(), asks(300), observed(301), exits(310, 0))).Outcome
	assert.Equal(t, Outcome{Class: Stopped, AtMS: 310, ExitCode: ref(0), StopMS: ref(300.0)}, o)
	assert.Equal(t, "was asked to stop and exited with code 0 at 310ms", o.Words())
}

func TestThenRestart(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	spec.ThenRestart = &ThenRestart{Within: seconds(10)}
	died := tl(bitten(), exits(200, 3), observed(201), liftAtEnd(210, "f1"))
	again := timeline.Event{MS: 300, Kind: timeline.Again}
	second := timeline.Event{MS: 301, Kind: timeline.Exec, Incarnation: 2}
	good := tl(again, second, claims(900), holds(910, "a thread is stored"), observed(1000), stop(1001), exits(1100, 0))
	trouble := timeline.Event{MS: 400, Kind: timeline.UpstreamError, Dependency: "postgres", Error: "refused"}
	vacuous := tl(exec(0), begin(10, "init"), exits(20, 3), observed(21))
	runCases(t, []judgeCase{
		{"recovers", spec, tl(died, good), Pass, "fail_fast", ""},
		{"is poisoned", spec, tl(died, again, second, logs(400, "the database is dirty"), exits(500, 3), observed(501)), Fail, "then_restart",
			"started again with no fault on, it exited with code 3 at 500ms instead of becoming ready"},
		{"hangs", spec, tl(died, again, second, budget(10301), observed(10302)), Fail, "then_restart", "it was still not ready 10.001s after that (allowed 10s)"},
		{"lies", spec, tl(died, again, second, claims(900), fails(910, "a thread is stored", "503"), observed(3000)), Fail, "then_restart", "`a thread is stored` (910ms: 503)"},
		{"too late", spec, tl(died, again, second, claims(11000), holds(11010, "a thread is stored"), observed(11100)), Fail, "then_restart", "ready only 10.699s later (allowed 10s)"},
		{"is restarted and fails", spec, tl(died, again, second, exits(400, 3), restarts(401, 3), exec(450), exits(600, 3), observed(601)), Fail, "then_restart", "was restarted once"},
		{"was not started again", spec, died, Inconclusive, "then_restart", "it was not started again"},
		{"its dependency was gone", spec, tl(died, again, second, trouble, exits(500, 3), observed(501)), Inconclusive, "upstream", "postgres itself could not be reached"},
		{"the first start showed nothing", spec, tl(vacuous, good), Inconclusive, "vacuous", ""},
		{"the harness failed in the second", spec, tl(died, again, timeline.Event{MS: 302, Kind: timeline.Harness, Error: "no memory"}), Error, "harness", "no memory"},
	})
	o := Observe(spec, tl(died, good))
	assert.Equal(t, Exited, o.Outcome.Class, "the trial is what came before")
	assert.Equal(t, Ready, o.ThenRestart.Class)
	assert.InDelta(t, 900, *o.ThenRestart.ReadyMS, 0)
}
