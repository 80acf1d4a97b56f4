package main

import (
	"os"

	"github.com/chaos-startup/chaos/internal/process"
	"github.com/spf13/cobra"
)

// newGuardCmd is the guardian that a run starts: it cleans up when the run is killed.
func newGuardCmd() *cobra.Command {
	return &cobra.Command{
		Use: "guard", Hidden: true, Args: nothing,
		Short: "clean up after a run that was killed (started by run itself)",
		RunE:  func(*cobra.Command, []string) error { return process.RunGuard(os.Stdin) },
	}
}
