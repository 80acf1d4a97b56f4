package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newInitCmd(d deps) *cobra.Command {
	var s experiments.Starter
	var force bool
	cmd := &cobra.Command{
		Use: "init [FILE]", Args: oneFile, ValidArgsFunction: files("yaml", "yml"),
		Short: "Write a first experiments.yaml for your service",
		Long: `Write a first, commented experiments.yaml for your service: every dependency refused, slow, silent and coming back. It is
valid as it is; make the command, the names in env, the ready endpoint and the proof of readiness fit your service, then run it.

With --checklist it ends with the validations that a service needs before it may serve, for chaos run --gate. Where the file
exists already it stays as it is, and the list is written to standard output to be added to it.`,
		Example: `  chaos init --command './server --port ${port.http}' --needs postgres,redis
  chaos init --name shop --ready /healthz
  chaos init --needs billing=127.0.0.1:9000 team/experiments.yaml --force
  chaos init --checklist   # a new file with a checklist; for one that exists, add >> experiments.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path := defaultFile
			if len(args) > 0 {
				path = args[0]
			}
			if err := given(cmd, s); err != nil {
				return usageError{err}
			}
			if s.Checklist && !force && exists(path) && !askedForFile(cmd) {
				return addChecklist(d, path)
			}
			return initialize(d, path, s, force)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Name, "name", "my-service", "`name` of the service")
	f.StringVar(&s.Command, "command", "", "`command` that starts the service, without a shell (default ./NAME)")
	f.StringVar(&s.Ready, "ready", "/health/ready", "`path` of its ready endpoint")
	f.StringSliceVar(&s.Needs, "needs", []string{"postgres"}, "its dependencies, a `list` of postgres, redis, clickhouse, nats, or NAME=host:port")
	f.BoolVar(&s.Checklist, "checklist", false, "with a checklist to begin with; where the file exists, only write the list to standard output")
	f.BoolVar(&force, "force", false, "overwrite the file if it exists")
	must(cmd.RegisterFlagCompletionFunc("needs", cobra.FixedCompletions([]string{"postgres", "redis", "clickhouse", "nats"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}

// given refuses flags that were given without a value: the default would take their place silently.
func given(cmd *cobra.Command, s experiments.Starter) error {
	var errs []error
	for flag, value := range map[string]string{"name": s.Name, "command": s.Command, "ready": s.Ready} {
		if cmd.Flags().Changed(flag) && strings.TrimSpace(value) == "" {
			errs = append(errs, fmt.Errorf("--%s: it is empty", flag))
		}
	}
	if len(s.Needs) == 0 {
		errs = append(errs, errors.New("--needs: name one dependency at least"))
	}
	return errors.Join(errs...)
}

func initialize(d deps, path string, s experiments.Starter, force bool) error {
	text, err := s.Text()
	if err != nil {
		return usageError{err}
	}
	if _, err := experiments.LoadBytes(path, []byte(text), experiments.Options{}); err != nil {
		return usageError{fmt.Errorf("what init would write is not valid: check --name, --command, --ready and --needs: %w", err)}
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_EXCL
	if force {
		flags = os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	}
	file, err := os.OpenFile(path, flags, 0o644) // #nosec G302 G304 -- a project file that the user names
	if errors.Is(err, fs.ErrExist) {
		return usageError{fmt.Errorf("%s exists already: name another file, or overwrite it with --force", path)}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{fmt.Errorf("%s: there is no folder %s: make it first", path, filepath.Dir(path))}
	}
	if err != nil {
		return usageError{err}
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return harnessError{fmt.Errorf("write %s: %w", path, err)}
	}
	named := namedUnlessDefault(path)
	gate := ""
	if s.Checklist {
		gate = fmt.Sprintf("  %s run%s --gate  run it, and block on its checklist: name under covered_by what shows each item\n", d.program, named)
	}
	_, err = fmt.Fprintf(d.stdout, `wrote %s

Next: make service.command, service.env and service.ready fit your service, let a proof under readiness ask for its work, then
  %[2]s validate%[3]s    check it
  %[2]s run%[3]s         run it
%[4]s  %[2]s schema --output experiments.schema.json    so that your editor checks it as you type
`, path, d.program, named, gate)
	return failed(err)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// askedForFile tells whether a flag asks for a file of its own: then one that exists is in the way.
func askedForFile(cmd *cobra.Command) bool {
	return slices.ContainsFunc([]string{"name", "command", "ready", "needs"}, cmd.Flags().Changed)
}

// addChecklist writes the list for a file that exists. The file is not touched: its owner decides where the list goes.
func addChecklist(d deps, path string) error {
	if file, err := experiments.Load(path, experiments.Options{Env: d.env}); err == nil && len(file.Checklist) > 0 { // one with mistakes may get a list
		return usageError{fmt.Errorf("%s has a checklist already, of %s: `%s validate %s` says what is covered",
			path, number(len(file.Checklist), "item"), d.program, shellQuote(path))}
	}
	fmt.Fprintf(d.stderr, "%s is left as it is: add this to its end, as with `%s init --checklist%s >> %s`\n",
		path, d.program, namedUnlessDefault(path), shellQuote(path))
	_, err := io.WriteString(d.stdout, experiments.ChecklistTemplate())
	return failed(err)
}

func namedUnlessDefault(path string) string {
	if path == defaultFile {
		return ""
	}
	return " " + shellQuote(path)
}
