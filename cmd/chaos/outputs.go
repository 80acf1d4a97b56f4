package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/chaos-startup/chaos/reports"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// outputs are the flags that name where results go; run and judge share them.
type outputs struct {
	json, junit string
}

func (o *outputs) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.json, "json", "", "write the report (chaos.report/v1) to this `file`")
	cmd.Flags().StringVar(&o.junit, "junit", "", "write JUnit XML to this `file`: suite = experiment, test case = trial")
	for flag, ext := range map[string]string{"json": "json", "junit": "xml"} {
		must(cmd.RegisterFlagCompletionFunc(flag, files(ext)))
	}
}

// check finds an output that can't be written before anything is started.
func (o *outputs) check() error {
	errs := []error{writable("--json", o.json, "report.json"), writable("--junit", o.junit, "report.junit")}
	if o.json != "" && filepath.Clean(o.json) == filepath.Clean(o.junit) {
		errs = append(errs, fmt.Errorf("--json and --junit both name %s: give each a file of its own", o.json))
	}
	return errors.Join(errs...)
}

// writable says why a file can't be written. example is a name for one.
func writable(flag, path, example string) error {
	if path == "" {
		return nil
	}
	folder := filepath.Dir(path)
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %s: there is no folder %s: make it first", flag, path, folder)
	case err != nil:
		return fmt.Errorf("%s %s: %w", flag, path, err)
	case !info.IsDir():
		return fmt.Errorf("%s %s: %s is not a folder", flag, path, folder)
	}
	info, err = os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s %s: it is a folder: name a file in it, such as %s", flag, path, filepath.Join(path, example))
	case err == nil && !info.Mode().IsRegular():
		return nil // a pipe or a device is written to as it is
	}
	if err := unix.Access(folder, unix.W_OK); err != nil { // reports are written beside their place and renamed
		return fmt.Errorf("%s %s: the folder %s may not be written to (%w): choose another", flag, path, folder, err)
	}
	return nil
}

// journal names the file that holds the judged trials while a run goes on; "" when there is no report beside which it could be.
func (o *outputs) journal() string {
	if info, err := os.Stat(o.json); o.json == "" || err == nil && !info.Mode().IsRegular() {
		return ""
	}
	return o.json + ".part"
}

// write writes every file that was asked for, then the text, unless it is nil: who reads only the first lines of it ends the
// program. The error of the JSON report is apart, as the journal is kept for it.
func (o *outputs) write(stdout io.Writer, report *reports.Report, text *reports.Style) (jsonErr, otherErr error) {
	for _, f := range reports.Builtin() {
		switch {
		case f.Name == "json" && o.json != "":
			jsonErr = reports.WriteFile(o.json, f, report)
		case f.Name == "junit" && o.junit != "":
			otherErr = reports.WriteFile(o.junit, f, report)
		}
	}
	if text != nil {
		otherErr = errors.Join(otherErr, reports.WriteText(stdout, report, *text))
	}
	return jsonErr, otherErr
}
