package experiments

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

func compileSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	data, err := Schema()
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("schema.json", value))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

// schemaValue turns a file into the JSON value that an editor would check. ok is false when it is no YAML.
func schemaValue(data []byte) (any, bool) {
	root := parse(data, newReporter("", data))
	if root == nil {
		return nil, false
	}
	text, err := json.Marshal(plain(root))
	if err != nil {
		return nil, false
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	return value, err == nil
}

func TestGoldenSchema(t *testing.T) {
	data, err := Schema()
	require.NoError(t, err)
	golden(t, "../experiments.schema.json", string(data))
}

// Whatever Load takes, the schema takes.
func TestSchemaTakesGoodFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.yaml")
	require.NoError(t, err)
	compiled := compileSchema(t)
	for _, path := range append(files, "../experiments.yaml") {
		data, err := os.ReadFile(path) // #nosec G304 -- a fixture
		require.NoError(t, err)
		value, ok := schemaValue(data)
		require.True(t, ok, path)
		require.NoError(t, compiled.Validate(value), path)
	}
}
