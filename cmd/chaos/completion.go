package main

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"
)

// files completes one argument or flag value with files of these extensions.
func files(extensions ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
}

// experimentNames completes --only with the names of the file, each as the regular expression that selects it alone.
func (s *selection) experimentNames(d deps) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		file, err := s.load(d, args)
		if err != nil {
			return cobra.AppendActiveHelp(nil, "the experiments file can't be read: see chaos validate"), cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, e := range file.Experiments {
			names = append(names, cobra.CompletionWithDesc(regexp.QuoteMeta(e.Name), fmt.Sprintf("line %d", e.Line)))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// must is for what only a mistake in this package can cause.
func must(err error) {
	if err != nil {
		panic("chaos: " + err.Error())
	}
}
