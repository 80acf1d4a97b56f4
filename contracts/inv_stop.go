package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// stopsOnSignal: asked to stop, the service ends by itself in time and leaves no process. A trial in which it was never asked
// (it was gone before) shows nothing of this.
func (t *trace) stopsOnSignal() finding {
	const rule = "stops_on_signal"
	asked := t.first(timeline.Stop, 0, len(t.ev))
	if asked < 0 {
		return t.notes(rule, "not checked: it was never asked to stop")
	}
	signal := t.ev[asked].Signal
	if signal == "" {
		signal = t.spec.StopSignal
	}
	allowed := within(t.spec.Invariants.StopsOnSignal.Within, t.spec.Grace)
	var all []finding
	exit := t.first(timeline.Exit, asked, len(t.ev))
	killed := t.first(timeline.Kill, 0, len(t.ev))
	took := t.ms(exit) - t.ms(asked)
	switch {
	case killed >= 0:
		all = append(all, t.violates(rule, "handle "+signal+" also while it starts", []int{asked, killed, exit},
			"it did not stop on %s at %s and was killed at %s", signal, Millis(t.ms(asked)), Millis(t.ms(killed))))
	case exit < 0:
		all = append(all, t.notes(rule, "not checked: the timeline ends before it stopped"))
	case allowed > 0 && took > allowed.MS():
		all = append(all, t.violates(rule, "", []int{asked, exit}, "it took %s to stop on %s (allowed %s)", Millis(took), signal, allowed))
	default:
		all = append(all, t.holds(rule, []int{asked, exit}, "it stopped %s after %s", Millis(took), signal))
	}
	if left := t.all(timeline.Survivor, 0, len(t.ev)); len(left) > 0 {
		all = append(all, t.violates(rule, "end or wait for the child processes before the exit", left,
			"it left %s behind that had to be killed: %s", plural(len(left), "child"), quote(t.ev[left[0]].Text)))
	}
	return merge(all...)
}
