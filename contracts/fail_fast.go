package contracts

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// defaultWithin is the time limit of a contract that names none.
const defaultWithin = timeline.Duration(10 * time.Second)

// ending is what fail_fast and give_up have in common: how the service must end by itself once the fault has bitten.
type ending struct {
	rule          string
	after, within timeline.Duration
	code          ExitCode
	log           string
}

func (t *trace) failFast(c FailFast) finding {
	return t.endsByItself(ending{rule: "fail_fast", within: within(c.Within, defaultWithin), code: c.ExitCode, log: c.Log})
}

func (t *trace) giveUp(c GiveUp) finding {
	return t.endsByItself(ending{rule: "give_up", after: c.After, within: within(c.Within, t.spec.Budget, defaultWithin), code: c.ExitCode, log: c.Log})
}

// endsByItself checks an ending. With several faults the time runs from the first bite of the one that bit last: before that,
// not everything that was injected had been felt. Under a restart policy the incarnation that was bitten is the one that counts.
func (t *trace) endsByItself(c ending) finding {
	bite := t.lastFirstBite()
	if bite < 0 {
		return t.notApplicable(c.rule, "", nil, "no fault bit, so there is nothing to fail fast on")
	}
	r := t.runAt(bite)
	exit := r.exit
	if exit >= 0 && exit < bite {
		return t.undecided(c.rule, "let the fault come on earlier, or the service look at the connection that it makes", []int{exit, bite},
			"it %s at %s, before %s", exitWords(t.ev[exit].Code, t.ev[exit].Signal), Millis(t.ms(exit)), t.biteAt(bite))
	}
	to := exit
	if to < 0 {
		to = min(t.end, r.next)
	}
	if claimed := t.first(timeline.ReadyClaim, bite+1, to); claimed >= 0 {
		return t.violates(c.rule, "", []int{bite, claimed}, "it claimed to be ready at %s, %s after %s, instead of ending",
			Millis(t.ms(claimed)), Millis(t.ms(claimed)-t.ms(bite)), t.biteAt(bite))
	}
	if exit < 0 {
		return t.neverEnded(c, bite)
	}
	checks := []finding{t.endedInTime(c, bite, exit), t.endedWith(c, exit)}
	if c.log != "" {
		checks = append(checks, t.namedTheCause(c, r, exit))
	}
	return merge(append(checks, t.noLaterPhase(c, bite, exit))...)
}

func (t *trace) neverEnded(c ending, bite int) finding {
	watched := t.endMS() - t.ms(bite)
	if t.tooShort(t.ms(bite), c.within) {
		return t.undecided(c.rule, t.watchLonger(c), []int{bite, t.lastMoment()},
			"it had not ended when observation did, %s after %s; it is allowed %s%s", Millis(watched), t.biteAt(bite), c.within, t.whyEnded())
	}
	at := []int{bite, t.first(timeline.Budget, bite, t.stop), t.lastMoment()}
	return t.violates(c.rule, "bound the service's connect timeout and its retries below "+c.within.String()+", then exit non-zero", at,
		"it was still running %s after %s (allowed %s): it %s", Millis(watched), t.biteAt(bite), c.within, t.outcome().Words())
}

// watchLonger says what would have let it be watched for the whole time: the budget only ends observation of one that is not ready, or lets a
// ready one go on for a while.
func (t *trace) watchLonger(c ending) string {
	if t.standing() == nil || t.endMS() >= t.spec.Budget.MS() {
		return "raise service.budget so that the whole time can be watched"
	}
	return "expect " + c.rule + " by itself, without an alternative: then one that claims to be ready is watched for the whole time; or allow less"
}

// whyEnded continues a sentence with why observation ended.
func (t *trace) whyEnded() string {
	if at := t.lastMoment(); at >= 0 && t.ev[at].Kind == timeline.End && t.ev[at].Text != "" {
		return " (observation ended: " + t.ev[at].Text + ")"
	}
	return ""
}

func (t *trace) endedInTime(c ending, bite, exit int) finding {
	took := t.ms(exit) - t.ms(bite)
	e := t.ev[exit]
	words := exitWords(e.Code, e.Signal)
	switch {
	case took > c.within.MS():
		return t.violates(c.rule, "", []int{bite, exit}, "it %s only %s after %s (allowed %s)", words, Millis(took), t.biteAt(bite), c.within)
	case took < c.after.MS():
		return t.violates(c.rule, "", []int{bite, exit}, "it gave up already %s after %s (it must keep trying for at least %s)",
			Millis(took), t.biteAt(bite), c.after)
	}
	return t.holds(c.rule, []int{bite, exit}, "it %s at %s, %s after %s (allowed %s)", words, Millis(e.MS), Millis(took), t.biteAt(bite), c.within)
}

func (t *trace) endedWith(c ending, exit int) finding {
	e := t.ev[exit]
	if e.Code == nil && e.Signal == "" {
		return t.undecided(c.rule, "", []int{exit}, "how it ended was not seen")
	}
	want, ok := "a code other than 0", e.Signal != "" || *e.Code != 0
	switch c.code {
	case "any":
		return finding{state: Held}
	case "", "nonzero":
	default:
		n, err := strconv.Atoi(string(c.code))
		want, ok = "code "+string(c.code), err == nil && e.Signal == "" && *e.Code == n
	}
	if ok {
		return finding{state: Held}
	}
	text := fmt.Sprintf("it %s at %s; expected %s", exitWords(e.Code, e.Signal), Millis(e.MS), want)
	if e.Signal == "" && *e.Code == 0 {
		text += ": whoever supervises it takes 0 for success"
	}
	return t.violates(c.rule, "", []int{exit}, "%s", text)
}

// namedTheCause looks for the log line in the whole incarnation: a line may be written before the bite is noticed here, and the
// last lines may arrive after the exit. A line that matches is never left out of a timeline, however much is logged.
func (t *trace) namedTheCause(c ending, r run, exit int) finding {
	matches, err := matcher(c.log)
	if err != nil {
		return t.undecided(c.rule, "correct log: in the contract", nil, "%v", err)
	}
	for _, i := range t.all(timeline.Log, r.first, r.next) {
		if matches(t.ev[i].Text) || slices.Contains(t.ev[i].Matched, c.log) {
			return t.holds(c.rule, []int{i}, "its log names the cause: %s", quote(t.ev[i].Text))
		}
	}
	return t.violates(c.rule, "name the dependency and the error in a log line before the exit", append(t.tail(5, r.first, r.next), exit),
		"no line of its log matches /%s/, so nobody learns why it ended", c.log)
}

// noLaterPhase checks that no declared phase after the one that was bitten began. A fault that bit outside of every phase says
// nothing about phases, and a phase that is polled may have begun before it was seen to.
func (t *trace) noLaterPhase(c ending, bite, exit int) finding {
	bitten := t.phaseAt(bite)
	if t.order(bitten) < 0 {
		return finding{state: Held}
	}
	for _, i := range t.all(timeline.PhaseBegin, bite+1, exit) {
		if name := t.ev[i].Phase; t.order(name) > t.order(bitten) && !t.ev[i].Inexact {
			return t.violates(c.rule, "let a failed phase end the start", []int{bite, i},
				"phase %s began at %s although %s, in phase %s", name, Millis(t.ms(i)), t.biteAt(bite), bitten)
		}
	}
	return finding{state: Held}
}
