package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/process"
	"github.com/chaos-startup/chaos/reports"
)

// suite is one run of a plan: what its trials share.
type suite struct {
	o    Options
	plan *experiments.Plan

	dir           string // the run's own folder
	bin           string // ${bin}
	marker        string // in the environment of every process of the run
	mask          func(string) string
	intercepting  error        // nil: connect(2) is intercepted
	ownResolvConf func() error // nil: a service can be given a resolv.conf of its own
	guard         *process.Guard
	ports         *portPool
	marks         *marks
	upstreams     []*upstream
	journal       *reports.Journal
	unkept        sync.Once // the journal lacks a trial, and that is told
	authority     authorityFiles
	addresses     addresses
}

// Run runs the plan and returns its report, judged. The report is there also when ctx ended in between (Interrupted is set) and
// when the clean-up failed; it is nil only when nothing could be started. The error is about chaos itself, never about the service:
// a build that fails, a dependency that does not come up, a folder that can't be removed.
func Run(ctx context.Context, plan *experiments.Plan, o Options) (*reports.Report, error) {
	o.setDefaults()
	s := &suite{o: o, plan: plan, ports: newPortPool(), ownResolvConf: process.OwnResolvConf, mask: experiments.Mask(plan.File.Masked)}
	report := s.newReport()
	err := s.up(ctx, report)
	if err == nil {
		report.Trials = s.runTrials(ctx)
	}
	if ctx.Err() != nil {
		err = nil // what could not be started was interrupted, not broken
	}
	s.describe(report)
	err = errors.Join(err, s.down(context.WithoutCancel(ctx)))
	report.Interrupted = ctx.Err() != nil
	if err != nil {
		report.Errors = append(report.Errors, s.mask(err.Error()))
	}
	report.DurationMS = float64(time.Since(report.Started).Microseconds()) / 1000
	report.Judge()
	o.On(Progress{Kind: Finished, Total: len(plan.Trials)})
	return report, err
}

// up makes what the trials share. Whatever it made is taken back by down, also after an error.
func (s *suite) up(ctx context.Context, report *reports.Report) error {
	id := make([]byte, 6)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("choose a name for the run: %w", err)
	}
	s.marker = "chaos-" + hex.EncodeToString(id)
	dir, err := os.MkdirTemp(s.o.TempDir, "chaos-run-")
	if err != nil {
		return fmt.Errorf("make the run's folder: %w: free space or set TMPDIR", err)
	}
	s.dir = dir
	if err := os.Chmod(dir, 0o755); err != nil { // #nosec G302 -- servers run as other users
		return fmt.Errorf("open the run's folder: %w", err)
	}
	s.authority = authorityFiles{dir: dir, names: []string{"localhost", "127.0.0.1", "::1"}}
	for _, d := range s.plan.File.Dependencies {
		s.authority.names = append(s.authority.names, d.Name)
	}
	if err := s.startGuard(); err != nil {
		return err
	}
	if s.o.Journal != "" {
		if s.journal, err = reports.OpenJournal(s.o.Journal, report); err != nil {
			return err
		}
	}
	s.intercepting = process.Intercepting()
	if s.marks, err = startMarks(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	return s.startDependencies(ctx)
}

func (s *suite) startGuard() error {
	if s.o.Guard == nil {
		return nil
	}
	var err error
	if s.guard, err = process.StartGuard(s.o.Guard); err != nil {
		return err
	}
	if s.o.Keep {
		return nil
	}
	return s.guard.Folder(s.dir)
}

// watch tells the guardian of a process group of the run.
func (s *suite) watch(marker string, pgid int) {
	if s.guard == nil {
		return
	}
	if err := s.guard.Watch(marker, pgid); err != nil {
		s.o.Logger.Warn("the guardian is gone: a killed run would leave processes behind")
	}
}

func (s *suite) forget(marker string) {
	if s.guard != nil {
		s.guard.Forget(marker)
	}
}

// down takes everything back. Its errors mean that something was left behind.
func (s *suite) down(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	errs := []error{s.stopDependencies(ctx), s.ports.close()}
	if s.marks != nil {
		errs = append(errs, s.marks.close(ctx))
	}
	switch {
	case s.dir != "" && s.o.Keep:
		s.o.On(Progress{Kind: Kept, Text: s.dir})
	case s.dir != "":
		if err := os.RemoveAll(s.dir); err != nil {
			errs = append(errs, fmt.Errorf("remove the run's folder: %w", err))
		}
	}
	if s.guard != nil {
		errs = append(errs, s.guard.Close())
	}
	if s.journal != nil {
		errs = append(errs, s.journal.Close())
	}
	return errors.Join(errs...)
}

// path makes a path of the file absolute or relative to the file's folder.
func (s *suite) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.plan.File.Dir, name)
}

// environment is the clean, listed environment of a process: the inherited names that are set, then env.
func (s *suite) environment(inherit []string, env map[string]string) []string {
	var out []string
	for _, name := range inherit {
		if _, over := env[name]; over {
			continue
		}
		if v, ok := s.o.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	for name, v := range env {
		out = append(out, name+"="+v)
	}
	return out
}
