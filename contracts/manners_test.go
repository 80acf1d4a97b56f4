package contracts

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/chaos-startup/chaos/timeline"
)

// holdsOf are figures of the service's processes.
func holdsOf(ms float64, source string, count map[string]float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.Process, Source: source, Count: count}
}

func control(count map[string]float64) timeline.Event {
	return timeline.Event{Kind: timeline.Control, Count: count}
}

func unreadable(ms float64) timeline.Event {
	return timeline.Event{MS: ms, Kind: timeline.MissingEvidence, Source: "process", Text: "permission denied"}
}

// survived is a start under a fault that the service got over.
func survived() []timeline.Event {
	return tl(bitten(), lift(300, "f1"), claims(400), holds(410, "a thread is stored"))
}

func recovering(v Invariants) Spec {
	s := refused(Expectation{Recover: &Recover{Within: seconds(10)}})
	s.Invariants = v
	return s
}

func TestNoLeakedFDs(t *testing.T) {
	spec := recovering(Invariants{NoLeakedFDs: &LeakedFDs{Growth: 10}})
	alone := plain(Invariants{NoLeakedFDs: &LeakedFDs{Growth: 10}})
	base := map[string]float64{"fds": 20, "sockets_to.redis": 2, "files": 4, "close_wait.redis": 0}
	leak := map[string]float64{"fds": 34, "sockets_to.redis": 14, "files": 6, "close_wait.redis": 11}
	few := map[string]float64{"fds": 30, "sockets_to.redis": 12}
	dies := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	dies.Invariants = spec.Invariants
	runCases(t, []judgeCase{
		{"as many as allowed", spec, tl(control(base), survived(), observed(500), holdsOf(501, "end", few)), Pass, "recover", ""},
		{"more", spec, tl(control(base), survived(), observed(500), holdsOf(501, "end", leak)), Fail, "no_leaked_fds",
			"34 descriptors were open when observation ended, 14 more than in the control trial (at most 10 more): " +
				"12 more sockets to redis (11 of them closed by the other side only: CLOSE_WAIT) and 2 more files"},
		{"without a control, since it was ready", alone, tl(up(), holdsOf(390, "ready", base), observed(400), holdsOf(401, "end", leak)), Fail, "no_leaked_fds",
			"14 more than when it claimed to be ready"},
		{"a control is better", spec, tl(control(leak), survived(), holdsOf(450, "ready", base), observed(500), holdsOf(501, "end", leak)), Pass, "recover", ""},
		{"it was gone", dies, tl(control(base), bitten(), exits(200, 3), observed(201)), Pass, "no_leaked_fds", "it was gone before"},
		{"nobody may read them", spec, tl(control(base), survived(), unreadable(450), observed(500)), Inconclusive, "no_leaked_fds", "could not be read: permission denied"},
		{"nobody looked", spec, tl(control(base), survived(), observed(500)), Inconclusive, "no_leaked_fds", "nobody looked at its descriptors"},
		{"nothing to compare with", spec, tl(survived(), observed(500), holdsOf(501, "end", leak)), Inconclusive, "no_leaked_fds", "can't be compared"},
	})
}

func TestMemory(t *testing.T) {
	const mib = 1 << 20
	spec := recovering(Invariants{Memory: &Memory{Max: 100 * mib, Growth: 20 * mib}})
	alone := plain(Invariants{Memory: &Memory{Growth: 20 * mib}})
	rss := func(ms float64, source string, now, peak float64) timeline.Event {
		return holdsOf(ms, source, map[string]float64{"rss_bytes": now * mib, "max_rss_bytes": peak * mib})
	}
	base := control(map[string]float64{"max_rss_bytes": 40 * mib})
	runCases(t, []judgeCase{
		{"within both", spec, tl(base, survived(), observed(500), rss(501, "end", 30, 60)), Pass, "recover", ""},
		{"too large", spec, tl(control(map[string]float64{"max_rss_bytes": 99 * mib}), survived(), observed(500), rss(501, "end", 30, 101)), Fail, "memory",
			"its resident set was 101 MiB large (at most 100 MiB)"},
		{"grew", spec, tl(base, survived(), observed(500), rss(501, "end", 30, 61)), Fail, "memory", "it had 61 MiB at 501ms, 21 MiB more than in the control trial (at most 20 MiB more)"},
		{"grew before it shrank", spec, tl(base, bitten(), rss(200, "sample", 90, 90), lift(300, "f1"), claims(400), holds(410, "a thread is stored"), observed(500), rss(501, "end", 30, 90)),
			Fail, "memory", "50 MiB more than in the control trial"},
		{"grew since it was ready", alone, tl(up(), rss(390, "ready", 30, 80), observed(400), rss(401, "end", 51, 80)), Fail, "memory", "21 MiB more than when it claimed to be ready"},
		{"its start took more than that", alone, tl(up(), rss(390, "ready", 30, 80), observed(400), rss(401, "end", 50, 80)), Pass, "ready", ""},
		{"known from the exit alone", spec, tl(base, survived(), observed(500), stop(501), exits(510, 0), holdsOf(511, "exit", map[string]float64{"max_rss_bytes": 120 * mib})),
			Fail, "memory", "120 MiB"},
		{"nobody may read it", spec, tl(base, survived(), unreadable(450), observed(500)), Inconclusive, "memory", "could not be read"},
		{"only some could be read", spec, tl(base, bitten(), rss(200, "sample", 30, 30), unreadable(250), lift(300, "f1"), claims(400), holds(410, "a thread is stored"), observed(500)),
			Inconclusive, "memory", "could not be read"},
		{"what was read is enough to fail", spec, tl(base, bitten(), rss(200, "sample", 130, 130), unreadable(250), lift(300, "f1"), claims(400), holds(410, "a thread is stored"), observed(500)),
			Fail, "memory", "130 MiB"},
	})
}

func TestThreads(t *testing.T) {
	spec := recovering(Invariants{Threads: &Threads{Max: 50, Growth: 10}})
	n := func(ms float64, source string, threads float64) timeline.Event {
		return holdsOf(ms, source, map[string]float64{"threads": threads})
	}
	base := control(map[string]float64{"threads": 12})
	runCases(t, []judgeCase{
		{"within both", spec, tl(base, survived(), observed(500), n(501, "end", 22)), Pass, "recover", ""},
		{"grew meanwhile", spec, tl(base, bitten(), n(200, "sample", 23), lift(300, "f1"), claims(400), holds(410, "a thread is stored"), observed(500), n(501, "end", 12)), Fail, "threads",
			"it had 23 threads at 200ms, 11 threads more than in the control trial (at most 10 threads more)"},
		{"too many", spec, tl(control(map[string]float64{"threads": 45}), survived(), observed(500), n(501, "end", 51)), Fail, "threads", "it had 51 threads at 501ms (at most 50)"},
		{"nobody may read them", spec, tl(base, survived(), unreadable(450), observed(500)), Inconclusive, "threads", "could not be read"},
	})
}

func TestNoOrphans(t *testing.T) {
	spec := refused(Expectation{FailFast: &FailFast{Within: seconds(10)}})
	spec.Invariants = Invariants{NoOrphans: true}
	served := plain(Invariants{NoOrphans: true})
	child := func(ms float64) timeline.Event {
		return timeline.Event{MS: ms, Kind: timeline.Survivor, PID: 7, Text: "worker"}
	}
	killed := timeline.Event{MS: 5402, Kind: timeline.Exit, Signal: "SIGKILL"}
	runCases(t, []judgeCase{
		{"alone", spec, tl(bitten(), exits(200, 3), observed(201)), Pass, "fail_fast", ""},
		{"after its own exit", spec, tl(bitten(), exits(200, 3), observed(201), child(202)), Fail, "no_orphans",
			"it exited with code 3 at 200ms and left 1 process behind, which had to be killed: worker"},
		{"after a stop", served, tl(up(), observed(400), stop(401), exits(450, 0), child(460), child(461)), Fail, "no_orphans", "left 2 processes behind"},
		{"after a crash", served, tl(up(), observed(400), timeline.Event{MS: 450, Kind: timeline.Exit, Signal: "SIGSEGV"}, child(460)), Fail, "ready", "was ended by SIGSEGV"},
		{"it was killed", served, tl(up(), observed(400), stop(401), kill(5401), killed, child(5403)), Pass, "no_orphans", "could not end its children"},
		{"it never ended", served, tl(up(), observed(400)), Pass, "no_orphans", "ends before the service did"},
	})
}

func TestNoSecretsInLogs(t *testing.T) {
	spec := plain(Invariants{NoSecretsInLogs: true})
	given := func(ms float64, names ...string) timeline.Event {
		return timeline.Event{MS: ms, Kind: timeline.Log, Stream: "stdout", Text: "connecting with ***", Secret: names}
	}
	none := timeline.Event{Kind: timeline.MissingEvidence, Source: "secrets", Text: "smd was given no secret"}
	runCases(t, []judgeCase{
		{"clean", spec, tl(up(), logs(350, "connecting"), observed(400)), Pass, "ready", ""},
		{"two", spec, tl(up(), given(350, "API_TOKEN"), given(360, "API_TOKEN", "the password in DATABASE_URL"), observed(400)), Fail, "no_secrets_in_logs",
			"it logged API_TOKEN and the password in DATABASE_URL, in 2 lines; first at 350ms: connecting with ***"},
		{"nothing to look for", spec, tl(none, up(), observed(400)), Pass, "no_secrets_in_logs", "not checked: smd was given no secret"},
	})
}

// A baseline has what was there at the end, and the most that there ever was.
func TestBaseline(t *testing.T) {
	events := tl(up(), holdsOf(200, "sample", map[string]float64{"threads": 30, "max_rss_bytes": 90}), observed(400),
		holdsOf(401, "end", map[string]float64{"fds": 20, "threads": 12, "max_rss_bytes": 95, "files": 3}), stop(402),
		timeline.Event{MS: 500, Kind: timeline.Again}, holdsOf(600, "end", map[string]float64{"fds": 99}))
	assert.Equal(t, map[string]float64{"fds": 20, "threads": 30, "max_rss_bytes": 95, "files": 3}, Baseline(events))
	assert.Empty(t, Baseline(nil))
}
