package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const defaultFile = "experiments.yaml"

func newRootCmd(d deps) *cobra.Command {
	root := &cobra.Command{
		Use:   "chaos",
		Short: "Fault injection for the startup of services",
		Long: `chaos puts proxies between a service and its dependencies, starts the service, injects latency, resets and outages
exactly during the startup phases you name, and says whether the service failed fast or recovered as its contract requires.

  chaos init              write a first experiments.yaml
  chaos run               run ./experiments.yaml
  chaos plan              what would run, in which order, how long at most

Exit codes: 0 all pass, 1 a contract was violated, 2 bad usage or file, 3 inconclusive, 4 harness error, 130/143 interrupted.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(d.stdout)
	root.SetErr(d.stderr)
	root.AddCommand(
		newRunCmd(d), newValidateCmd(d), newPlanCmd(d), newSchemaCmd(d), newJudgeCmd(d), newInitCmd(d), newDoctorCmd(d),
		newVersionCmd(d), newGuardCmd(),
	)
	return root
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) } // #nosec G115 -- a file descriptor
