package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/shlex"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/expressions"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
)

const generated = "<!-- Made from the program by `make docs`: change cmd/chaos and run it again. -->\n"

// verbs are the commands that users see.
func verbs() (root *cobra.Command, list []*cobra.Command) {
	root = newRootCmd(deps{stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}, env: func(string) (string, bool) { return "", false }})
	for _, c := range root.Commands() {
		if !c.Hidden {
			list = append(list, c)
		}
	}
	return root, list
}

// TestDocs keeps the pages that are made from the program what it says of itself. docs/language.md and docs/faults.md have tests of their own.
func TestDocs(t *testing.T) {
	for name, text := range map[string]string{
		"cli.md": cliDoc(), "exit-codes.md": exitCodesDoc(),
		"expr.md": expressions.Markdown(), "phases.md": phases.Markdown(), "probes.md": probes.Markdown(),
	} {
		path := filepath.Join("..", "..", "docs", name)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err, "make docs writes it")
		assert.Equal(t, text, string(got), "docs/%s is old: run make docs", name)
	}
}

func cliDoc() string {
	root, list := verbs()
	var b strings.Builder
	fmt.Fprintf(&b, "# The command line\n\n%s\n%s\n\n", generated, fenced(root.Long))
	b.WriteString("| verb | what it does |\n|---|---|\n")
	for _, c := range list {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.Name(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	}
	b.WriteString("| `completion` | Write the completion script for bash, zsh, fish or powershell: `chaos completion bash --help` says how to install it |\n\n")
	b.WriteString("What a user reads goes to standard error while a run goes on, and the result to standard output. `NO_COLOR` takes the colours\n" +
		"away. On a terminal the trials that run are shown live; with `CI` set, with `TERM=dumb` or without a terminal there is one plain\nline for each trial that ends.\n")
	for _, c := range list {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```\n%s\n```\n", c.CommandPath(), fenced(longOf(c)), c.UseLine())
		if c.LocalFlags().HasAvailableFlags() {
			b.WriteString("\n| flag | meaning |\n|---|---|\n")
			c.LocalFlags().VisitAll(func(f *pflag.Flag) { b.WriteString(flagRow(f)) })
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n", unindent(c.Example))
	}
	return b.String()
}

func longOf(c *cobra.Command) string {
	if c.Long != "" {
		return c.Long
	}
	return c.Short + "."
}

// fenced puts the indented parts of a help text into code blocks.
func fenced(text string) string {
	var out []string
	in := false
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, "  ")
		if indented != in && (indented || line != "") {
			out, in = append(out, "```"), indented
			if !indented && out[len(out)-2] == "" {
				out[len(out)-2], out[len(out)-1] = "```", ""
			}
		}
		out = append(out, strings.TrimPrefix(line, "  "))
	}
	if in {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

func unindent(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "  "), "\n  ", "\n")
}

func flagRow(f *pflag.Flag) string {
	name, usage := pflag.UnquoteUsage(f)
	flag := "--" + f.Name
	if f.Shorthand != "" {
		flag = "-" + f.Shorthand + ", " + flag
	}
	if name != "" {
		flag += " " + name
	}
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" {
		usage += " (default " + strings.Trim(f.DefValue, "[]") + ")"
	}
	return fmt.Sprintf("| `%s` | %s |\n", flag, strings.ReplaceAll(usage, "|", `\|`))
}

func exitCodesDoc() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Exit codes\n\n%s\n", generated)
	b.WriteString("`chaos run` and `chaos judge` end with one of these. A script may rely on them: none changes its meaning.\n\n| code | when | what it means | what to do |\n|---|---|---|---|\n")
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", c.code, c.short, c.meaning, c.advice)
	}
	b.WriteString(`
When several hold, the first of these counts: an interruption (129, 130, 143), a violation (1), a harness error (4), something
inconclusive (3). ` + "`chaos proxy`" + ` ends with 2, 4, 129, 130 or 143. A part of ` + "`--shard i/n`" + ` that has no trials ends with 0, as other parts have them.

In CI, 1 is a finding about the service; 3 and 4 are about the experiments and the machine:

` + "```" + `sh
chaos run --json report.json --junit junit.xml
case $? in
  0) ;;
  1) echo "the service broke a contract"; exit 1 ;;
  3) echo "not shown: see the lines after INCONCLUSIVE"; exit 1 ;;
  *) echo "chaos could not do its work"; exit 1 ;;
esac
` + "```\n")
	return b.String()
}

// TestExamples: every flag stands in an example of its verb, and every example is a command line that the verb takes.
func TestExamples(t *testing.T) {
	_, list := verbs()
	for _, c := range list {
		if c.Name() == "completion" || c.Name() == "help" {
			continue
		}
		require.NotEmpty(t, c.Example, c.Name())
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			short := f.Shorthand != "" && strings.Contains(c.Example, " -"+f.Shorthand)
			if f.Name != "help" {
				assert.True(t, short || strings.Contains(c.Example, "--"+f.Name), "no example of %s has --%s", c.Name(), f.Name)
			}
		})
		for line := range strings.SplitSeq(c.Example, "\n") {
			assert.LessOrEqual(t, len(line), 120, line)
			words, err := shlex.Split(line)
			require.NoError(t, err, line)
			require.Equal(t, []string{"chaos", c.Name()}, words[:2], line)
			_, again := verbs()
			for _, fresh := range again { // flags keep what they were set to
				if fresh.Name() == c.Name() {
					require.NoError(t, fresh.ParseFlags(words[2:]), line)
					assert.NoError(t, fresh.ValidateArgs(fresh.Flags().Args()), line)
				}
			}
		}
	}
}

// TestHelpFits: help is read in windows of a usual width.
func TestHelpFits(t *testing.T) {
	root, list := verbs()
	for _, c := range append(list, root) {
		for line := range strings.SplitSeq(c.Long+"\n"+c.UsageString(), "\n") {
			assert.LessOrEqual(t, len(line), 130, "%s: %s", c.Name(), line)
		}
	}
}

func TestHowItIsCalled(t *testing.T) {
	assert.Equal(t, "chaos", calledAs("/usr/bin/chaos", "chaos"))
	assert.Equal(t, "./bin/chaos", calledAs("/src/bin/chaos", "./bin/chaos"))
	assert.Equal(t, "'/my programs/chaos'", calledAs("/my programs/chaos", "/my programs/chaos"))
	assert.Equal(t, "go run github.com/chaos-startup/chaos/cmd/chaos", calledAs("/tmp/go-build123/b001/exe/chaos", "/tmp/go-build123/b001/exe/chaos"))
	t.Chdir(filepath.Join("..", ".."))
	assert.Equal(t, "go run ./cmd/chaos", calledAs("/tmp/go-build123/b001/exe/chaos", "/tmp/go-build123/b001/exe/chaos"))
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"experiments.yaml": "experiments.yaml", "^a b$": "'^a b$'", "it's": `'it'\''s'`, "": "''", "$HOME": "'$HOME'", "a=b": "a=b", "*": "'*'", "~/x": "'~/x'",
	} {
		assert.Equal(t, want, shellQuote(word))
	}
}
