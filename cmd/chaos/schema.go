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
		Use: "schema", Args: nothing,
		Short: "Print the JSON Schema of experiments.yaml",
		Long: `Print the JSON Schema (draft 2020-12) of experiments.yaml. Put this line at the top of a file and editors check it as you type:

  # yaml-language-server: $schema=./experiments.schema.json`,
		Example: "  chaos schema --output experiments.schema.json",
		RunE: func(*cobra.Command, []string) error {
			schema, err := experiments.Schema()
			if err != nil {
				return harnessError{fmt.Errorf("make the schema: %w", err)}
			}
			if out == "" {
				_, err = d.stdout.Write(schema)
				return failed(err)
			}
			if err := os.WriteFile(out, schema, 0o644); err != nil { // #nosec G306 -- a public document
				return harnessError{fmt.Errorf("write the schema: %w: choose another place with --output", err)}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to this `file` instead of standard output")
	must(cmd.RegisterFlagCompletionFunc("output", files("json")))
	return cmd
}
