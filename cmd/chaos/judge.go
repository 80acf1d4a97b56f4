package main

import (
	"fmt"
	"os"

	"github.com/chaos-startup/chaos/reports"
	"github.com/spf13/cobra"
)

func newJudgeCmd(d deps) *cobra.Command {
	var o outputs
	var verbose bool
	cmd := &cobra.Command{
		Use: "judge REPORT", Args: cobra.ExactArgs(1),
		Short: "Judge a report again from its timelines, without running anything",
		Long: `Judge a report (chaos run --json) again from its timelines alone. The verdicts are the same as those of the run. The .part file
that a killed run leaves beside its report is read as well: every trial that was judged is in it.`,
		Example: "  chaos judge report.json\n  chaos judge report.json.part --json report.json",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return usageError{err}
			}
			f, err := os.Open(args[0]) // #nosec G304 -- the user names the file
			if err != nil {
				return usageError{fmt.Errorf("judge: %w", err)}
			}
			report, err := reports.Read(f)
			if err := f.Close(); err != nil {
				return harnessError{err}
			}
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", args[0], err)}
			}
			report.Judge()
			if err := o.write(d, report, verbose); err != nil {
				return harnessError{err}
			}
			if code := report.ExitCode(); code != exitOK {
				return exitError{code}
			}
			return nil
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "also say why passing trials pass")
	return cmd
}
