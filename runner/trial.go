package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/internal/servers"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// trial is one run of the service: its own folder, ports, proxies and timeline.
//
// Its gate is the one lock of all that decides when a fault is on: log lines, connects, marks, datagrams, timers.
type trial struct {
	suite   *suite
	plan    experiments.Trial
	index   int
	name    string // "t12": in variables, folders and database names
	marker  string // in the environment of every process of it
	title   string
	started time.Time

	spec         contracts.Spec
	service      experiments.Service // rendered
	readiness    []proof
	sooners      []*sooner // those with from: start
	dependencies []*dependency
	naming       *naming // nil: no dependency has names
	dir          string
	ports        map[string]int
	files        map[string]string

	gate       *process.Gate
	recorder   *timeline.Recorder
	keeper     *logKeeper
	hides      atomic.Pointer[func(string) string] // the run's secrets, and those that the service is given; see mask
	noSecret   bool                                // it was given none, and an invariant is about them
	tracker    *phases.Tracker
	injector   *injector
	process    *process.Process // of the present incarnation
	noted      *process.Process // whose exit is in the timeline
	gone       bool             // the present incarnation has exited: what still comes is not the service's; gate held
	logFile    *cappedFile
	heard      time.Time       // when the service last said something, or met a fault; gate held
	undeclared map[string]bool // targets already told
	requests   *requests
	answering  answering
	saidReady  bool // READY=1 of sd_notify came in this incarnation; gate held
	crowdMu    sync.Mutex
	crowd      map[string]int // events by dependency and kind, to bound them

	load load

	replica    int      // which of several instances this is, from 1; 0: the only one, or what they share
	lead       *trial   // of a replica: what it shares with the others
	replicas   []*trial // the instances, where there are several
	crew       crew
	starts     int           // how often the service was started
	asked      chan struct{} // closed when the experiment has asked the service to stop
	askEarly   bool          // it should have been asked already, and is just being started; gate held
	restarted  bool          // this is the start that then_restart asks for
	summarised bool          // the figures of the faults are in the timeline

	usage        usage
	baseline     map[string]float64 // figures of the control that this trial is compared with
	claimedReady chan struct{}      // the service has just claimed to be ready

	claims     claims
	readyProbe probes.Probe   // the service claims readiness by a probe
	readyLog   *regexp.Regexp // or by a log line
	polls      []poll
	lifts      atomic.Int64  // how many faults were lifted
	lifted     bell          // rung by each lift
	woken      chan struct{} // something changed: look again
}

// dependency is a dependency as one trial sees it: a proxy of its own before the shared upstream.
type dependency struct {
	name      string
	upstream  *upstream
	proxy     *proxy.Proxy
	namespace *servers.Namespace
}

func (s *suite) newTrial(index int) *trial {
	plan := s.plan.Trials[index]
	name := fmt.Sprintf("t%d", index+1)
	t := &trial{
		suite: s, plan: plan, index: index, name: name, marker: s.marker + "-" + name, title: plan.Title(), started: time.Now(),
		spec: plan.Spec(), ports: map[string]int{}, files: map[string]string{},
		gate: process.NewGate(), recorder: timeline.NewRecorder(),
		undeclared: map[string]bool{}, crowd: map[string]int{}, woken: make(chan struct{}, 1), claimedReady: make(chan struct{}, 1),
		asked: make(chan struct{}), requests: &requests{},
	}
	t.hides.Store(&s.mask)
	return t
}

// run observes the service once and cleans up, also when ctx ends in between.
func (t *trial) run(ctx context.Context) []timeline.Event {
	err := t.prepare(ctx)
	if err == nil {
		err = t.observe(ctx)
	}
	if err == nil && t.plan.ThenRestart != nil && ctx.Err() == nil {
		err = t.startAgain(ctx)
	}
	if err != nil && ctx.Err() == nil {
		t.harness(err)
	}
	if ctx.Err() != nil {
		t.recorder.Add(timeline.Event{Kind: timeline.Interrupted})
	}
	t.finish(context.WithoutCancel(ctx))
	return t.events()
}

// harness notes that chaos itself failed: the trial is an error, whatever the service did.
func (t *trial) harness(err error) {
	t.recorder.Add(timeline.Event{Kind: timeline.Harness, Error: t.mask(err.Error())})
}

// prepare makes everything that the service needs before its exec.
func (t *trial) prepare(ctx context.Context) error {
	t.dir = filepath.Join(t.suite.dir, t.name)
	if err := os.Mkdir(t.dir, 0o755); err != nil { // #nosec G301 -- a service may run as another user
		return fmt.Errorf("make the trial's folder: %w", err)
	}
	for _, step := range []func(context.Context) error{t.prepareJudging, t.startResolver, t.startProxies} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if t.plan.Service.Replicas > 1 {
		return t.makeReplicas(ctx)
	}
	return t.prepareService(ctx)
}

// prepareService makes what belongs to one instance of the service.
func (t *trial) prepareService(ctx context.Context) error {
	for _, step := range []func(context.Context) error{t.renderFiles, t.renderService, t.renderProbes, t.renderPolls, t.renderTraffic, t.addressFree} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	var err error
	t.logFile, err = newCappedFile(filepath.Join(t.dir, "service.log"))
	return err
}

func (t *trial) prepareJudging(context.Context) error {
	err := t.prepareWatching()
	if err != nil {
		return err
	}
	if t.injector, err = newInjector(t.plan.Inject); err != nil {
		return err
	}
	if t.injector.asking, err = newAsking(t.plan.Stop, t.askToStop); err != nil {
		return err
	}
	t.injector.hold = t.gate.Do
	t.injector.wake = t.changed
	t.injector.record = t.recordFault
	t.injector.on, t.injector.off = t.arm, t.lift
	return nil
}

// prepareWatching makes what reads one instance's log.
func (t *trial) prepareWatching() error {
	var err error
	if t.tracker, err = phases.New(t.plan.Phases); err != nil {
		return err
	}
	t.keeper, err = newLogKeeper(t.plan, t.spec, func(at time.Time, e timeline.Event) { t.recorder.AddAt(at, e) }, func(text string) string { return t.mask(text) })
	return err
}

func (t *trial) recordFault(e timeline.Event) {
	t.bounded(time.Now(), e)
	what := "armed"
	if e.Kind == timeline.FaultLifted {
		what = "lifted"
	}
	t.progress(TrialFault, fmt.Sprintf("%s on %s %s", t.plan.Inject[faultIndex(e.Fault)].Fault.Kind, e.Dependency, what))
}

// changed looks again at what the proxies must watch, and wakes the trial. Gate held.
func (t *trial) changed() {
	for _, d := range t.dependencies {
		d.proxy.SetGated(t.injector.gated(d.name))
	}
	t.wake()
	for _, r := range t.replicas {
		r.wake()
	}
}

func (t *trial) wake() {
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

func (t *trial) dependency(name string) *dependency {
	for _, d := range t.dependencies {
		if d.name == name {
			return d
		}
	}
	return nil
}

// renderFiles writes service.files into the trial's folder, in the order of their names.
func (t *trial) renderFiles(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(t.plan.Service.Files)) {
		if err := t.renderFile(ctx, name, t.plan.Service.Files[name]); err != nil {
			return fmt.Errorf("service.files.%s: %w", name, err)
		}
	}
	return nil
}

func (t *trial) renderFile(ctx context.Context, name string, spec experiments.RenderedFile) error {
	if !filepath.IsLocal(name) {
		return errors.New("the name must be a path inside the trial's folder")
	}
	content := spec.Content
	if spec.Template != "" {
		data, err := os.ReadFile(t.suite.path(spec.Template)) // #nosec G304 -- the file's author names it
		if err != nil {
			return err
		}
		content = string(data)
	}
	text, err := experiments.Render(content, t.lookup(ctx, forService))
	if err != nil {
		return err
	}
	path := filepath.Join(t.dir, "files", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // #nosec G301 -- read by the service
		return err
	}
	t.files[name] = path
	return os.WriteFile(path, []byte(text), 0o644) // #nosec G306 G703 -- read by the service; inside the trial's folder
}

func (t *trial) renderService(ctx context.Context) error {
	spec := t.plan.Service
	spec.Ready, spec.Files, spec.Build = nil, nil, nil
	var err error
	if t.service, err = experiments.Render(spec, t.lookup(ctx, forService)); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	t.service.Ready = t.plan.Service.Ready
	t.learnSecrets()
	t.service.Dir = t.suite.path(t.service.Dir)
	return nil
}

// progress tells whoever watches.
func (t *trial) progress(kind ProgressKind, text string) {
	t.suite.o.On(Progress{Kind: kind, Trial: t.index, Total: len(t.suite.plan.Trials), Title: t.title, Text: text, Elapsed: time.Since(t.started)})
}

func faultIndex(id string) int {
	var n int
	if _, err := fmt.Sscanf(id, "f%d", &n); err != nil {
		return 0
	}
	return n - 1
}
