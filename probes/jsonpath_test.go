package probes

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJSONPathRefusesWhatItDoesNotKnow(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "expected a $",
		"status":                  "expected a $",
		"$status":                 "character 2",
		"$.":                      "character 2",
		"$..a":                    "character 2",
		"$.a.*":                   "character 4",
		"$.a[*]":                  "character 4",
		"$.a[?(@.b)]":             "character 4",
		"$.a[-1]":                 "character 4",
		"$.a[1":                   "character 4",
		`$.a["b"`:                 "character 4",
		`$.a["b]`:                 "character 4",
		"$[":                      "character 2",
		"$[]":                     "character 2",
		"$.a b":                   "character 2",
		"$[99999999999999999999]": "character 2",
	} {
		_, err := parseJSONPath(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
	}
}

func TestSameJSON(t *testing.T) {
	type pair struct {
		want any
		got  string
		same bool
	}
	for _, c := range []pair{
		{1, "1", true}, {1, "1.0", true}, {1.5, "15e-1", true}, {uint64(18446744073709551615), "18446744073709551615", true},
		{1, `"1"`, false}, {"1", "1", true}, {"true", "true", true}, {"null", "null", false}, {true, `"true"`, false},
		{"a", `"a"`, true}, {"<&>", `"<&>"`, true}, {1, "1e999999999", false}, {[]any{1}, "[1.0]", true}, {[]any{1}, "[1,2]", false},
		{map[string]any{"a": 1}, `{"a":1}`, true}, {map[string]any{"a": 1}, `{"a":1,"b":2}`, false}, {map[string]any{"a": 1}, `{"b":1}`, false},
		{map[any]any{1: 2}, `{"1":2}`, false}, {false, "null", false},
	} {
		got, err := decodeJSON([]byte(c.got))
		require.NoError(t, err)
		assert.Equal(t, c.same, sameJSON(c.want, got), "%v and %s", c.want, c.got)
	}
}

func FuzzJSONPath(f *testing.F) {
	f.Add("$.status", `{"status":"ok"}`)
	f.Add(`$["a b"][0].c`, `{"a b":[{"c":1}]}`)
	f.Add("$[1][2]", `[[],[0,1,2e400]]`)
	f.Add("$", `null`)
	f.Add("$.a..b", `{} {}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		p, err := parseJSONPath(path)
		if err != nil {
			if !strings.Contains(err.Error(), "json path") {
				t.Fatalf("an error that does not name the path: %v", err)
			}
			return
		}
		err = p.check("GET /", []byte(body), nil)
		value, errDecode := decodeJSON([]byte(body))
		if errDecode != nil {
			if err == nil {
				t.Fatalf("%q is no JSON, and %s holds on it", body, path)
			}
			return
		}
		found, errFind := p.find(value)
		if holds := errFind == nil && found != nil; holds != (err == nil) {
			t.Fatalf("%s on %s: found %v, checked %v", path, body, found, err)
		}
		// What is at the path equals itself, however it is written.
		if err == nil && !sameJSON(json.RawMessage(render(found)), found) && !strings.ContainsAny(body, "eE") {
			t.Fatalf("%s is not equal to itself", render(found))
		}
	})
}
