package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newPlanCmd(d deps) *cobra.Command {
	var s selection
	var parallel int
	var verbose bool
	cmd := &cobra.Command{
		Use: "plan [FILE]", Args: oneFile, ValidArgsFunction: files("yaml", "yml"),
		Short: "Show what would run, in which order, and how long at most",
		Long: `Show what would run: every trial in its order, with its faults, and how long all of it takes at most. Nothing is started.
A trial that is called control has no fault; when it does not pass, the trials after it that start the service in the same way
mean nothing, and are not run. Long lines are cut to the terminal; -v shows them whole, with the seed of each trial.`,
		Example: `  chaos plan
  chaos plan team/experiments.yaml --var region=eu
  chaos plan --only postgres --parallel 4
  chaos plan --repeat 10 --shard 2/4 --seed 7 -v`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkParallel(parallel); err != nil {
				return usageError{err}
			}
			plan, err := s.plan(cmd, d, args)
			if err != nil {
				return err
			}
			return writePlan(d, plan, parallel, verbose)
		},
	}
	s.addFlags(cmd, d)
	cmd.Flags().IntVar(&parallel, "parallel", 0, "`n` trials at a time, for the time it takes (default: the file's, or one for each core)")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "whole lines, and the seed of each trial")
	return cmd
}

// Where there is no terminal, lines of a plan are this long: a log of CI is read too.
const planWidth = 140

func writePlan(d deps, plan *experiments.Plan, parallel int, verbose bool) error {
	width := planWidth
	if d.out.there() {
		width, _ = d.out.size()
	}
	var b strings.Builder
	rows := make([][2]string, len(plan.Trials))
	for i, t := range plan.Trials {
		rows[i] = [2]string{plain(t.Title()), plain(faultsOf(t))}
	}
	if verbose {
		for i, t := range plan.Trials {
			fmt.Fprintf(&b, "%4d  %s\n      faults: %s\n      seed:   %d\n", i+1, rows[i][0], rows[i][1], t.Seed)
		}
	} else {
		planTable(&b, rows, width)
	}
	planChecklist(&b, plan, width, verbose)
	parallel = cmp.Or(parallel, plan.File.Parallel, runtime.NumCPU())
	fmt.Fprintf(&b, "\n%s, seed %d: at most %s with %d at a time, build and start of the dependencies apart\n",
		number(len(plan.Trials), "trial"), plan.Seed, plan.Bound(parallel).Round(time.Second), parallel)
	_, err := d.stdout.Write([]byte(b.String()))
	return failed(err)
}

// planTable has one line for each trial: titles get up to 60 % of the width, faults what is left.
func planTable(b *strings.Builder, rows [][2]string, width int) {
	title := len("TRIAL")
	for _, r := range rows {
		title = max(title, columnsOf(r[0]))
	}
	title = min(title, (width-8)*6/10)
	line := func(n, left, right string) {
		b.WriteString(strings.TrimRight(cut(fmt.Sprintf("%4s  %s  %s", n, pad(cut(left, title), title), right), width), " ") + "\n")
	}
	line("#", "TRIAL", "FAULTS")
	for i, r := range rows {
		line(fmt.Sprint(i+1), r[0], r[1])
	}
}

func faultsOf(t experiments.Trial) string {
	var out []string
	for _, f := range t.Spec().Faults {
		out = append(out, f.Text)
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, "; ")
}

// number counts: "1 trial", "2 trials".
func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
