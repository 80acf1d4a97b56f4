package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestGolden(t *testing.T) {
	for _, f := range Builtin() {
		t.Run(f.Name, func(t *testing.T) {
			var got bytes.Buffer
			require.NoError(t, f.Write(&got, handmade()))
			path := filepath.Join("testdata", "report."+f.Name)
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "run go test ./reports -update")
			assert.Equal(t, string(want), got.String())
		})
	}
}

func TestFormatsLeaveTheReportAlone(t *testing.T) {
	r := handmade()
	before, err := json.Marshal(r)
	require.NoError(t, err)
	for _, f := range Builtin() {
		require.NoError(t, f.Write(&bytes.Buffer{}, r))
	}
	after, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, string(before), string(after))
}

func TestTextIsPlain(t *testing.T) {
	var plain, coloured bytes.Buffer
	require.NoError(t, WriteText(&plain, handmade(), Style{Verbose: true}))
	require.NoError(t, WriteText(&coloured, handmade(), Style{Verbose: true, Color: true}))
	for _, r := range plain.String() {
		if r > unicode.MaxASCII || r < ' ' && r != '\n' {
			t.Fatalf("%q is in the text", r)
		}
	}
	assert.Contains(t, coloured.String(), red)
	assert.Equal(t, plain.String(), ansi.ReplaceAllString(coloured.String(), ""), "colour changes nothing but colour")
}

func TestTextTellsACauseOnce(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, WriteText(&out, handmade(), Style{}))
	text := out.String()
	assert.Equal(t, 1, strings.Count(text, "control: it exited with code 1"), "the failed control is told once")
	assert.Contains(t, text, "so      3 trials are inconclusive because of it: strict: postgres is down, strict: redis is down #1, strict: redis is down #2")
	assert.Equal(t, 1, strings.Count(text, "harness: the harness failed: listen"), "one cause in the harness is told once")
	assert.Contains(t, text, "same in the port is taken again")
	assert.Contains(t, text, "same in one run misleads #3")
	assert.Contains(t, text, "stand-in: clickhouse was not the real thing")
	assert.Contains(t, text, "evidence missing: no connect interceptor")
}

func TestJUnitParses(t *testing.T) {
	r := handmade()
	r.Trials[4].Title += "\x1b[31m \x00\x08 \xff\uFFFE red\x1b[0m"
	r.Errors = []string{"dependency postgres: it exited\x1b[0m"}
	var out bytes.Buffer
	require.NoError(t, WriteJUnit(&out, r))
	var got junit.Testsuites
	dec := xml.NewDecoder(bytes.NewReader(out.Bytes()))
	dec.Strict = true
	require.NoError(t, dec.Decode(&got))
	assert.NotContains(t, out.String(), "\x1b")
	assert.Equal(t, len(r.Experiments)+2, len(got.Suites), "a suite for each experiment, one for controls, one for the harness")
	assert.Equal(t, []int{17, 3, 4, 5}, []int{got.Tests, got.Failures, got.Errors, got.Skipped})
	byName := map[string]junit.Testsuite{}
	for _, s := range got.Suites {
		byName[s.Name] = s
	}
	assert.NotNil(t, byName["it wobbles, and may"].Testcases[1].Skipped, "an instability that is allowed does not fail a build")
	assert.Contains(t, byName["one run misleads"].Testcases[1].Failure.Data, "retrying postgres ]]> <&>", "what the service wrote is there, as it was")
}

func TestRoundTrip(t *testing.T) {
	r := handmade()
	var out bytes.Buffer
	require.NoError(t, WriteJSON(&out, r))
	require.True(t, json.Valid(out.Bytes()))
	again, err := Read(bytes.NewReader(out.Bytes()))
	require.NoError(t, err)
	assert.Equal(t, r, again, "nothing is lost on the way")

	for i := range again.Trials { // only spec and timeline are believed
		again.Trials[i].Verdict, again.Trials[i].Reasons, again.Trials[i].Observation = contracts.Pass, nil, contracts.Observation{}
	}
	again.Experiments, again.Summary = nil, Summary{}
	again.Judge()
	assert.Equal(t, r, again, "judged again from the timelines, it is the same")
	again.Judge()
	assert.Equal(t, r, again, "and again")
}

func TestEmptyReport(t *testing.T) {
	for _, f := range Builtin() {
		var out bytes.Buffer
		r := New("v1", "x.yaml", 1, handmade().Started)
		r.Judge()
		require.NoError(t, f.Write(&out, r), f.Name)
		require.NoError(t, f.Write(&out, &Report{}), "%s of a zero report", f.Name)
	}
}
