package main

import (
	"fmt"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newValidateCmd(d deps) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		Use: "validate [FILE]", Args: cobra.MaximumNArgs(1),
		Short:   "Check a file and start nothing",
		Long:    "Check a file strictly and start nothing. All mistakes are told at once, each with its line, what was expected and the nearest known name.",
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
			_, err = fmt.Fprintf(d.stdout, "%s is valid: %d experiments, %d trials with their controls\n", file.Path, len(file.Experiments), len(plan.Trials))
			return err
		},
	}
	s.addVars(cmd)
	return cmd
}
