package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

func newInitCmd(d deps) *cobra.Command {
	var s experiments.Starter
	var force bool
	cmd := &cobra.Command{
		Use: "init [FILE]", Args: cobra.MaximumNArgs(1),
		Short: "Write a first experiments.yaml for your service",
		Long: `Write a first, commented experiments.yaml for your service. It is valid as it is; make the command, the names in env and the
ready endpoint fit your service, then run it.`,
		Example: `  chaos init --command './server --port $PORT' --needs postgres,redis
  chaos init --needs billing=127.0.0.1:9000 team/experiments.yaml`,
		RunE: func(_ *cobra.Command, args []string) error {
			path := defaultFile
			if len(args) > 0 {
				path = args[0]
			}
			return initialize(d, path, s, force)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.Name, "name", "my-service", "the service's name")
	f.StringVar(&s.Command, "command", "", "how the service is started (default ./NAME)")
	f.StringVar(&s.Ready, "ready", "/health/ready", "path of its ready endpoint")
	f.StringSliceVar(&s.Needs, "needs", []string{"postgres"}, "its dependencies: postgres, redis, clickhouse, nats, or NAME=host:port")
	f.BoolVar(&force, "force", false, "overwrite the file if it exists")
	return cmd
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
	if err != nil {
		return usageError{err}
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return harnessError{fmt.Errorf("write %s: %w", path, err)}
	}
	_, err = fmt.Fprintf(d.stdout, "wrote %s\n\nNext: make service.command and service.env fit your service, then\n  chaos validate %s\n  chaos run %s\n", path, path, path)
	return err
}
