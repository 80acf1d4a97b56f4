package runner

import (
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/timeline"
	"golang.org/x/sys/unix"
)

// asking is the experiment's wish that the service be asked to stop at some moment. Gate held.
type asking struct {
	injection // of nothing, on nothing: only its moment counts
	do        func()
}

// newAsking makes the trial's, nil when the experiment has none.
func newAsking(spec *experiments.AskStop, do func()) (*asking, error) {
	if spec == nil {
		return nil, nil
	}
	a := &asking{injection: injection{Injection: experiments.Injection{From: spec.When, After: spec.After}}, do: do}
	if spec.During != "" {
		a.From = experiments.Trigger{Phase: spec.During}
	}
	var err error
	a.from, err = compileTrigger(&a.From)
	return a, err
}

// asks moves the wish on when its moment has come.
func (in *injector) asks(m moment) {
	a := in.asking
	if a == nil || a.stage != waiting || !a.begins(m) {
		return
	}
	if a.After == 0 {
		a.stage = lifted
		a.do()
		return
	}
	a.stage = delaying
	in.later(&a.injection, a.After.D(), func() {
		a.stage = lifted
		a.do()
	})
}

// willAsk tells whether the wish is on its way.
func (in *injector) willAsk() bool { return in.asking != nil && in.asking.stage == delaying }

// unask gives up a wish that is on its way.
func (in *injector) unask() {
	a := in.asking
	if a == nil {
		return
	}
	if a.timer != nil && a.timer.Stop() {
		in.timers.Done()
	}
	a.timer, a.stage = nil, lifted
}

// askToStop sends the experiment's signal, at once: what the service does next it does with the signal. Gate held.
func (t *trial) askToStop() {
	if len(t.replicas) > 0 { // all of them, when it is time for the first
		for _, r := range t.replicas {
			r.askToStop()
		}
		return
	}
	name := t.service.Stop.Signal
	if s := t.plan.Stop.Signal; s != "" {
		name = s
	}
	if t.process == nil { // it is just being started
		t.askEarly = true
		return
	}
	at := time.Now() // what it does because of the signal comes later, even if it is gone by the time that this is noted
	if t.gone || !t.process.Signal(unix.SignalNum(name)) {
		return
	}
	t.recorder.AddAt(at, timeline.Event{Kind: timeline.Stop, Signal: name, Source: "experiment"})
	t.keeper.afresh()
	close(t.asked)
}

// stopAsked is closed once the experiment has asked the service to stop. In the start that may follow, it can't any more.
func (t *trial) stopAsked() <-chan struct{} {
	if t.restarted {
		return nil
	}
	return t.asked
}

// askedToStop says whether the experiment has asked the service to stop.
func (t *trial) askedToStop() bool {
	select {
	case <-t.stopAsked():
		return true
	default:
		return false
	}
}
