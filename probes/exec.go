package probes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

func execKind() Kind {
	return Kind{
		Name: "exec",
		Doc: "Runs a command (no shell) and compares its exit code and, with match, its stdout. It runs in a process group of its own, " +
			"which is killed when the time is over or the command has ended. At most 1 MiB of its output is kept.",
		Example: "exec: {command: [pg_isready, -h, 127.0.0.1, -p, '5432'], exit_code: 0, match: accepting}",
		used:    func(s Spec) bool { return s.Exec != nil },
		build:   func(s Spec, e Env) (attempt, error) { return s.Exec.build(e) },
	}
}

type execProbe struct {
	spec  Exec
	env   Env
	match *regexp.Regexp
}

func (x Exec) build(e Env) (attempt, error) {
	match, err := compile("match", x.Match)
	if len(x.Command) == 0 || x.Command[0] == "" {
		err = errors.Join(err, errors.New("command is missing; expected a list: the program and its arguments"))
	}
	if x.ExitCode < 0 || x.ExitCode > 255 {
		err = errors.Join(err, fmt.Errorf("exit_code %d: expected 0 to 255", x.ExitCode))
	}
	return attempt{ask: execProbe{x, e, match}.ask}, err
}

// lingering is how long output is waited for that children of an ended command hold open.
const lingering = 100 * time.Millisecond

func (p execProbe) ask(ctx context.Context) (Answer, error) {
	// Only the program is named in errors: arguments may hold a password.
	what, want := "exec "+filepath.Base(p.spec.Command[0]), "exit code "+strconv.Itoa(p.spec.ExitCode)
	var stdout, stderr kept
	cmd := exec.CommandContext(ctx, p.spec.Command[0], p.spec.Command[1:]...) // #nosec G204 -- running what the file names is the purpose
	cmd.Dir, cmd.Env = p.env.Dir, append([]string{}, p.env.Environ...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = lingering
	runtime.LockOSThread() // the child dies with its parent thread (Linux): that must not be an idle one
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return Answer{}, notStarted(ctx, what, want, err)
	}
	err := cmd.Wait()
	_ = killGroup(cmd) // children that outlived the command; usually there is none
	answer := Answer{Status: cmd.ProcessState.ExitCode(), Body: string(stdout.data)}
	if ctx.Err() != nil {
		return answer, unanswered(ctx, what, want, context.Cause(ctx))
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return answer, unanswered(ctx, what, want, err)
	}
	if answer.Status != p.spec.ExitCode {
		return answer, expected(what, want, ending(cmd)+said(stderr.data, stdout.data))
	}
	if p.match != nil && !p.match.Match(stdout.data) {
		return answer, expected(what, "output that matches "+p.spec.Match, shortOr(string(stdout.data), "no output"))
	}
	return answer, nil
}

func notStarted(ctx context.Context, what, want string, err error) error {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &mismatch{what: what, want: want, got: "no such command", cause: err}
	}
	return unanswered(ctx, what, want, err)
}

// killGroup kills every process of the command's group. That none is left is no error.
func killGroup(cmd *exec.Cmd) error {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

func ending(cmd *exec.Cmd) string {
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "a death by signal (" + status.Signal().String() + ")"
	}
	return strconv.Itoa(cmd.ProcessState.ExitCode())
}

// said is the end of what a failed command wrote: errors come last.
func said(stderr, stdout []byte) string {
	out := stderr
	if len(out) == 0 {
		out = stdout
	}
	if text := short(string(out[max(0, len(out)-maxShort):])); text != "" {
		return ": " + text
	}
	return ""
}

// kept keeps the first bytes written to it and drops the others, so that a command never waits for its reader.
type kept struct{ data []byte }

func (k *kept) Write(p []byte) (int, error) {
	k.data = append(k.data, p[:min(len(p), maxRead-len(k.data))]...)
	return len(p), nil
}
