package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
	"github.com/chaos-startup/chaos/runner"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

// What --servers takes.
const serversAuto = "auto"

var serverChoices = []string{serversAuto, "real", "standin"}

// runFlags are the flags of run besides the selection.
type runFlags struct {
	selection
	outputs
	parallel int
	servers  string
	dryRun   bool
	keep     bool
	verbose  bool
	gate     bool
}

func newRunCmd(d deps) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run [FILE]", Args: oneFile, ValidArgsFunction: files("yaml", "yml"),
		Short: "Run the experiments of a file (default ./experiments.yaml)",
		Long: `Run the experiments of a file: bring the dependencies up, start the service once for each trial behind proxies of its own,
inject the faults exactly in their phases, and judge what was seen. A trial without faults (the control) comes first.

The summary goes to standard output, the progress to standard error. Ctrl-C lifts every fault, stops what was started and still
writes the report. With --json FILE every judged trial is also kept at once in FILE.part until the report is written.

Exit codes:
` + exitCodesHelp(),
		Example: `  chaos run
  chaos run team/experiments.yaml --var region=eu
  chaos run --only 'redis.*refuse' --seed 7      # some trials, with the random choices of a certain run
  chaos run --repeat 10 --parallel 4             # each trial ten times, four at a time
  chaos run --json report.json --junit junit.xml # for machines, and for CI
  chaos run --shard 1/4                          # the first quarter, on the first of four machines
  chaos run --servers standin                    # embedded stand-ins, also where real servers are installed
  chaos run --gate                               # also block on the checklist: what failed, and what nothing covers
  chaos run --dry-run                            # what would run
  chaos run --keep -v                            # keep the services' logs, and say what chaos does`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			plan, err := f.plan(cmd, d, args)
			if err != nil {
				return err
			}
			if f.gate {
				if err := gateable(plan, f.shard); err != nil {
					return usageError{err}
				}
			}
			if f.dryRun {
				return writePlan(d, plan, f.parallel, f.verbose)
			}
			if len(plan.Trials) == 0 && f.shard != "" {
				_, err := fmt.Fprintf(d.stdout, "part %s has no trials: there are fewer of them than parts\n", f.shard)
				return failed(err)
			}
			return f.run(cmd.Context(), d, plan)
		},
	}
	f.selection.addFlags(cmd, d)
	f.outputs.addFlags(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.parallel, "parallel", 0, "run `n` trials at a time (default: the file's, or from the cores and from how long trials wait)")
	flags.StringVar(&f.servers, "servers", serversAuto, "run server: dependencies on `kind`: auto (installed ones where found), real or standin")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the plan and start nothing")
	flags.BoolVar(&f.gate, "gate", false, "print the file's checklist, and exit with 1 when a required item failed or is not covered")
	flags.BoolVar(&f.keep, "keep", false, "keep the trial folders (service logs, rendered files) and say where they are")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "say what chaos does, and why passing trials pass")
	must(cmd.RegisterFlagCompletionFunc("servers", cobra.FixedCompletions(serverChoices, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

func (f *runFlags) check() error {
	var errs []error
	if !slices.Contains(serverChoices, f.servers) {
		errs = append(errs, fmt.Errorf("--servers %s: expected %s", f.servers, strings.Join(serverChoices, ", ")))
	}
	return errors.Join(append(errs, checkParallel(f.parallel), f.outputs.check())...)
}

func checkParallel(n int) error {
	if n < 0 {
		return fmt.Errorf("--parallel %d: expected 1 or more, or 0 to let chaos choose", n)
	}
	return nil
}

func (f *runFlags) run(ctx context.Context, d deps, plan *experiments.Plan) error {
	if f.gate {
		foretell(d, plan)
	}
	show := newProgress(d)
	ctx, signals := watch(ctx, d, func(line string) { show.above(line + "\n") })
	defer signals.stop()
	logger := zap.NewNop()
	if f.verbose {
		logger = newLogger(show)
	}
	o := runner.Options{
		Parallel: cmp.Or(f.parallel, plan.File.Parallel), Servers: f.servers, Keep: f.keep, Gate: f.gate, Tool: version(), Logger: logger,
		LookupEnv: d.env, On: show.on, Replay: f.replayer(d, plan), Journal: f.journal(),
	}
	if d.self != "" {
		o.Guard = []string{d.self, "guard"}
	}
	report, err := runner.Run(ctx, plan, o)
	show.close()
	if show.kept != "" {
		fmt.Fprintf(d.stderr, "kept: %s\n", show.kept)
	}
	return f.conclude(d, report, err, signals.code)
}

// conclude writes every output, also after a failure, and turns the result into an exit code.
func (f *runFlags) conclude(d deps, report *reports.Report, runErr error, interrupted func() int) error {
	text := &reports.Style{Color: d.out.color(d), Verbose: f.verbose}
	if len(report.Trials) == 0 { // an empty table would only hide the reason
		text = nil
		if runErr != nil {
			fmt.Fprintln(d.stderr, "chaos: "+strings.Join(report.Errors, "\n"))
		} else if report.Interrupted {
			fmt.Fprintln(d.stderr, "chaos: interrupted before the first trial: nothing was judged")
		}
	}
	jsonErr, otherErr := f.outputs.write(d.stdout, report, nil)
	journal := f.endJournal(d, report, jsonErr)
	if text != nil {
		otherErr = errors.Join(otherErr, reports.WriteText(d.stdout, report, *text))
	}
	writeErr := errors.Join(jsonErr, otherErr)
	if writeErr != nil {
		fmt.Fprintln(d.stderr, "chaos: "+writeErr.Error())
	}
	for _, line := range journal {
		fmt.Fprintln(d.stderr, "chaos: "+line)
	}
	if code := interrupted(); code != 0 {
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
