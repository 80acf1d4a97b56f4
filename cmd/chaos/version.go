package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version returns the module's version as the Go tool stamped it, or "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

func newVersionCmd(d deps) *cobra.Command {
	return &cobra.Command{
		Use: "version", Args: nothing, Short: "Print the version",
		Example: "  chaos version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(d.stdout, "chaos %s (%s %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return failed(err)
		},
	}
}
