package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newPlanCmd(d deps) *cobra.Command {
	var s selection
	var parallel int
	cmd := &cobra.Command{
		Use: "plan [FILE]", Args: cobra.MaximumNArgs(1),
		Short:   "Show what would run, in which order, and how long at most",
		Example: "  chaos plan\n  chaos plan --only postgres --parallel 4",
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := s.plan(cmd, d, args)
			if err != nil {
				return err
			}
			return writePlan(d.stdout, plan, parallel)
		},
	}
	s.addFlags(cmd)
	cmd.Flags().IntVar(&parallel, "parallel", 1, "trials at a `time`, for the bound")
	return cmd
}

func writePlan(w io.Writer, plan *experiments.Plan, parallel int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "#\tTRIAL\tFAULTS\tSEED")
	for i, trial := range plan.Trials {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\n", i+1, trial.Title(), faultsOf(trial), trial.Seed)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d trials, seed %d, at most %s with --parallel %d\n",
		len(plan.Trials), plan.Seed, plan.Bound(parallel).Round(time.Second), parallel)
	return err
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
