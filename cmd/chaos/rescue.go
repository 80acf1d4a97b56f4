package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/chaos-startup/chaos/reports"
)

// endJournal removes the journal when the report holds all of it. Else it saves the report elsewhere. It returns what to say of that.
func (f *runFlags) endJournal(d deps, report *reports.Report, jsonErr error) []string {
	path := f.journal()
	if path == "" {
		return nil
	}
	n, all := 0, len(report.Trials)
	if jsonErr != nil {
		n = held(path)
	}
	if n == 0 { // an empty one would only mislead
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return []string{fmt.Sprintf("%s could not be removed: %v", path, err)}
		}
	}
	switch {
	case jsonErr == nil || all == 0:
		return nil
	case n == 0:
		return []string{rescue(d, report), fmt.Sprintf("no trial is kept in %s", path)}
	}
	return []string{rescue(d, report), fmt.Sprintf("%d of %s kept in %s: read it with `%s judge %s`", n, number(all, "trial"), path, d.program, shellQuote(path))}
}

// held is how many trials a journal holds.
func held(path string) int {
	file, err := os.Open(path) // #nosec G304 -- beside the report that the user names
	if err != nil {
		return 0
	}
	journal, err := reports.Read(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return 0
	}
	return len(journal.Trials)
}

// rescue writes a report that could not be written where it was asked for to the folder for temporary files.
func rescue(d deps, report *reports.Report) string {
	file, err := os.CreateTemp("", "chaos-report-*.json")
	if err == nil {
		err = file.Close()
		for _, f := range reports.Builtin() {
			if f.Name == "json" && err == nil {
				err = reports.WriteFile(file.Name(), f, report)
			}
		}
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}
	if err != nil {
		return fmt.Sprintf("the report could not be saved in the folder for temporary files either (TMPDIR): %v", err)
	}
	return fmt.Sprintf("the whole report is in %s: read it with `%s judge %s`", file.Name(), d.program, shellQuote(file.Name()))
}
