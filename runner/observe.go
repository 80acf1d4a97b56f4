package runner

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// observe starts the service and watches it until there is nothing more to see: it exited, it is ready and every fault is
// over, its budget is over, or ctx ended. It returns an error only when chaos itself failed.
func (t *trial) observe(ctx context.Context) error {
	if t.lead == nil {
		t.recorder.SetZero(time.Now())
		t.missingEvidence()
		t.recordBaseline()
		t.gate.Do(func() { t.injector.happened(moment{start: true}) })
	}
	if len(t.replicas) > 0 {
		return t.observeReplicas(ctx)
	}
	t.tellSecrets()
	return t.watch(ctx, 1, t.service.Budget.D())
}

// watch starts the service for the nth time and goes on, also over its restarts, until there is nothing more to see.
func (t *trial) watch(ctx context.Context, n int, limit time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	defer t.endTraffic(false)
	budget := &deadline{over: time.After(limit), limit: limit}
	t.suite.marks.register(t.marker, t.marked)
	defer t.suite.marks.register(t.marker, nil)
	for incarnation := n; ; incarnation++ {
		if err := t.launch(incarnation); err != nil {
			return err
		}
		t.startTraffic(ctx)
		inner, stop := context.WithCancel(ctx)
		t.watchIncarnation(inner, &watchers)
		why := t.await(ctx, budget)
		stop()
		watchers.Wait()
		t.starts = incarnation
		if why != processGone || t.askedToStop() {
			t.end(why)
			return nil
		}
		delay, again := t.exited(incarnation, incarnation-n)
		if !again {
			t.endTraffic(true)
			t.end("the service exited")
			return nil
		}
		if why := t.backOff(ctx, delay, budget.over); why != "" {
			t.end(why)
			return nil
		}
	}
}

const processGone = "the process is gone"

// deadline is when observation ends at the latest, whichever incarnation it is then.
type deadline struct {
	over  <-chan time.Time
	limit time.Duration
	late  bool // the budget is over, but the service was ready in time
}

// await returns why observation of this incarnation is over.
func (t *trial) await(ctx context.Context, budget *deadline) string {
	var settled <-chan time.Time // it has shown everything, and must only stand
	var stands standing
	owed := false // it was watched for longer, for what it may still do
	for {
		select {
		case <-ctx.Done():
			return "the run was interrupted"
		case <-t.process.Done():
			return processGone
		case <-t.stopAsked(): // its own end is told by the stop
			return "the experiment asked it to stop"
		case <-budget.over:
			if t.isGone() {
				return processGone
			}
			if !t.claims.standing() {
				t.recorder.Add(timeline.Event{Kind: timeline.Budget, Text: "neither ready nor gone after " + budget.limit.String()})
				return "its budget is over"
			}
			if budget.late {
				return "it was ready, but not every fault and proof was over in time"
			}
			budget.late, budget.over = true, time.After(t.plan.AfterReady())
		case <-t.woken:
			if settled = nil; t.settled() {
				settled = time.After(t.mustStand())
			}
		case <-settled:
			if t.isGone() {
				return processGone // at the same instant: select takes either
			}
			if longer := stands.longer(t.process); longer > 0 {
				settled = time.After(longer)
				continue
			}
			if longer := t.owed(); longer > 0 {
				settled, owed = time.After(longer), true
				continue
			}
			return t.shown(owed)
		}
	}
}

func (t *trial) isGone() bool {
	select {
	case <-t.process.Done():
		return true
	default:
		return false
	}
}

// settled says whether a ready service has shown all that it will show.
func (t *trial) settled() bool {
	var busy bool
	t.gate.Do(func() { busy = t.injector.busy() })
	if busy || !t.trafficOver() {
		return false
	}
	done, lifts := t.claims.examined()
	done = done && t.answering.since(t.claims.since()) // or a short trial would not know whether the orchestrator's probes hold
	return done && lifts == t.lifts.Load()             // when a fault was lifted since, what was proved must be proved once more
}

// launch starts the service once more. The first line it prints is read under the gate, like all others.
func (t *trial) launch(incarnation int) error {
	t.recorder.Add(timeline.Event{Kind: timeline.Exec, Text: t.mask(strings.Join(t.service.Command, " ")), Incarnation: incarnation})
	t.gate.Do(func() {
		t.gone, t.process = false, nil
		t.keeper.begin(len(t.recorder.Events()))
		t.saidReady = false
	})
	select {
	case <-t.claimedReady: // the one before
	default:
	}
	spec := process.Spec{
		Argv: t.service.Command, Dir: t.service.Dir, Env: t.environment(), Marker: t.marker, Folder: t.dir, Gate: t.gate,
		Line: t.line, Output: t.logFile, Notify: t.notified, Started: t.runs, Exited: func(process.Exit) { t.gone = true },
	}
	if t.suite.intercepting == nil {
		spec.Decide, spec.Datagrams = t.decide, t.naming != nil
	}
	if t.naming != nil {
		spec.ResolvConf = t.naming.conf
	}
	t.suite.watch(t.marker, 0)
	p, err := process.Start(spec)
	if err != nil {
		t.suite.forget(t.marker)
		return fmt.Errorf("start the service: %w", err)
	}
	t.suite.watch(t.marker, p.PID())
	return nil
}

// runs learns of the process before anything it does. Gate held.
func (t *trial) runs(p *process.Process) {
	if t.process = p; t.askEarly {
		t.askToStop()
	}
}

func (t *trial) environment() []string {
	env := t.suite.environment(t.service.Inherit, t.service.Env)
	return append(env, "CHAOS_MARK_URL="+t.suite.marks.url(t.marker))
}

// watchIncarnation starts what looks at the service from outside: its ready probe, and phases that are polled.
func (t *trial) watchIncarnation(ctx context.Context, wg *sync.WaitGroup) {
	if t.service.Ready != nil {
		wg.Go(func() { t.followReady(ctx) })
	}
	t.followAnswers(ctx, wg)
	if t.watchesUsage() {
		wg.Go(func() { t.followUsage(ctx) })
	}
	t.sendSoon(ctx, wg)
	for _, p := range t.polls {
		wg.Go(func() { t.pollPhase(ctx, p) })
	}
}

// exited notes the end of an incarnation and asks the restart policy what an orchestrator would do.
func (t *trial) exited(incarnation, restarts int) (time.Duration, bool) {
	e := t.process.Exit()
	met := t.lastBytes()
	t.gate.Do(func() {
		if met.After(t.heard) {
			t.heard = met
		}
		t.apply(t.tracker.Exit())
		t.recordExit(e, incarnation)
		t.askEarly = false
		t.tracker.Reset()
		t.left()
	})
	t.trafficExited(e.At)
	t.claims.lost()
	r := t.service.Restart
	policy := process.Restart{Policy: r.Policy, Max: r.Max, Backoff: r.Backoff.D(), MaxBackoff: r.MaxBackoff.D()}
	delay, again := policy.Next(restarts, e)
	if again {
		t.survivors()
		t.closeProcess() // the next incarnation has the same marker
		t.recorder.Add(timeline.Event{
			Kind: timeline.Restart, Incarnation: incarnation + 1, Text: fmt.Sprintf("restart %d of %d in %s", restarts+1, r.Max, delay),
		})
	}
	return delay, again
}

// reading is for how long the proxies are given to read what a service had sent before it ended.
const reading = 250 * time.Millisecond

// lastBytes waits until the proxies have read what the service sent last, where a fault is on that has met nothing yet: it ends the service more
// often than not, and is lifted with it. It returns when a fault last met something: the service ended after that, whenever it was noticed.
func (t *trial) lastBytes() time.Time {
	unread := func() (waits bool) {
		var on []string
		t.gate.Do(func() { on = t.injector.unmet() })
		for _, name := range on {
			waits = waits || t.dependency(name).proxy.Serving() > 0
		}
		return waits
	}
	for until := time.Now().Add(reading); unread() && time.Now().Before(until); {
		rest(context.Background(), time.Millisecond, nil)
	}
	return t.injector.lastMet()
}

// recordExit notes the exit behind everything that the service had printed: that was read and stamped only after it was gone. Gate held.
func (t *trial) recordExit(e process.Exit, incarnation int) {
	t.noted = t.process
	if e.At.Before(t.heard) {
		e.At = t.heard
	}
	event := timeline.Event{Kind: timeline.Exit, Incarnation: incarnation}
	if e.Signal != 0 {
		event.Signal = signalName(e.Signal)
	} else {
		code := e.Code
		event.Code = &code
	}
	t.recorder.AddAt(e.At, event)
	if e.OutputErr != nil {
		t.recorder.Add(timeline.Event{Kind: timeline.MissingEvidence, Text: "the service's log file is incomplete: " + e.OutputErr.Error()})
	}
}

// backOff waits before a restart. It returns why observation is over instead, or "".
func (t *trial) backOff(ctx context.Context, delay time.Duration, budget <-chan time.Time) string {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ""
	case <-budget:
		t.recorder.Add(timeline.Event{Kind: timeline.Budget, Text: "not ready after " + t.service.Budget.String() + ", waiting for a restart"})
		return "its budget is over"
	case <-ctx.Done():
		return "the run was interrupted"
	}
}

// line takes one line of the service's output. Gate held.
func (t *trial) line(stream process.Stream, text string) {
	now := time.Now()
	text = phases.Strip(text)
	t.keeper.line(now, string(stream), text)
	if t.gone {
		return // the last words of a child that outlives it
	}
	t.apply(t.tracker.Log(text))
	t.injector.happened(moment{log: text})
	if t.readyLog != nil && t.readyLog.MatchString(text) && t.claims.claim() {
		t.claimed(now, text, time.Time{})
	}
	t.heard = time.Now()
}

// notified takes one sd_notify assignment. Gate held.
func (t *trial) notified(message string) {
	e := timeline.Event{Kind: timeline.Notify, Text: t.mask(message)}
	if message == "READY=1" && !t.saidReady {
		t.saidReady = true
		t.recorder.AddAt(time.Now(), e) // however much it said before
	} else {
		t.bounded(time.Now(), e)
	}
	if t.gone {
		return
	}
	t.apply(t.tracker.Notify(message))
	t.heard = time.Now()
}

// marked takes a POST to $CHAOS_MARK_URL/name; the service gets its answer when the phase is on.
func (t *trial) marked(name string) {
	t.gate.Do(func() {
		t.bounded(time.Now(), timeline.Event{Kind: timeline.Mark, Name: name})
		if !t.gone {
			t.apply(t.tracker.Mark(name))
		}
	})
}

// apply notes phases that began or ended and moves the faults that waited for them. Gate held.
func (t *trial) apply(changes []phases.Change) {
	for _, c := range changes {
		e := timeline.Event{Kind: timeline.PhaseEnd, Phase: c.Phase, Source: c.Source, Inexact: !c.Exact}
		if c.Begin {
			e.Kind = timeline.PhaseBegin
		}
		t.bounded(time.Now(), e)
		t.phaseChanged(c)
		if c.Begin {
			t.progress(TrialPhase, c.Phase)
		}
	}
}

// missingEvidence says at the start what can't be seen here.
func (t *trial) missingEvidence() {
	if err := t.suite.intercepting; err != nil {
		t.recorder.Add(timeline.Event{
			Kind: timeline.MissingEvidence,
			Text: "no connect interceptor: refused attempts are not counted and connections around a proxy are not seen: " + err.Error(),
		})
	}
	t.tellNaming()
	for _, p := range t.tracker.Polls() {
		t.recorder.Add(timeline.Event{Kind: timeline.MissingEvidence, Text: "phase " + p.Phase + " is polled over HTTP: its moments are not exact"})
	}
}
