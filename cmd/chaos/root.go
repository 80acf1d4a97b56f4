package main

import "github.com/spf13/cobra"

const defaultFile = "experiments.yaml"

func newRootCmd(d deps) *cobra.Command {
	root := &cobra.Command{
		Use:   "chaos",
		Short: "Fault injection for the startup of services",
		Long: `chaos puts proxies between a service and its dependencies, starts the service, injects latency, resets and outages
exactly during the startup phases you name, and says whether the service failed fast or recovered as its contract requires.

  chaos init              write a first experiments.yaml for your service
  chaos validate          check it
  chaos plan              what would run, in which order, how long at most
  chaos run               run it
  chaos proxy             the proxies alone, for you, your scripts and any Toxiproxy client

Exit codes:
` + exitCodesHelp(),
		SilenceUsage: true, SilenceErrors: true, Args: knownVerb,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(d.stdout)
	root.SetErr(d.stderr)
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(
		newRunCmd(d), newValidateCmd(d), newPlanCmd(d), newSchemaCmd(d), newJudgeCmd(d), newInitCmd(d), newDoctorCmd(d),
		newProxyCmd(d), newVersionCmd(d), newGuardCmd(),
	)
	return root
}
