package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// renderProbes makes the ready probe and the proofs: they see the real dependencies, past the proxies.
func (t *trial) renderProbes(ctx context.Context) error {
	env := probes.Env{Log: t.findLine, Dir: t.service.Dir, Environ: t.suite.environment(t.service.Inherit, nil)}
	if err := t.renderProofs(ctx, env); err != nil {
		return err
	}
	if t.service.Ready == nil {
		return nil
	}
	ready, err := experiments.Render(*t.service.Ready, t.lookup(ctx, forProbes))
	if err != nil {
		return fmt.Errorf("service.ready: %w", err)
	}
	t.service.Ready = &ready
	if ready.Log != "" {
		if t.readyLog, err = regexp.Compile(ready.Log); err != nil {
			return fmt.Errorf("service.ready.log: %w", err)
		}
		return nil
	}
	if t.readyProbe, err = probes.New(ready.Spec, env); err != nil {
		return fmt.Errorf("service.ready: %w", err)
	}
	t.readyProbe = t.requests.of(t.readyProbe, requestsOf(ready.Spec), false)
	return nil
}

func (t *trial) findLine(re *regexp.Regexp) (line string, ok bool) {
	t.gate.Do(func() { line, ok = t.keeper.find(re, t.recorder.Events()) })
	return line, ok
}

// followReady waits for the claim and examines it, again whenever it was taken back, until ctx ends.
func (t *trial) followReady(ctx context.Context) {
	var left patience
	for t.awaitClaim(ctx) {
		if !t.prove(ctx, &left) {
			return
		}
	}
}

// awaitClaim returns true when the service claims to be ready, false when ctx ends. Meanwhile the proofs are asked, if that was wanted.
func (t *trial) awaitClaim(ctx context.Context) bool {
	if t.claims.standing() {
		return ctx.Err() == nil
	}
	early, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	if t.plan.Invariants.LateReady != nil {
		all.Go(func() { t.proveEarly(early) })
	}
	if t.readyLog != nil {
		select {
		case <-t.claims.byLog():
			return true
		case <-ctx.Done():
			return false
		}
	}
	return t.pollClaim(ctx)
}

// pollClaim asks the ready probe until it says yes, or ctx ends. What a file gives as its interval is kept to.
func (t *trial) pollClaim(ctx context.Context) bool {
	timing := t.service.Ready.Timing()
	timing.Within, timing.FailureThreshold = 0, 1
	said := t.process.Started() // when it was asked the last time that it said no
	if denied := t.claims.deniedAt(); denied.After(said) {
		said = denied
	}
	for ctx.Err() == nil {
		r := play(ctx, t.readyProbe, timing)
		if !r.failed.IsZero() {
			said = r.failed
		}
		if r.ok {
			t.gate.Do(func() {
				if t.claims.claim() {
					t.claimed(r.ended, r.answer.Body, said)
				}
			})
			return true
		}
		timing.InitialDelay = 0
		pause := t.service.Ready.Interval.D()
		if pause <= 0 {
			pause = claiming.after(r.took())
		}
		rest(ctx, pause, nil)
	}
	return false
}

// endless makes Poll go on until its context ends.
func endless(timing probes.Timing) probes.Timing {
	timing.Within = 24 * time.Hour
	return timing
}

// claimed notes the claim and tells phases and faults. said is when the last ask was begun that it said no to; zero: the log tells. Gate held.
func (t *trial) claimed(at time.Time, answer string, said time.Time) {
	e := timeline.Event{Kind: timeline.ReadyClaim, Degraded: t.saysDegraded(answer), Text: t.mask(shorten(answer, 200)), Source: "log"}
	if !said.IsZero() {
		e.Source, e.Count = "", map[string]float64{"asked_ms": t.recorder.At(said)}
	}
	t.recorder.AddAt(at, e)
	t.answering.claim.ring()
	t.trafficClaimed(at)
	select {
	case t.claimedReady <- struct{}{}:
	default:
	}
	t.apply(t.tracker.Ready())
	t.injector.happened(moment{ready: true})
}

func (t *trial) saysDegraded(answer string) bool {
	if pattern := t.service.Ready.Degraded; pattern != "" {
		ok, err := regexp.MatchString(pattern, answer)
		return ok && err == nil
	}
	var body struct {
		Status string `json:"status"`
	}
	return json.Unmarshal([]byte(answer), &body) == nil && body.Status == "degraded"
}

// dying is how long the end of a process may be noticed after its connections broke.
const dying = 20 * time.Millisecond

// stillClaims asks the ready probe once more. A claim in the log can't be taken back, but one who dies makes none.
func (t *trial) stillClaims(ctx context.Context) (bool, string, error) {
	if t.readyProbe == nil {
		select {
		case <-t.process.Done():
			return false, "", errors.New("the service is gone")
		case <-time.After(dying):
			return true, "", nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, t.service.Ready.Timing().Timeout)
	defer cancel()
	answer, err := t.readyProbe(ctx)
	return err == nil, answer.Body, err
}

func (t *trial) unclaim(err error) {
	if t.claims.lost() {
		t.recorder.Add(timeline.Event{Kind: timeline.ReadyLost, Error: t.mask(fmt.Sprint(err))})
	}
}

// renderPolls makes the probes of the phases that are asked for over HTTP.
func (t *trial) renderPolls(ctx context.Context) error {
	for _, p := range t.tracker.Polls() {
		spec := probes.Spec{HTTP: &probes.HTTP{URL: p.HTTP.URL, JSON: p.HTTP.JSON, Equals: p.HTTP.Equals}, Interval: p.HTTP.Interval}
		rendered, err := experiments.Render(spec, t.lookup(ctx, forProbes))
		if err != nil {
			return fmt.Errorf("phase %s: %w", p.Phase, err)
		}
		probe, err := probes.New(rendered, probes.Env{})
		if err != nil {
			return fmt.Errorf("phase %s: %w", p.Phase, err)
		}
		t.polls = append(t.polls, poll{Poll: p, probe: t.requests.of(probe, 1, false), timing: endless(rendered.Timing())})
	}
	return nil
}

// poll is a phase that is asked for over HTTP.
type poll struct {
	phases.Poll
	probe  probes.Probe
	timing probes.Timing
}

// pollPhase asks whether a phase began or ended, until it did or ctx ends. An end is only taken while its phase is on.
func (t *trial) pollPhase(ctx context.Context, p poll) {
	for ctx.Err() == nil {
		if _, err := probes.Poll(ctx, p.probe, p.timing, nil); err != nil {
			return
		}
		var changes []phases.Change
		t.gate.Do(func() {
			changes = t.tracker.Polled(p.Phase, p.Begins)
			t.apply(changes)
		})
		if len(changes) > 0 {
			return
		}
		select {
		case <-time.After(p.timing.Interval):
		case <-ctx.Done():
		}
	}
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}
