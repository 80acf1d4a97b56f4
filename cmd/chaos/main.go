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
	"sync/atomic"
	"syscall"
)

// The exit codes; docs/exit-codes.md says what each means to a caller.
const (
	exitOK           = 0
	exitViolated     = 1
	exitUsage        = 2
	exitInconclusive = 3
	exitHarness      = 4
	exitInterrupted  = 130 // SIGINT; 143 for SIGTERM
)

// deps is the one door to the outside: everything a verb reads or writes besides files.
type deps struct {
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	self           string // path of this program, for the guardian; "": none
	terminal       bool   // stderr is a terminal
	interrupted    func() int
}

// exitError ends the program with a code. Its text, if any, has been written by the verb already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a mistake in the command line or in a file.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func main() { os.Exit(realMain()) }

func realMain() int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var got atomic.Int32
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range signals {
			code := exitInterrupted
			if s == syscall.SIGTERM {
				code = 143
			}
			if got.Swap(int32(code)) != 0 { // #nosec G115 -- 130 or 143
				os.Exit(code) // the second time: at once; the guardian cleans up
			}
			fmt.Fprintln(os.Stderr, "interrupted: lifting every fault and stopping what was started (once more to leave at once)")
			cancel(errors.New("interrupted"))
		}
	}()
	self, err := os.Executable()
	if err != nil {
		self = ""
	}
	d := deps{
		stdout: os.Stdout, stderr: os.Stderr, env: os.LookupEnv, self: self,
		terminal: isTerminal(os.Stderr), interrupted: func() int { return int(got.Load()) },
	}
	return execute(ctx, d, os.Args[1:])
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
	fmt.Fprintln(d.stderr, "chaos: "+err.Error())
	var harness harnessError
	if errors.As(err, &harness) {
		return exitHarness
	}
	return exitUsage
}

// harnessError is a failure of chaos itself or of what it needs.
type harnessError struct{ err error }

func (e harnessError) Error() string { return e.err.Error() }
func (e harnessError) Unwrap() error { return e.err }
