package experiments

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// FuzzLoad: no text makes Load panic or run away, every mistake has a place in the text, and what is loaded can be expanded
// and is what the schema takes.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path) // #nosec G304 -- a fixture
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	compiled := compileSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return
		}
		file, err := LoadBytes("fuzz.yaml", data, Options{Env: func(string) (string, bool) { return "x", true }})
		if err != nil {
			checkProblems(t, data, err)
			return
		}
		if value, ok := schemaValue(data); ok {
			if err := compiled.Validate(value); err != nil {
				t.Fatalf("Load takes what the schema refuses: %v\n%s", err, data)
			}
		}
		plan, err := file.Expand(Selection{})
		if err != nil {
			return // too many trials
		}
		for _, trial := range plan.Trials {
			if trial.Title() == "" {
				t.Fatalf("a trial without a title in %q", data)
			}
			_ = trial.Spec()
		}
		if plan.Bound(2) <= 0 {
			t.Fatalf("bound %s of %q", plan.Bound(2), data)
		}
	})
}

func checkProblems(t *testing.T, data []byte, err error) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("%v (%T) is no Problems", err, err)
	}
	if !utf8.Valid(data) {
		return
	}
	for _, p := range problems {
		if p.Text == "" || p.Line < 0 || p.Line > 0 && p.Column < 1 {
			t.Fatalf("problem %+v of %q", p, data)
		}
	}
	_ = err.Error()
}
