package runner

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// injector decides when each fault of a trial is on. Its methods are called with the trial's gate held, so that what it
// arms is on before the next byte passes; its timers take the gate themselves.
type injector struct {
	items  []*injection
	on     func(i *injection) // the proxy, or the resolver, lets it act
	off    func(i *injection)
	record func(timeline.Event)
	hold   func(func()) // runs a function with the gate held
	wake   func()       // tells the trial that something changed

	asking *asking // nil: the experiment does not ask the service to stop
	timers sync.WaitGroup
	closed bool
	met    sync.Map // when each fault has met something, by its id
}

type stage int

const (
	waiting stage = iota
	delaying
	armed
	lifted
)

// injection is one fault and where it stands.
type injection struct {
	experiments.Injection
	id       string
	stage    stage
	connects int
	from     *regexp.Regexp // of a log trigger
	until    *regexp.Regexp
	timer    *time.Timer
}

// moment is something that a trigger may wait for. Exactly one field is set, as in experiments.Trigger.
type moment struct {
	start, ready    bool
	phase, phaseEnd string
	connect, log    string
	watched         *injection // its sends/receives pattern was seen
	untilWatched    bool       // ... of its until
	byExit          bool       // phaseEnd only because the process ended
}

func newInjector(list []experiments.Injection) (*injector, error) {
	in := &injector{}
	for n, spec := range list {
		item := &injection{Injection: spec, id: fmt.Sprintf("f%d", n+1)}
		if spec.During != "" {
			item.From = experiments.Trigger{Phase: spec.During}
			item.Until = &experiments.Trigger{PhaseEnd: spec.During}
		}
		var err error
		if item.from, err = compileTrigger(&item.From); err != nil {
			return nil, err
		}
		if item.until, err = compileTrigger(item.Until); err != nil {
			return nil, err
		}
		in.items = append(in.items, item)
	}
	return in, nil
}

func compileTrigger(t *experiments.Trigger) (*regexp.Regexp, error) {
	if t == nil || t.Log == "" {
		return nil, nil
	}
	re, err := regexp.Compile(t.Log)
	if err != nil {
		return nil, fmt.Errorf("compile log trigger %q: %w", t.Log, err)
	}
	return re, nil
}

// change tells of a phase that began or ended.
func (in *injector) change(c phases.Change) {
	if c.Begin {
		in.happened(moment{phase: c.Phase})
		return
	}
	in.happened(moment{phaseEnd: c.Phase, byExit: c.Source == "exit"})
}

// happened moves every fault that waited for m.
func (in *injector) happened(m moment) {
	if in.closed {
		return
	}
	for _, i := range in.items {
		switch {
		case i.stage == waiting && i.begins(m):
			in.begin(i)
		case (i.stage == armed || i.stage == delaying) && i.ends(m):
			in.end(i, i.reason(), i.source(m))
		}
	}
	in.asks(m)
}

func (i *injection) begins(m moment) bool {
	if m.watched != nil {
		return m.watched == i && !m.untilWatched
	}
	if m.connect != "" && i.From.Connect == m.connect {
		i.connects++
		return i.connects == max(1, i.From.Nth)
	}
	return i.matches(&i.From, i.from, m)
}

func (i *injection) ends(m moment) bool {
	if i.Until == nil {
		return false
	}
	if m.watched != nil {
		return m.watched == i && m.untilWatched
	}
	if m.byExit && i.For > 0 {
		return false // an outage of 3 s goes on although the service died of it
	}
	if m.connect != "" && i.Until.Connect == m.connect {
		i.connects++
		return i.connects >= max(1, i.Until.Nth)
	}
	return i.matches(i.Until, i.until, m)
}

func (i *injection) matches(t *experiments.Trigger, re *regexp.Regexp, m moment) bool {
	switch {
	case m.start:
		return t.Start
	case m.ready:
		return t.Ready
	case m.phase != "":
		return t.Phase == m.phase
	case m.phaseEnd != "":
		return t.PhaseEnd == m.phaseEnd
	case m.log != "":
		return re != nil && re.MatchString(m.log)
	}
	return false
}

func (i *injection) reason() string {
	switch u := i.Until; {
	case u == nil:
		return "its time is over"
	case u.PhaseEnd != "":
		return "phase " + u.PhaseEnd + " ended"
	case u.Phase != "":
		return "phase " + u.Phase + " began"
	case u.Ready:
		return "the service claims to be ready"
	default:
		return "its until came"
	}
}

// source says what lifted it, in the words of timeline.FaultLifted: judging must know whether the service got through the phase.
func (i *injection) source(m moment) string {
	switch {
	case m.byExit:
		return "exit"
	case m.phaseEnd != "":
		return "phase"
	}
	return ""
}

func (in *injector) begin(i *injection) {
	if i.After > 0 {
		i.stage = delaying
		in.later(i, i.After.D(), func() {
			if i.stage == delaying {
				in.turnOn(i)
			}
		})
		return
	}
	in.turnOn(i)
}

func (in *injector) turnOn(i *injection) {
	i.stage = armed
	in.record(timeline.Event{Kind: timeline.FaultArmed, Fault: i.id, Dependency: i.On, Text: i.Fault.String()})
	in.on(i)
	if i.For > 0 {
		in.later(i, i.For.D(), func() {
			if i.stage == armed {
				in.end(i, "its "+i.For.String()+" are over", "")
			}
		})
	}
	in.wake()
}

// end lifts a fault. One that only lasts as long as a phase may come on again when the service is restarted.
func (in *injector) end(i *injection, why, source string) {
	if i.timer != nil && i.timer.Stop() {
		in.timers.Done()
	}
	i.timer = nil
	was := i.stage
	i.stage = lifted
	if i.For == 0 && i.Until != nil && i.Until.PhaseEnd != "" {
		i.stage = waiting
	}
	if was == armed {
		in.off(i)
		in.record(timeline.Event{Kind: timeline.FaultLifted, Fault: i.id, Dependency: i.On, Text: why, Source: source})
	}
	in.wake()
}

// later runs f with the gate held after d, unless end or close comes first.
func (in *injector) later(i *injection, d time.Duration, f func()) {
	in.timers.Add(1)
	var mine *time.Timer
	mine = time.AfterFunc(d, func() {
		defer in.timers.Done()
		in.hold(func() {
			if i.timer != mine || in.closed {
				return
			}
			i.timer = nil
			f()
		})
	})
	i.timer = mine
}

// busy says whether a fault will come on or go off by itself, so that the trial must go on.
func (in *injector) busy() bool {
	for _, i := range in.items {
		if i.timer != nil && (i.stage == delaying || i.stage == armed) {
			return true
		}
	}
	return in.willAsk()
}

// armed says whether a fault on dependency is on.
func (in *injector) armed(dependency string) bool {
	return slices.ContainsFunc(in.items, func(i *injection) bool { return i.On == dependency && i.stage == armed })
}

// unmet returns the dependencies of the faults that are on and have met nothing yet.
func (in *injector) unmet() []string {
	var out []string
	for _, i := range in.items {
		if _, bitten := in.met.Load(i.id); i.stage == armed && !bitten {
			out = append(out, i.On)
		}
	}
	return out
}

// lastMet is when a fault last began to meet something; zero: none did.
func (in *injector) lastMet() (last time.Time) {
	in.met.Range(func(_, at any) bool {
		if at := at.(time.Time); at.After(last) {
			last = at
		}
		return true
	})
	return last
}

// anyArmed says whether any fault is on.
func (in *injector) anyArmed() bool {
	return slices.ContainsFunc(in.items, func(i *injection) bool { return i.stage == armed })
}

// gated says whether a fault on dependency still depends on what the service says, so that the proxy must look first.
func (in *injector) gated(dependency string) bool {
	for _, i := range in.items {
		if i.On == dependency && i.stage != lifted && (said(&i.From) || said(i.Until)) {
			return true
		}
	}
	return false
}

func said(t *experiments.Trigger) bool {
	return t != nil && (t.Phase != "" || t.PhaseEnd != "" || t.Log != "" || t.Ready)
}

// heal lifts whatever is still on. Gate held.
func (in *injector) heal(why string) {
	in.closed = true
	in.unask()
	for _, i := range in.items {
		if i.stage != lifted {
			in.end(i, why, "end")
			i.stage = lifted
		}
	}
}
