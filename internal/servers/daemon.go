package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/internal/process"
	"go.uber.org/zap"
)

const (
	// startLimit bounds a start when the context has no earlier end.
	startLimit = 60 * time.Second
	// stopGrace is how long a server has after its signal until it is killed.
	stopGrace = 8 * time.Second
	// attempts is how often a server is started that found its port taken.
	attempts = 3
)

// daemon is an installed server that runs as a process of ours.
type daemon struct {
	process *process.Process
	log     *tail
	signal  syscall.Signal // asks it to end
}

// command is how a daemon, or a tool that prepares for it, is started.
type command struct {
	argv   []string
	home   *home
	signal syscall.Signal
}

// launch starts a process as the server's user, in its home.
func launch(c command, o Options) (*daemon, error) {
	log := &tail{}
	p, err := process.Start(process.Spec{
		Argv: c.argv, Dir: c.home.dir, User: c.home.user, Marker: o.Marker,
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.home.dir, "LC_ALL=C", "TZ=UTC"},
		Line: func(_ process.Stream, line string) {
			log.add(line)
			o.Logger.Debug("server output", zap.String("program", filepath.Base(c.argv[0])), zap.String("line", line))
		},
	})
	if err != nil {
		return nil, err
	}
	if o.Watch != nil {
		o.Watch(o.Marker, p.PID())
	}
	return &daemon{process: p, log: log, signal: c.signal}, nil
}

// runTool runs a program that ends by itself.
func runTool(ctx context.Context, c command, o Options) error {
	c.signal = syscall.SIGTERM
	d, err := launch(c, o)
	if err != nil {
		return err
	}
	name := filepath.Base(c.argv[0])
	select {
	case <-d.process.Done():
		err = d.process.Close()
		if exit := d.process.Exit(); !exit.OK() {
			return fmt.Errorf("%s ended with %s\n%s", name, exit, d.log)
		}
		return err
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s did not end: %w\n%s", name, context.Cause(ctx), d.log), d.stop(context.WithoutCancel(ctx)))
	}
}

// await asks ready until it succeeds, the server exits or the time is over.
func (d *daemon) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-d.process.Done():
			// Close delivers the last lines.
			_ = d.process.Close()
			return fmt.Errorf("%w: it ended with %s before it answered; its last lines:\n%s", errExited, d.process.Exit(), d.log)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer (%w): %w; its last lines:\n%s", context.Cause(ctx), err, d.log)
		case <-ticker.C:
		}
	}
}

var errExited = errors.New("the server does not run")

func (d *daemon) stop(ctx context.Context) error {
	stopped := d.process.Stop(ctx, d.signal, stopGrace)
	return errors.Join(stopped.Err, d.process.Close())
}

// retryable says whether a start failed because somebody took the port between
// our looking and the server's binding.
func retryable(err error, o Options) bool {
	return o.Listen == "" && errors.Is(err, errExited) && strings.Contains(strings.ToLower(err.Error()), "in use")
}

// tail keeps the last lines of a server's output.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const tailLines = 20

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == tailLines {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

// String is the lines, indented.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return "  (it printed nothing)"
	}
	return "  " + strings.Join(t.lines, "\n  ")
}
