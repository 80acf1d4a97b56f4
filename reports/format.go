package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Format is one way to write a report. Write leaves the report as it is.
type Format struct {
	Name  string // "text", "json", "junit"
	Write func(io.Writer, *Report) error
}

// Builtin returns the formats: text, json and junit. To add one: a file with its Write, and a line here.
func Builtin() []Format {
	return []Format{
		{Name: "text", Write: func(w io.Writer, r *Report) error { return WriteText(w, r, Style{}) }},
		{Name: "json", Write: WriteJSON},
		{Name: "junit", Write: WriteJUnit},
	}
}

// WriteFile writes the report to path: all of it, or, on an error, nothing, and then what was there before is still there. It is
// written beside path and renamed. A path that is no regular file (/dev/stdout, a pipe) is written to directly.
func WriteFile(path string, f Format, r *Report) error {
	target := path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved // a link stays a link
	}
	mode := os.FileMode(0o644) // a report is for others to read, such as a CI step of another user
	if info, err := os.Stat(target); err == nil {
		if !info.Mode().IsRegular() {
			return writeDirectly(path, f, r)
		}
		mode = info.Mode().Perm()
	}
	temp, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*.tmp")
	if err != nil {
		return writeError(path, f, err)
	}
	err = writeAll(temp, f, r)
	if err == nil {
		err = os.Chmod(temp.Name(), mode)
	}
	if err == nil {
		err = os.Rename(temp.Name(), target)
	}
	if err != nil {
		return writeError(path, f, errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

func writeDirectly(path string, f Format, r *Report) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0) // #nosec G304 -- the user names the file
	if err != nil {
		return writeError(path, f, err)
	}
	if err := writeAll(file, f, r); err != nil {
		return writeError(path, f, err)
	}
	return nil
}

// writeAll writes, flushes and closes file. What can't be synced, such as a pipe, need not be.
func writeAll(file *os.File, f Format, r *Report) error {
	buffered := bufio.NewWriterSize(file, 64<<10)
	err := f.Write(buffered, r)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		if info, statErr := file.Stat(); statErr == nil && info.Mode().IsRegular() {
			err = file.Sync()
		}
	}
	return errors.Join(err, file.Close())
}

func writeError(path string, f Format, err error) error {
	next := "the previous file, if any, is unchanged"
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		next += "; free space, or choose another place"
	case errors.Is(err, os.ErrPermission):
		next += "; choose a place that you may write to"
	case errors.Is(err, os.ErrNotExist):
		next = "make its folder first"
	}
	return fmt.Errorf("write %s report %s: %w (%s)", f.Name, path, err, next)
}
