package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/internal/process"
)

// buildGrace is how long an interrupted build may take to stop.
const buildGrace = 2 * time.Second

// build runs service.build once, in the caller's whole environment: compilers want it. Its last lines are shown only when it
// fails. What it leaves running is ended: a daemon that holds its output open must not hold the run.
func (s *suite) build(ctx context.Context) error {
	s.bin = filepath.Join(s.dir, "bin")
	if err := os.Mkdir(s.bin, 0o755); err != nil { // #nosec G301 -- holds programs
		return fmt.Errorf("make the build folder: %w", err)
	}
	if len(s.plan.File.Service.Build) == 0 {
		return nil
	}
	argv, err := experiments.Render(s.plan.File.Service.Build, func(name string) (string, error) {
		if name == "bin" {
			return s.bin, nil
		}
		return "", fmt.Errorf("${%s}: service.build knows only ${bin}", name)
	})
	if err != nil {
		return fmt.Errorf("service.build: %w", err)
	}
	s.o.On(Progress{Kind: Building, Text: s.mask(strings.Join(argv, " "))})
	if err := s.runBuild(ctx, argv); err != nil {
		return fmt.Errorf("service.build: %s: %w", s.mask(strings.Join(argv, " ")), err)
	}
	return nil
}

func (s *suite) runBuild(ctx context.Context, argv []string) error {
	said, marker := &tail{}, s.marker+"-build"
	s.watch(marker, 0)
	defer s.forget(marker)
	p, err := process.Start(process.Spec{
		Argv: argv, Dir: s.plan.File.Dir, Env: os.Environ(), Marker: marker,
		Line: func(_ process.Stream, line string) { said.add(line) },
	})
	if err != nil {
		return err
	}
	s.watch(marker, p.PID())
	select {
	case <-p.Done():
	case <-ctx.Done():
	}
	interrupted := ctx.Err()
	stopped := p.Stop(context.WithoutCancel(ctx), syscall.SIGTERM, buildGrace)
	if err := errors.Join(stopped.Err, p.Close()); err != nil {
		return fmt.Errorf("end what it started: %w", err)
	}
	switch {
	case interrupted != nil:
		return context.Cause(ctx)
	case !p.Exit().OK():
		return fmt.Errorf("%s: its last lines:\n%s", p.Exit(), s.mask(said.String()))
	}
	return nil
}
