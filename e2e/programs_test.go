package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// program returns the path of an installed program. Where every server must be there, it must be too.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CHAOS_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// runs starts a client program and returns what it said, and how it ended if that was badly.
func runs(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program(t, name), args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s%v", out, err)
	}
	return string(out)
}

// node runs a script that answers each line of its input with one line.
func node(t *testing.T, script string, args ...string) (ask func(line string) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	c := exec.CommandContext(ctx, program(t, "node"), append([]string{"--no-warnings", "-e", script}, args...)...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close()
		assert.NoError(t, c.Wait())
	})
	lines := bufio.NewReader(out)
	return func(line string) string {
		_, err := io.WriteString(in, line+"\n")
		require.NoError(t, err)
		got, err := lines.ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(got)
	}
}
