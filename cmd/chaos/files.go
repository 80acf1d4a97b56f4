package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
	"github.com/spf13/cobra"
)

// selection holds the flags that say which trials of a file are meant; run and plan share them.
type selection struct {
	only   string
	seed   uint64
	repeat int
	shard  string
	vars   []string
}

func (s *selection) addFlags(cmd *cobra.Command, d deps) {
	f := cmd.Flags()
	f.StringVar(&s.only, "only", "", "only trials whose title, or the name of whose experiment, matches this `regexp`")
	f.Uint64Var(&s.seed, "seed", 0, "make every random choice from seed `n` (default: the file's, or 1)")
	f.IntVar(&s.repeat, "repeat", 0, "each trial `n` times (default: as the file says)")
	f.StringVar(&s.shard, "shard", "", "only part `i/n` of the trials, to share them out among machines")
	s.addVars(cmd)
	must(cmd.RegisterFlagCompletionFunc("only", s.experimentNames(d)))
}

func (s *selection) addVars(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.vars, "var", nil, "set ${var.k} of the file as `k=v`; may be given more than once")
}

// load reads the file that a verb was given, or ./experiments.yaml.
func (s *selection) load(d deps, args []string) (*experiments.File, error) {
	path := defaultFile
	if len(args) > 0 {
		path = args[0]
	}
	vars := map[string]string{}
	for _, v := range s.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--var %s: expected k=v", v)}
		}
		vars[name] = value
	}
	file, err := experiments.Load(path, experiments.Options{Env: d.env, Vars: vars})
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(path); errors.Is(gone, fs.ErrNotExist) {
			return nil, usageError{noFile(path, len(args) > 0)}
		}
	}
	if err != nil {
		return nil, usageError{err}
	}
	return file, nil
}

func noFile(path string, named bool) error {
	if named {
		return fmt.Errorf("there is no file %s", path)
	}
	return fmt.Errorf("there is no %s here: write one with `chaos init`, or name a file: `chaos run path/to/%s`", path, path)
}

// plan loads and expands.
func (s *selection) plan(cmd *cobra.Command, d deps, args []string) (*experiments.Plan, error) {
	chosen, err := s.selection(cmd)
	if err != nil {
		return nil, usageError{err}
	}
	file, err := s.load(d, args)
	if err != nil {
		return nil, err
	}
	plan, err := file.Expand(chosen)
	if err != nil {
		return nil, usageError{err}
	}
	warn(d, file)
	return plan, nil
}

// warn says what is valid in a file and probably not meant.
func warn(d deps, file *experiments.File) {
	for _, w := range file.Warnings {
		fmt.Fprintln(d.stderr, w)
	}
}

// selection checks the flags.
func (s *selection) selection(cmd *cobra.Command) (experiments.Selection, error) {
	chosen := experiments.Selection{Repeat: s.repeat}
	var errs []error
	if s.repeat < 1 && cmd.Flags().Changed("repeat") {
		errs = append(errs, fmt.Errorf("--repeat %d: expected 1 or more", s.repeat))
	}
	if cmd.Flags().Changed("seed") {
		chosen.Seed = &s.seed
	}
	var err error
	if s.only != "" {
		if chosen.Only, err = regexp.Compile(s.only); err != nil {
			errs = append(errs, fmt.Errorf("--only: %w", err))
		}
	}
	if s.shard != "" {
		if chosen.Shard, chosen.Shards, err = parseShard(s.shard); err != nil {
			errs = append(errs, err)
		}
	}
	return chosen, errors.Join(errs...)
}

func parseShard(text string) (i, n int, err error) {
	left, right, ok := strings.Cut(text, "/")
	i, errI := strconv.Atoi(left)
	n, errN := strconv.Atoi(right)
	if !ok || errI != nil || errN != nil || i < 1 || n < i {
		return 0, 0, fmt.Errorf("--shard %s: expected i/n with 1 <= i <= n, for example 1/4", text)
	}
	return i, n, nil
}
