package probes

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/probes.md instead of comparing it")

// TestDocs keeps docs/probes.md what the catalogue says.
func TestDocs(t *testing.T) {
	const how = "write it with: go test ./probes -run TestDocs -update"
	path := filepath.Join("..", "docs", "probes.md")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(Markdown()), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err, how)
	assert.Equal(t, Markdown(), string(got), how)
}
