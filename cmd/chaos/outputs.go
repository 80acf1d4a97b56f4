package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/chaos-startup/chaos/reports"
	"github.com/spf13/cobra"
)

// outputs are the flags that name where results go; run and judge share them.
type outputs struct {
	json, junit string
}

func (o *outputs) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.json, "json", "", "write the report (chaos.report/v1) to this `file`")
	cmd.Flags().StringVar(&o.junit, "junit", "", "write JUnit XML to this `file`: suite = experiment, test case = trial")
}

// check finds an output that can't be written before anything is started.
func (o *outputs) check() error {
	var errs []error
	for flag, path := range map[string]string{"--json": o.json, "--junit": o.junit} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			errs = append(errs, fmt.Errorf("%s %s: there is no folder %s: make it first", flag, path, filepath.Dir(path)))
		}
	}
	return errors.Join(errs...)
}

// write prints the summary and writes every file that was asked for.
func (o *outputs) write(d deps, report *reports.Report, verbose bool) error {
	style := reports.Style{Color: o.color(d), Verbose: verbose}
	errs := []error{reports.WriteText(d.stdout, report, style)}
	for _, f := range reports.Builtin() {
		path := map[string]string{"json": o.json, "junit": o.junit}[f.Name]
		if path == "" {
			continue
		}
		errs = append(errs, reports.WriteFile(path, f, report))
	}
	return errors.Join(errs...)
}

func (o *outputs) color(d deps) bool {
	if v, ok := d.env("NO_COLOR"); ok && v != "" {
		return false
	}
	f, ok := d.stdout.(*os.File)
	return ok && isTerminal(f)
}

// replayer makes the command line that runs one trial again with the same decisions.
func (f *runFlags) replayer(plan *experiments.Plan) func(string) string {
	base := []string{"chaos", "run", shellQuote(plan.File.Path), "--seed", fmt.Sprint(plan.Seed)}
	for _, v := range f.vars {
		base = append(base, "--var", shellQuote(v))
	}
	if f.servers != "auto" {
		base = append(base, "--servers", f.servers)
	}
	return func(title string) string {
		return strings.Join(append(base[:len(base):len(base)], "--only", shellQuote("^"+regexp.QuoteMeta(title)+"$")), " ")
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./=:-]+$`)

// shellQuote quotes a word for a POSIX shell when it needs it.
func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
