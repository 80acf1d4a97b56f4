package experiments

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// update rewrites golden files and generated documents instead of comparing them.
var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with: go test ./experiments -update")
	if got == string(want) {
		return
	}
	if w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n"); len(w)+len(g) > 200 { // the whole would bury the difference
		for i := range min(len(w), len(g)) {
			require.Equal(t, w[i], g[i], "%s, line %d; if this is meant: go test ./experiments -update", path, i+1)
		}
		require.Len(t, g, len(w), "%s; if this is meant: go test ./experiments -update", path)
	}
	require.Equal(t, string(want), got, "if this is meant: go test ./experiments -update")
}

// env makes Options.Env of a map.
func env(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
}
