package main

import (
	"fmt"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newValidateCmd(d deps) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use: "validate [FILE]", Args: oneFile, ValidArgsFunction: files("yaml", "yml"),
		Short: "Check a file and start nothing",
		Long: `Check a file strictly and start nothing. All mistakes are told at once, each with its line, what was expected and the nearest
known name; the exit code is then 2. What is valid and probably not meant is a warning: proofs of readiness that can't find a
lie. Of a checklist it says how many items are covered by something, and which are not.`,
		Example: "  chaos validate\n  chaos validate team/experiments.yaml --var region=eu",
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := s.load(d, args)
			if err != nil {
				return err
			}
			plan, err := file.Expand(experiments.Selection{})
			if err != nil {
				return usageError{err}
			}
			warn(d, file)
			controls := 0
			for _, t := range plan.Trials {
				if t.Control {
					controls++
				}
			}
			_, err = fmt.Fprintf(d.stdout, "%s is valid: %s, %s and %s\n%s", file.Path, number(len(file.Experiments), "experiment"),
				number(len(plan.Trials)-controls, "trial"), number(controls, "control"), checklistWords(plan))
			return failed(err)
		},
	}
	s.addVars(cmd)
	return cmd
}
