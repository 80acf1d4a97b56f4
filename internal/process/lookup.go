package process

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// lookup finds the file to execute as the service itself would find it: a
// bare name in the PATH of its environment, a relative path from its folder.
func lookup(spec Spec) (string, error) {
	if len(spec.Argv) == 0 || spec.Argv[0] == "" {
		return "", errors.New("start the service: the command is empty; give at least the program to run")
	}
	if spec.Dir != "" {
		if st, err := os.Stat(spec.Dir); err != nil {
			return "", fmt.Errorf("start %s: its folder: %w", spec.Argv[0], err)
		} else if !st.IsDir() {
			return "", fmt.Errorf("start %s: its folder %s is not a folder", spec.Argv[0], spec.Dir)
		}
	}
	name := spec.Argv[0]
	if !strings.ContainsRune(name, filepath.Separator) {
		return lookPath(name, searchPath(spec.Env))
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(spec.Dir, path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", name, err)
	}
	if err := executable(abs); err != nil {
		return "", fmt.Errorf("start %s: %w", name, err)
	}
	return abs, nil
}

// searchPath is the PATH of the service, or the runner's when it has none.
func searchPath(env []string) string {
	path, found := "", false
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, "PATH="); ok {
			path, found = v, true
		}
	}
	if !found {
		path = os.Getenv("PATH")
	}
	return path
}

func lookPath(name, path string) (string, error) {
	var refused error
	for _, dir := range filepath.SplitList(path) {
		if dir == "" || !filepath.IsAbs(dir) {
			continue // like os/exec: never run something by accident of the current folder
		}
		file := filepath.Join(dir, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && refused == nil {
			refused = err
		}
	}
	if refused != nil {
		return "", fmt.Errorf("start %s: %w", name, refused)
	}
	return "", fmt.Errorf("start %s: no such command in PATH (%s); install it, or give its path: %w", name, path, exec.ErrNotFound)
}

// executable tells why a file could not be executed by anybody.
func executable(path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s (%w); build it, or correct its path", path, fs.ErrNotExist)
	case err != nil:
		return err
	case st.IsDir():
		return fmt.Errorf("%s is a folder: %w", path, fs.ErrPermission)
	case st.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable (mode %v); chmod +x it: %w", path, st.Mode().Perm(), fs.ErrPermission)
	}
	return nil
}

// explain adds what execve(2) leaves out of its error numbers.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("start %s: neither a program for this machine nor a script with a #! line: %w", path, err)
	case errors.Is(err, syscall.ENOENT):
		if interpreter := shebang(path); interpreter != "" {
			return fmt.Errorf("start %s: its interpreter %q (first line of the script) does not exist: %w", path, interpreter, err)
		}
		return fmt.Errorf("start %s: it, or the loader it was linked for, does not exist: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("start %s: not permitted (its mode, a noexec mount, or the user to run it as): %w", path, err)
	}
	return fmt.Errorf("start %s: %w", path, err)
}

func shebang(path string) string {
	f, err := os.Open(path) // #nosec G304 -- the command the user asked to run
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 256)
	n, _ := f.Read(head)
	line, _, _ := bytes.Cut(head[:n], []byte{'\n'})
	rest, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return ""
	}
	return string(bytes.TrimSpace(rest))
}
