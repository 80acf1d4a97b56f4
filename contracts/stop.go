package contracts

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/chaos-startup/chaos/timeline"
)

// byExperiment is the Source of a Stop that the experiment asks for, in the middle of what the service does.
const byExperiment = "experiment"

// signalNumbers are those that a shell adds to 128 for an exit code, as Linux numbers them.
var signalNumbers = map[string]int{"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGKILL": 9, "SIGUSR1": 10, "SIGUSR2": 12, "SIGTERM": 15}

// asked returns the position of the Stop that the experiment asked for, or -1.
func (t *trace) asked() int {
	for _, i := range t.all(timeline.Stop, 0, len(t.ev)) {
		if t.ev[i].Source == byExperiment {
			return i
		}
	}
	return -1
}

// stops checks that the service ended by itself when its experiment asked it to.
func (t *trace) stops(c Stop) finding {
	const rule = "stop"
	asked := t.asked()
	if asked < 0 {
		return t.notApplicable(rule, "", nil, "it was never asked to stop")
	}
	signal := firstOf(t.ev[asked].Signal, t.spec.StopSignal)
	where := " at " + Millis(t.ms(asked))
	if p := t.phaseAt(asked); p != "" {
		where = " in phase " + p + where
	}
	allowed := within(c.Within, t.spec.Grace, defaultWithin)
	exit, killed := t.first(timeline.Exit, asked, len(t.ev)), t.first(timeline.Kill, asked, len(t.ev))
	next := "handle " + signal + " from the first line on, and let whatever a phase waits for end with it"
	switch {
	case killed >= 0:
		return t.violates(rule, next, []int{asked, killed, exit}, "asked to stop with %s%s, it went on, and was killed at %s", signal, where, Millis(t.ms(killed)))
	case exit < 0:
		return t.undecided(rule, "run it again", []int{asked}, "the timeline ends before it stopped")
	}
	took := t.ms(exit) - t.ms(asked)
	e := t.ev[exit]
	how := exitWords(e.Code, e.Signal)
	if took > allowed.MS() {
		return t.violates(rule, next, []int{asked, exit}, "asked to stop with %s%s, it %s only %s later (allowed %s)", signal, where, how, Millis(took), allowed)
	}
	all := []finding{t.stoppedWith(rule, c.ExitCode, signal, exit)}
	if c.Log != "" {
		all = append(all, t.saidSo(rule, c.Log, asked, exit))
	}
	return merge(append(all, t.holds(rule, []int{asked, exit}, "asked to stop with %s%s, it %s %s later (allowed %s)", signal, where, how, Millis(took), allowed))...)
}

// stoppedWith checks how it ended. Whoever supervises it takes a clean end for an orderly stop.
func (t *trace) stoppedWith(rule string, want ExitCode, signal string, exit int) finding {
	e := t.ev[exit]
	if e.Code == nil && e.Signal == "" {
		return t.undecided(rule, "", []int{exit}, "how it ended was not seen")
	}
	var ok bool
	expected := "code " + string(want)
	switch want {
	case "any":
		ok = true
	case "nonzero":
		ok, expected = e.Signal != "" || *e.Code != 0, "a code other than 0"
	case "", "clean":
		by := 128 + signalNumbers[signal]
		ok = e.Signal == signal || e.Signal == "" && (*e.Code == 0 || *e.Code == by)
		expected = fmt.Sprintf("code 0, code %d or an end by %s itself", by, signal)
	default:
		n, err := strconv.Atoi(string(want))
		ok = err == nil && e.Signal == "" && *e.Code == n
	}
	if ok {
		return finding{state: Held}
	}
	return t.violates(rule, "", []int{exit}, "asked to stop, it %s at %s; expected %s", exitWords(e.Code, e.Signal), Millis(t.ms(exit)), expected)
}

// saidSo looks for a line between the signal and the end; the last lines may arrive after the exit.
func (t *trace) saidSo(rule, pattern string, asked, exit int) finding {
	matches, err := matcher(pattern)
	if err != nil {
		return t.undecided(rule, "correct log: in the contract", nil, "%v", err)
	}
	for _, i := range t.all(timeline.Log, asked, len(t.ev)) {
		if matches(t.ev[i].Text) || slices.Contains(t.ev[i].Matched, pattern) {
			return t.holds(rule, []int{i}, "its log says that it stops: %s", quote(t.ev[i].Text))
		}
	}
	return t.violates(rule, "log that it stops, and why", append(t.tail(5, asked, len(t.ev)), exit), "no line that it logged while it stopped matches /%s/", pattern)
}

// neverAsked reports that the moment for which the experiment would ask the service to stop never came: then nothing was tried.
func (t *trace) neverAsked() finding {
	if t.spec.Stop == nil || t.asked() >= 0 {
		return finding{state: Held}
	}
	if phase := t.spec.Stop.Phase; phase != "" && !t.sawPhase(phase) {
		return t.noPhase(Fault{Text: t.spec.Stop.Text, Phase: phase}, "phases seen: "+firstOf(list(t.seenPhases()), "none"),
			"see the last log lines: either the service ended before, or the pattern of that phase under phases: does not match")
	}
	return t.undecided("vacuous", "check `stop` of the experiment against the timeline", t.tail(shownLogLines, 0, len(t.ev)),
		"`%s` was never sent: the moment it waits for never came; the service %s", t.spec.Stop.Text, t.outcome().Words())
}

// stopped is the outcome of a service that its experiment asked to stop.
func (t *trace) stopped(o Outcome, asked int) Outcome {
	o.Class, o.StopMS = Stopped, ref(t.ms(asked))
	if c := t.standing(); c != nil {
		o.ReadyMS = ref(t.ms(c.at))
	}
	o.AtMS, o.ExitCode, o.Signal = t.ms(asked), nil, ""
	if exit := t.first(timeline.Exit, asked, len(t.ev)); exit >= 0 {
		o.AtMS, o.ExitCode, o.Signal = t.ms(exit), t.ev[exit].Code, t.ev[exit].Signal
	}
	return o
}
