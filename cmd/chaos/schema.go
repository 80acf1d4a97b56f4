package main

import (
	"fmt"
	"os"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newSchemaCmd(d deps) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "schema", Args: cobra.NoArgs,
		Short: "Print the JSON Schema of experiments.yaml",
		Long: `Print the JSON Schema (draft 2020-12) of experiments.yaml. Put this line at the top of a file and editors check it as you type:

  # yaml-language-server: $schema=./experiments.schema.json`,
		Example: "  chaos schema --output experiments.schema.json",
		RunE: func(*cobra.Command, []string) error {
			schema, err := experiments.Schema()
			if err != nil {
				return harnessError{fmt.Errorf("make the schema: %w", err)}
			}
			if out != "" {
				return os.WriteFile(out, schema, 0o644) // #nosec G306 -- a public document
			}
			_, err = d.stdout.Write(schema)
			return err
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to this `file` instead of standard output")
	return cmd
}
