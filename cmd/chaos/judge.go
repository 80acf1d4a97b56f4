package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/chaos-startup/chaos/reports"
	"github.com/spf13/cobra"
)

func newJudgeCmd(d deps) *cobra.Command {
	var o outputs
	var verbose, gate bool
	cmd := &cobra.Command{
		Use: "judge REPORT", Args: oneReport, ValidArgsFunction: files("json", "part"),
		Short: "Judge a report again from its timelines, without running anything",
		Long: `Judge a report (chaos run --json) again from its timelines alone. The verdicts and the exit code are the same as those of
the run. The .part file that a killed run leaves beside its report is read as well: every trial that was judged is in it.
The report of a run with --gate answers for its checklist again; --gate asks that of any report that has one.`,
		Example: `  chaos judge report.json
  chaos judge report.json -v                            # also why passing trials pass
  chaos judge report.json.part --json report.json       # make a report of what a killed run left
  chaos judge report.json --junit junit.xml
  chaos judge report.json --gate                        # block on the checklist of the file that was run`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return usageError{err}
			}
			report, err := readReport(args[0])
			if err != nil {
				return err
			}
			if gate {
				if report.Gate == nil {
					return usageError{fmt.Errorf("judge %s: --gate: the report has no checklist: the file that was run has none", args[0])}
				}
				report.Gate.Enforced = true
			}
			report.Judge()
			if err := errors.Join(o.write(d.stdout, report, &reports.Style{Color: d.out.color(d), Verbose: verbose})); err != nil {
				return harnessError{err}
			}
			if code := report.ExitCode(); code != exitOK {
				return exitError{code}
			}
			return nil
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&gate, "gate", false, "print the checklist, and exit with 1 when a required item failed or is not covered")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "also say why passing trials pass")
	return cmd
}

func readReport(path string) (*reports.Report, error) {
	f, err := os.Open(path) // #nosec G304 -- the user names the file
	if errors.Is(err, fs.ErrNotExist) {
		err = noFile(path, true)
	}
	if err != nil {
		return nil, usageError{err}
	}
	report, err := reports.Read(f)
	if err := f.Close(); err != nil {
		return nil, harnessError{err}
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("judge %s: %w", path, err)}
	}
	return report, nil
}
