package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
)

// replayer makes the command line that runs one trial again with the same decisions. Secrets are left out of it: it goes into reports.
func (f *runFlags) replayer(d deps, plan *experiments.Plan) func(string) string {
	mask := experiments.Mask(plan.File.Masked)
	base := []string{d.program, "run"}
	if plan.File.Path != defaultFile {
		base = append(base, shellQuote(plan.File.Path))
	}
	base = append(base, "--seed", fmt.Sprint(plan.Seed))
	for _, v := range f.vars {
		base = append(base, "--var", shellQuote(mask(v)))
	}
	if f.servers != serversAuto {
		base = append(base, "--servers", f.servers)
	}
	if f.repeat > 0 { // titles are numbered by it
		base = append(base, "--repeat", fmt.Sprint(f.repeat))
	}
	return func(title string) string {
		return strings.Join(append(base[:len(base):len(base)], "--only", shellQuote("^"+regexp.QuoteMeta(title)+"$")), " ")
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./=:@%+,-]+$`)

// shellQuote quotes a word for a POSIX shell when it needs it.
func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
