package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write faults/redis_commands.txt instead of comparing it")

// TestRedisCommandTable holds the table against the COMMAND of the installed server, if it is of the version from which the table was made.
func TestRedisCommandTable(t *testing.T) {
	path := filepath.Join("..", "faults", "redis_commands.txt")
	version, err := exec.Command(installed(t, "redis-server"), "--version").Output()
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(version), "v=")
	number, _, _ := strings.Cut(rest, " ")
	r := startRedis(t, t.TempDir())
	want := commandTable(t, r.addr, number)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(got), "\n")
	if ours, _, _ := strings.Cut(want, "\n"); first != ours {
		t.Skipf("the table is of %q, installed is Redis %s", first, number)
	}
	assert.Equal(t, want, string(got), "write it with: go test ./e2e -run TestRedisCommandTable -update")
}

// commandTable writes a line for each command and subcommand: name, arity, and those flags on which a refusal can depend.
func commandTable(t *testing.T, addr, version string) string {
	t.Helper()
	out, err := exec.Command(installed(t, "redis-cli"), "-u", "redis://"+addr, "--json", "COMMAND").Output()
	require.NoError(t, err)
	var lines []string
	for _, c := range decodeCommands(t, out) {
		lines = append(lines, c.lines()...)
	}
	sort.Strings(lines)
	return fmt.Sprintf("# Redis %s: written by go test ./e2e -run TestRedisCommandTable -update\n%s\n", version, strings.Join(lines, "\n"))
}

// wireCommand is an entry of COMMAND.
type wireCommand struct {
	name     string
	arity    int
	flags    []string
	keys     bool
	children []wireCommand
}

func (c wireCommand) lines() []string {
	var kept []string
	for _, f := range []string{"write", "denyoom", "loading", "stale", "no_auth", "allow_busy", "no_multi"} {
		if slices.Contains(c.flags, f) {
			kept = append(kept, f)
		}
	}
	if c.keys {
		kept = append(kept, "keys")
	}
	if len(kept) == 0 {
		kept = []string{"none"}
	}
	lines := []string{fmt.Sprintf("%s %d %s", c.name, c.arity, strings.Join(kept, ","))}
	for _, child := range c.children {
		lines = append(lines, child.lines()...)
	}
	return lines
}

func decodeCommands(t *testing.T, text []byte) []wireCommand {
	t.Helper()
	var entries [][]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &entries))
	return wireCommands(t, entries)
}

func wireCommands(t *testing.T, entries [][]json.RawMessage) []wireCommand {
	t.Helper()
	var all []wireCommand
	for _, e := range entries {
		require.Len(t, e, 10)
		var c wireCommand
		var specs []json.RawMessage
		var children [][]json.RawMessage
		for i, into := range map[int]any{0: &c.name, 1: &c.arity, 2: &c.flags, 8: &specs, 9: &children} {
			require.NoError(t, json.Unmarshal(e[i], into))
		}
		c.keys = len(specs) > 0 || slices.Contains(c.flags, "movablekeys")
		c.children = wireCommands(t, children)
		all = append(all, c)
	}
	return all
}
