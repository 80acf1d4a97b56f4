package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// oneFile is for verbs that take one experiments file or none.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one file, and %d were given (%s): run it once for each", cmd.CommandPath(), len(args), strings.Join(args, ", "))
	}
	return nil
}

func oneReport(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one report, and %d were given: name a file that `chaos run --json FILE` wrote", cmd.CommandPath(), len(args))
	}
	return nil
}

func nothing(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and %q was given; see `%s --help`", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// knownVerb refuses what is not a verb. A file that was given without one was probably to be run.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see `chaos --help`"
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean `chaos %s`?", near[0])
	} else if slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(args[0])) {
		hint = fmt.Sprintf("did you mean `chaos run %s`?", shellQuote(args[0]))
	} else if info, err := os.Stat(args[0]); err == nil && !info.IsDir() {
		hint = fmt.Sprintf("did you mean `chaos run %s`?", shellQuote(args[0]))
	}
	return fmt.Errorf("there is no verb %q: %s", args[0], hint)
}

// wrongFlag words what pflag refuses: the nearest known flag, and where the flags are explained.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			return fmt.Errorf("%w: did you mean --%s?", err, near)
		}
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		kind := map[string]string{"int": "a whole number", "uint64": "a whole number from 0", "bool": "true or false"}[invalid.GetFlag().Value.Type()]
		if kind != "" {
			return fmt.Errorf("--%s %s: expected %s", invalid.GetFlag().Name, invalid.GetValue(), kind)
		}
	}
	return fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())
}

func nearestFlag(cmd *cobra.Command, name string) string {
	best, least := "", 3 // at most two letters wrong
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		d := letters(name, f.Name)
		if strings.HasPrefix(f.Name, name) && len(name) > 1 {
			d = 1
		}
		if d < least {
			best, least = f.Name, d
		}
	})
	return best
}

// letters is the Levenshtein distance: how many letters are wrong, missing or too many.
func letters(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
