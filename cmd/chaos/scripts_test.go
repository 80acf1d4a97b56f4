package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// setup makes every script independent of the machine's own settings, and gives it lab.yaml.
func setup(env *testscript.Env) error {
	for _, name := range []string{"CI", "NO_COLOR", "TERM"} {
		env.Setenv(name, "")
	}
	env.Setenv(raceVariable, raceOptions)
	chaos, err := exec.LookPath("chaos")
	if err != nil {
		return err
	}
	env.Setenv("CHAOS", chaos)
	lab, err := os.ReadFile("testdata/lab.yaml")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "lab.yaml"), lab, 0o666)
}

// scriptCommands are the words that scripts have besides those of testscript.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "edit": edit, "verdicts": verdicts, "junit": junitCounts}
}

// exits CODE PROGRAM ARGS... runs a program, wants exactly that exit code, and that it leaves no folder behind. What it wrote can
// be looked at as after exec. Use it for whatever starts a service.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("it exited with %d, expected %d\nstdout:\n%s\nstderr:\n%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
	if strings.Contains(strings.Join(args, " "), "--keep") {
		return
	}
	left, err := filepath.Glob(filepath.Join(ts.Getenv("TMPDIR"), "chaos-*"))
	ts.Check(err)
	left = slices.DeleteFunc(left, func(path string) bool { return strings.HasPrefix(filepath.Base(path), "chaos-report-") }) // saved for the user
	if len(left) > 0 {
		ts.Fatalf("it left %v behind", left)
	}
}

// edit FILE OLD NEW replaces text in a file, once at least. \n in NEW is the end of a line.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	text = strings.ReplaceAll(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}
