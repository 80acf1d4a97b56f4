package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// noOrphans: however the service ended, by itself, because it was asked to or by a crash, none of its processes outlived it. Whoever had
// to be killed could not end its children, and is not blamed for them.
func (t *trace) noOrphans() finding {
	const rule = "no_orphans"
	ended := t.first(timeline.Exit, 0, len(t.ev))
	if ended < 0 {
		return t.notes(rule, "not checked: the timeline ends before the service did")
	}
	excused := len(t.ev)
	if killed := t.first(timeline.Kill, 0, len(t.ev)); killed >= 0 {
		excused = killed
	}
	for _, i := range t.all(timeline.Stop, 0, len(t.ev)) {
		if t.ev[i].Signal == "SIGKILL" {
			excused = min(excused, i)
		}
	}
	left := t.all(timeline.Survivor, 0, excused)
	switch {
	case len(left) > 0:
		exit := ended
		for _, i := range t.all(timeline.Exit, 0, left[0]) {
			exit = i
		}
		return t.violates(rule, "end or wait for the child processes before the exit, also when the start fails", append([]int{exit}, left...),
			"it %s at %s and left %s behind, which had to be killed: %s", exitWords(t.ev[exit].Code, t.ev[exit].Signal), Millis(t.ms(exit)),
			processes(len(left)), quote(t.ev[left[0]].Text))
	case excused < len(t.ev):
		return t.notes(rule, "not checked: it had to be killed, and could not end its children")
	}
	return t.holds(rule, []int{ended}, "no process outlived it")
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return trim(float64(n), 0) + " processes"
}
