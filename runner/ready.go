package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// proofWindow bounds how long proofs that fail are asked again, to measure how long a false claim stood.
const proofWindow = 2 * time.Second

// proof is a rendered proof of readiness.
type proof struct {
	name   string
	needs  []string
	probe  probes.Probe
	timing probes.Timing
}

// renderProbes makes the ready probe and the proofs: they see the real dependencies, past the proxies.
func (t *trial) renderProbes(ctx context.Context) error {
	env := probes.Env{Log: t.findLine, Dir: t.service.Dir, Environ: t.suite.environment(t.service.Inherit, nil)}
	for _, p := range t.plan.Readiness {
		spec, err := experiments.Render(p.Spec, t.lookup(ctx, forProbes))
		if err != nil {
			return fmt.Errorf("readiness %q: %w", p.Name, err)
		}
		probe, err := probes.New(spec, env)
		if err != nil {
			return fmt.Errorf("readiness %q: %w", p.Name, err)
		}
		t.readiness = append(t.readiness, proof{name: p.Name, needs: p.Needs, probe: probe, timing: spec.Timing()})
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
	return nil
}

func (t *trial) findLine(re *regexp.Regexp) (line string, ok bool) {
	t.gate.Do(func() { line, ok = t.keeper.find(re, t.recorder.Events()) })
	return line, ok
}

// followReady waits for the claim, proves it, and does so again when asked, until ctx ends.
func (t *trial) followReady(ctx context.Context) {
	for t.awaitClaim(ctx) {
		asked := t.claims.asking()
		lifts := t.lifts.Load()
		if !t.prove(ctx) {
			continue // the claim was taken back, or ctx ended
		}
		t.claims.proved(lifts)
		t.wake()
		select {
		case <-asked:
		case <-ctx.Done():
			return
		}
		if ok, _, err := t.stillClaims(ctx); !ok && ctx.Err() == nil {
			t.unclaim(err)
		}
	}
}

// awaitClaim returns true when the service claims to be ready, false when ctx ends.
func (t *trial) awaitClaim(ctx context.Context) bool {
	if t.claims.standing() {
		return ctx.Err() == nil
	}
	if t.readyLog != nil {
		select {
		case <-t.claims.byLog():
			return true
		case <-ctx.Done():
			return false
		}
	}
	timing := endless(t.service.Ready.Timing())
	for ctx.Err() == nil {
		answer, err := probes.Poll(ctx, t.readyProbe, timing, nil)
		if err != nil {
			continue
		}
		now := time.Now()
		t.gate.Do(func() {
			if t.claims.claim() {
				t.claimed(now, answer.Body)
			}
		})
		return true
	}
	return false
}

// endless makes Poll go on until its context ends.
func endless(timing probes.Timing) probes.Timing {
	timing.Within = 24 * time.Hour
	return timing
}

// claimed notes the claim and tells phases and faults. Gate held.
func (t *trial) claimed(at time.Time, answer string) {
	t.recorder.AddAt(at, timeline.Event{
		Kind: timeline.ReadyClaim, Degraded: t.saysDegraded(answer), Text: t.mask(shorten(answer, 200)),
	})
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

// prove asks every proof at once after the claim, and those that fail again until they hold or the window is over. It
// returns false when the service took its claim back or ctx ended.
func (t *trial) prove(ctx context.Context) bool {
	open := t.readiness
	deadline := time.Now().Add(proofWindow)
	for {
		var failed []proof
		for _, p := range open {
			ok, claimed := t.attempt(ctx, p)
			if !claimed || ctx.Err() != nil {
				return false
			}
			if !ok && !t.excused(p) {
				failed = append(failed, p)
			}
		}
		if len(failed) == 0 || time.Now().After(deadline) {
			return true
		}
		open = failed
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}

// excused says whether a proof needs an optional dependency that is under a fault right now: that it fails is no news, and asking it again
// would only make the service try that dependency again.
func (t *trial) excused(p proof) bool {
	for _, d := range t.plan.Dependencies {
		if !d.Required && slices.Contains(p.needs, d.Name) && t.faulted(d.Name) {
			return true
		}
	}
	return false
}

func (t *trial) faulted(dependency string) (on bool) {
	t.gate.Do(func() { on = t.injector.armed(dependency) })
	return on
}

// attempt asks one proof once and, if it failed, whether the service still claims to be ready.
func (t *trial) attempt(ctx context.Context, p proof) (ok, claimed bool) {
	timing := p.timing
	if t.excused(p) {
		timing.Within, timing.FailureThreshold = 0, 1
	}
	started := time.Now()
	_, err := probes.Poll(ctx, p.probe, timing, nil)
	ended := time.Now()
	if ctx.Err() != nil {
		return false, false
	}
	ok = err == nil
	e := timeline.Event{Kind: timeline.Proof, Name: p.name, OK: &ok, Count: map[string]float64{"took_ms": float64(ended.Sub(started).Microseconds()) / 1000}}
	if err != nil {
		e.Error = t.mask(err.Error())
		var lost error
		var answer string
		claimed, answer, lost = t.stillClaims(ctx)
		if ctx.Err() != nil {
			return false, false
		}
		e.Claimed = claimed
		if claimed && t.readyProbe != nil {
			e.Result = "ready"
			if t.saysDegraded(answer) {
				e.Result = "degraded"
			}
		}
		t.recorder.AddAt(ended, e)
		if !claimed {
			t.unclaim(lost)
		}
		return false, claimed
	}
	e.Claimed = true
	t.recorder.AddAt(ended, e)
	return true, true
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
		t.polls = append(t.polls, poll{Poll: p, probe: probe, timing: endless(rendered.Timing())})
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
