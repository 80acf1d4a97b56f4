// Command chaos injects faults between a service and its dependencies while the service starts, and says whether it failed
// fast or recovered as its contract requires.
//
// This package parses flags, calls a library and writes what came back. It decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/chaos-startup/chaos/experiments"
)

// deps is the one door to the outside: everything a verb reads or writes besides files.
type deps struct {
	stdout, stderr io.Writer
	out, err       screen // the terminals behind stdout and stderr
	env            func(string) (string, bool)
	self           string // path of this program, for the guardian; "": none
	program        string // how the user calls this program, for commands to paste
	notify         func(chan<- os.Signal, ...os.Signal)
	leave          func(code int) // ends the program at once
}

func main() { os.Exit(execute(context.Background(), realDeps(), os.Args[1:])) }

func realDeps() deps {
	self, err := os.Executable()
	if err != nil {
		self = ""
	}
	return deps{
		stdout: os.Stdout, stderr: os.Stderr, out: screenOf(os.Stdout), err: screenOf(os.Stderr),
		env: os.LookupEnv, self: self, program: calledAs(self, os.Args[0]), notify: signal.Notify, leave: os.Exit,
	}
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, d deps, args []string) int {
	root := newRootCmd(d)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	}
	fmt.Fprintln(d.stderr, worded(err))
	var harness harnessError
	if errors.As(err, &harness) {
		return exitHarness
	}
	return exitUsage
}

// worded is an error as the user reads it. The mistakes of a file begin with its name, so that editors and terminals can jump there.
func worded(err error) string {
	var mistakes experiments.Problems
	if errors.As(err, &mistakes) {
		return fmt.Sprintf("%s\n%s; nothing was started", mistakes, number(len(mistakes), "mistake"))
	}
	return "chaos: " + err.Error()
}

// exitError ends the program with a code. Its text, if any, has been written by the verb already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a mistake in the command line or in a file.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// harnessError is a failure of chaos itself or of what it needs.
type harnessError struct{ err error }

func (e harnessError) Error() string { return e.err.Error() }
func (e harnessError) Unwrap() error { return e.err }

// failed says whether writing output failed for another reason than a reader who has seen enough (chaos plan | head).
func failed(err error) error {
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return harnessError{fmt.Errorf("write the output: %w", err)}
}
