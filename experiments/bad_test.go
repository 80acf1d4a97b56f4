package experiments

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every file under testdata/bad is refused with the message beside it. The first line says whether the JSON Schema alone refuses it too.
func TestGoldenBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.Greater(t, len(files), 40)
	compiled := compileSchema(t)
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(path) // #nosec G304 -- a fixture
			require.NoError(t, err)
			f, err := LoadBytes(filepath.Base(path), data, Options{})
			require.Nil(t, f)
			var problems Problems
			require.ErrorAs(t, err, &problems)
			for _, p := range problems {
				require.NotEmpty(t, p.Text)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", err.Error()+"\n")

			first, _, _ := strings.Cut(string(data), "\n")
			value, ok := schemaValue(data)
			switch {
			case strings.HasPrefix(first, "# schema: rejects"):
				require.True(t, ok)
				require.Error(t, compiled.Validate(value))
			case strings.HasPrefix(first, "# schema: accepts"):
				require.True(t, ok)
				require.NoError(t, compiled.Validate(value), "the schema refuses it now: mark the fixture so")
			}
		})
	}
}
