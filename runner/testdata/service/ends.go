package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ends are the steps about its own end.
func (s *service) ends() map[string]func([]string) error {
	return map[string]func([]string) error{
		"exit": func(a []string) error {
			code, err := strconv.Atoi(a[0])
			if err == nil {
				os.Exit(code)
			}
			return err
		},
		"wait": func([]string) error { return waitForTerm("") },
		"deaf": func([]string) error { signal.Ignore(syscall.SIGTERM); return nil },
		"hang": func([]string) error { select {} },
		// bell: like wait, but it rings when it is told to stop, and then goes on.
		"bell":    func(a []string) error { return waitForTerm(strings.Join(a, " ")) },
		"child":   func(a []string) error { return child(strings.Join(a, " ")) },
		"measure": func(a []string) error { return measure(a) },
		// once: takes the rest only the first time; the file named says whether it was there.
		"once": func(a []string) error { return once(a) },
	}
}

// waitForTerm exits with 0 on SIGTERM; with a text it rings instead and goes on.
func waitForTerm(text string) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	if text != "" {
		return ring(text)
	}
	os.Exit(0)
	return nil
}

// child starts a process in a session of its own, which ignores SIGTERM and outlives this one.
func child(text string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "deaf", "+", "ring", text, "+", "hang")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd.Start()
}

// measure runs a command and prints "measured MILLISECONDS MAX_RSS_BYTES EXIT_CODE". The kernel counts what its parent holds as the command's
// own, so that a small program like this one must be the parent.
func measure(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return say(fmt.Sprintf("measured %d %d %d", time.Since(began).Milliseconds(), used.Maxrss<<10, cmd.ProcessState.ExitCode()))
}

// once exits with the code the first time, as told by a file that it leaves behind.
func once(a []string) error {
	if _, err := os.Stat(a[0]); err == nil {
		return nil
	}
	if err := os.WriteFile(a[0], nil, 0o600); err != nil {
		return err
	}
	code, err := strconv.Atoi(a[1])
	if err == nil {
		os.Exit(code)
	}
	return err
}
