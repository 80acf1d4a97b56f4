package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"sort"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chaos-startup/chaos/reports"
)

// verdicts REPORT TITLE=VERDICT... wants exactly these trials in a report, in any order, each with that verdict.
func verdicts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: verdicts REPORT TITLE=VERDICT...")
	}
	report, err := reports.Read(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	var got []string
	for _, t := range report.Trials {
		got = append(got, fmt.Sprintf("%s=%s", t.Title, t.Verdict))
	}
	want := args[1:]
	sort.Strings(got)
	sort.Strings(want)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		ts.Fatalf("%s has\n%s\nexpected\n%s", args[0], strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// junitCounts FILE TESTS FAILURES ERRORS SKIPPED reads JUnit XML and wants these numbers.
func junitCounts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: junit FILE TESTS FAILURES ERRORS SKIPPED")
	}
	var got junit.Testsuites
	ts.Check(xml.NewDecoder(bytes.NewReader([]byte(ts.ReadFile(args[0])))).Decode(&got))
	have := fmt.Sprint(got.Tests, got.Failures, got.Errors, got.Skipped)
	if want := strings.Join(args[1:], " "); have != want {
		ts.Fatalf("%s has tests, failures, errors, skipped = %s, expected %s", args[0], have, want)
	}
}
