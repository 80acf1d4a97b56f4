package runner

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
)

// schedule hands out trials in the plan's order, but none before the first control of its way of starting has shown that they make sense.
type schedule struct {
	mu       sync.Mutex
	changed  *sync.Cond
	parallel int
	running  int
	sound    map[string]bool               // by start key: the first control makes sense of the others; absent: not judged yet
	figures  map[string]map[string]float64 // by start key: of the first control that passed, to compare with
	pending  []int
	taken    map[int]bool // ports that the file names, while a trial's service has them
}

// runTrials runs every trial that makes sense, some side by side, and returns them in the plan's order.
func (s *suite) runTrials(ctx context.Context) []reports.Trial {
	sch := &schedule{parallel: s.o.Parallel, sound: map[string]bool{}, figures: map[string]map[string]float64{}, taken: map[int]bool{}}
	sch.changed = sync.NewCond(&sch.mu)
	if sch.parallel == 0 {
		sch.parallel = runtime.NumCPU()
	}
	if s.plan.File.FixedListen() {
		sch.parallel = 1
	}
	for i := range s.plan.Trials {
		sch.pending = append(sch.pending, i)
	}
	stop := context.AfterFunc(ctx, func() {
		sch.mu.Lock()
		defer sch.mu.Unlock()
		sch.changed.Broadcast()
	})
	defer stop()
	out := make([]reports.Trial, len(s.plan.Trials))
	var wg sync.WaitGroup
	for {
		i, ok := sch.take(ctx, s)
		if !ok {
			break
		}
		wg.Go(func() {
			out[i] = s.one(ctx, i, sch)
		})
	}
	wg.Wait()
	for i := range out {
		if out[i].Title == "" {
			out[i] = s.skipped(i)
		}
	}
	return out
}

// take waits for a free place and returns the first pending trial that may run.
func (sch *schedule) take(ctx context.Context, s *suite) (int, bool) {
	sch.mu.Lock()
	defer sch.mu.Unlock()
	for ctx.Err() == nil && len(sch.pending) > 0 {
		if sch.running < sch.parallel {
			if i, ok := sch.runnable(s); ok {
				sch.running++
				return i, true
			}
			if sch.running == 0 {
				return 0, false // what is left waits for controls that failed
			}
		}
		sch.changed.Wait()
	}
	return 0, false
}

func (sch *schedule) runnable(s *suite) (int, bool) {
	for n, i := range sch.pending {
		t := s.plan.Trials[i]
		sound, judged := sch.sound[t.Start]
		alone := !t.Control && len(t.Inject) == 0 // it is its own control
		port := t.FixedPort()
		if sch.taken[port] {
			continue
		}
		if t.Control && !judged && sch.first(s, i) || sound || alone {
			sch.taken[port] = port != 0
			sch.pending = append(sch.pending[:n], sch.pending[n+1:]...)
			return i, true
		}
	}
	return 0, false
}

// first says whether trial i is the first control of its way of starting.
func (sch *schedule) first(s *suite, i int) bool {
	for n := range i {
		if t := s.plan.Trials[n]; t.Control && t.Start == s.plan.Trials[i].Start {
			return false
		}
	}
	return true
}

// done gives the place and the port back and learns from the trial.
func (sch *schedule) done(t reports.Trial, port int, auto bool, wall time.Duration) {
	sch.mu.Lock()
	defer sch.mu.Unlock()
	sch.running--
	delete(sch.taken, port)
	if _, known := sch.figures[t.Start]; t.Control && !known && !t.Spoils() {
		sch.figures[t.Start] = contracts.Baseline(t.Timeline)
	}
	if _, judged := sch.sound[t.Start]; t.Control && !judged {
		sch.sound[t.Start] = !t.Spoils()
		if auto {
			sch.parallel = max(sch.parallel, fitting(t.CPUMS(), wall))
		}
	}
	sch.changed.Broadcast()
}

// baseline is what a trial with faults is compared with. One without may run before its control, and is compared with itself.
func (sch *schedule) baseline(t experiments.Trial) map[string]float64 {
	sch.mu.Lock()
	defer sch.mu.Unlock()
	if len(t.Inject) == 0 {
		return nil
	}
	return sch.figures[t.Start]
}

// fitting is how many trials fit side by side: as many as the cores can run when each waits as long as the control did,
// at most four a core.
func fitting(cpuMS float64, wall time.Duration) int {
	cores := float64(runtime.NumCPU())
	if cpuMS <= 0 {
		cpuMS = 1
	}
	wanted := cores * float64(wall.Microseconds()) / 1000 / cpuMS / 2
	return int(math.Max(cores, math.Min(4*cores, wanted)))
}

// one runs and judges one trial.
func (s *suite) one(ctx context.Context, i int, sch *schedule) reports.Trial {
	started := time.Now()
	t := s.newTrial(i)
	t.baseline = sch.baseline(s.plan.Trials[i])
	t.progress(TrialStarted, "")
	events := t.run(ctx)
	result := s.result(t, events)
	if err := s.journal.Add(result); err != nil {
		s.unkept.Do(func() {
			s.o.On(Progress{Kind: Unkept, Trial: i, Total: len(s.plan.Trials), Title: t.title, Text: err.Error()})
		})
	}
	sch.done(result, s.plan.Trials[i].FixedPort(), s.o.Parallel == 0 && !s.plan.File.FixedListen(), time.Since(started))
	why := ""
	if len(result.Reasons) > 0 {
		why = result.Reasons[0].Text
	}
	s.o.On(Progress{
		Kind: TrialDone, Trial: i, Total: len(s.plan.Trials), Title: t.title, Verdict: result.Verdict, Text: why, Elapsed: time.Since(started),
	})
	return result
}
