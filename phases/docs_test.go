package phases

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/phases.md instead of comparing it")

// TestDocs keeps docs/phases.md what the catalogue says.
func TestDocs(t *testing.T) {
	const how = "write it with: go test ./phases -run TestDocs -update"
	path := filepath.Join("..", "docs", "phases.md")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(Markdown()), 0o600))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err, how)
	assert.Equal(t, Markdown(), string(got), how)
}
