package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// runFlags are the flags of run besides the selection.
type runFlags struct {
	selection
	outputs
	parallel int
	servers  string
	dryRun   bool
	keep     bool
	verbose  bool
}

func newRunCmd(d deps) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run [FILE]", Args: cobra.MaximumNArgs(1),
		Short: "Run the experiments of a file (default ./experiments.yaml)",
		Long: `Run the experiments of a file: bring the dependencies up, start the service once for each trial behind proxies of its own,
inject the faults exactly in their phases, and judge what was seen. A trial without faults (the control) comes first.`,
		Example: `  chaos run
  chaos run --only 'redis.*refuse' --seed 7
  chaos run --json report.json --junit junit.xml --parallel 4
  chaos run --servers standin        # embedded stand-ins, also where real servers are installed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := f.plan(cmd, d, args)
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return usageError{err}
			}
			if f.dryRun {
				return writePlan(d.stdout, plan, max(1, f.parallel))
			}
			return f.run(cmd.Context(), d, plan)
		},
	}
	f.selection.addFlags(cmd)
	f.outputs.addFlags(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.parallel, "parallel", 0, "trials at a time (default: from the cores and from how long trials wait)")
	flags.StringVar(&f.servers, "servers", "auto", "what `server:` dependencies run on: auto, real or standin")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan and start nothing")
	flags.BoolVar(&f.keep, "keep", false, "keep the trial folders (service logs, rendered files)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log what chaos does to standard error")
	return cmd
}

func (f *runFlags) check() error {
	switch f.servers {
	case "auto", "real", "standin":
	default:
		return fmt.Errorf("--servers %s: expected auto, real or standin", f.servers)
	}
	if f.parallel < 0 {
		return fmt.Errorf("--parallel %d: expected 1 or more", f.parallel)
	}
	return f.outputs.check()
}

func (f *runFlags) run(ctx context.Context, d deps, plan *experiments.Plan) error {
	logger := zap.NewNop()
	if f.verbose {
		logger = newLogger(d.stderr)
	}
	show := newProgress(d)
	o := runner.Options{
		Parallel: f.parallel, Servers: f.servers, Keep: f.keep, Tool: version(), Logger: logger,
		LookupEnv: d.env, On: show.on, Replay: f.replayer(plan),
	}
	if d.self != "" {
		o.Guard = []string{d.self, "guard"}
	}
	if f.json != "" {
		o.Journal = journalOf(f.json)
	}
	report, err := runner.Run(ctx, plan, o)
	show.close()
	return f.conclude(d, report, err)
}

// journalOf names the file that holds the judged trials while a run goes on.
func journalOf(path string) string { return path + ".part" }

// conclude writes every output, also after a failure, and turns the result into an exit code.
func (f *runFlags) conclude(d deps, report *reports.Report, runErr error) error {
	writeErr := f.outputs.write(d, report, f.verbose)
	if f.json != "" && writeErr == nil {
		writeErr = os.Remove(journalOf(f.json)) // every trial is in the report now
		if errors.Is(writeErr, fs.ErrNotExist) {
			writeErr = nil
		}
	}
	if runErr != nil {
		fmt.Fprintln(d.stderr, "chaos: "+runErr.Error())
	}
	if writeErr != nil {
		fmt.Fprintln(d.stderr, "chaos: "+writeErr.Error())
	}
	if code := d.interrupted(); code != 0 {
		return exitError{code}
	}
	code := report.ExitCode()
	if errors.Join(runErr, writeErr) != nil && code != exitViolated {
		code = exitHarness
	}
	if code == exitOK {
		return nil
	}
	return exitError{code}
}

// newLogger writes warnings and steps as plain lines.
func newLogger(w io.Writer) *zap.Logger {
	return zap.New(zapCore(w))
}
