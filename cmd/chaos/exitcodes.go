package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/chaos-startup/chaos/reports"
)

// The exit codes. exitCodes says what each means.
const (
	exitOK           = reports.ExitPass
	exitViolated     = reports.ExitViolated
	exitUsage        = 2
	exitInconclusive = reports.ExitInconclusive
	exitHarness      = reports.ExitHarness
	exitHungUp       = 129 // SIGHUP
	exitInterrupted  = 130 // SIGINT
	exitTerminated   = 143 // SIGTERM
)

// exitCode is one line of the table; help and docs/exit-codes.md are made from it.
type exitCode struct {
	code                   int
	short, meaning, advice string
}

func exitCodes() []exitCode {
	return []exitCode{
		{exitOK, "all pass", "Every experiment passed: each contract held, every invariant held, every fault was really met.",
			"Go on."},
		{exitViolated, "a contract or invariant was violated, or an experiment is unstable; with --gate: an item is missing or failed",
			"The service broke a promise in at least one trial, or repeated trials of one experiment disagreed and it does not say `allow_unstable`. With `--gate` also: a required item of the checklist failed, or is not covered. This wins over 3 and 4.",
			"Read the reason and the timeline under each FAIL, and run the replay command."},
		{exitUsage, "bad usage or file", "A flag, an argument or the experiments file is wrong. Nothing was started.",
			"All mistakes of a file are told at once, each with its line: correct them and run `chaos validate`."},
		{exitInconclusive, "inconclusive",
			"Nothing was violated, but not everything was shown either: a control (the start without a fault) did not pass, a fault met no connection, a connection went around its proxy, or the report is of a run that was cut short.",
			"Do not read it as a pass. The `do` line under each INCONCLUSIVE says what to change."},
		{exitHarness, "harness error or clean-up incomplete",
			"chaos itself could not do its work: the build failed, a dependency did not come up, a port was taken, an output could not be written, something could not be cleaned up.",
			"It says nothing about the service. Remove the cause and run again; `chaos doctor` checks the machine."},
		{exitHungUp, "ended by SIGHUP", "As 130, for SIGHUP: its terminal, or the connection to it, is gone. Under `nohup` it goes on.", "As 130."},
		{exitInterrupted, "interrupted by Ctrl-C (SIGINT)",
			"The run was interrupted. Every fault was lifted, everything that was started was stopped, and the outputs hold what was judged until then.",
			"A second Ctrl-C ends chaos at once; a guardian process still cleans up, and the `.part` journal keeps what was judged, as far as the disk had room."},
		{exitTerminated, "ended by SIGTERM", "As 130, for SIGTERM: what a CI system sends when a job is cancelled.", "As 130."},
	}
}

// exitCodesHelp is the short table for help texts.
func exitCodesHelp() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range exitCodes() {
		fmt.Fprintf(t, "  %d\t%s\n", c.code, c.short)
	}
	_ = t.Flush() // a strings.Builder takes everything
	return strings.TrimRight(b.String(), "\n")
}
