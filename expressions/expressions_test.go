package expressions

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var exprNames = Names{"dependency": {"postgres"}, "phase": {"init", "database", "cache"}, "proof": {"a thread is stored"}}

// seen is a trial that was ready late, after many attempts, with a phase that never ended.
func seen() *Record {
	r := NewRecord()
	r.Variable("trial").Set("ready_ms", 31204.0).Set("restarts", 0).Set("outcome", "ready").Set("budget_ms", 40000.0).Shown(4)
	r.Variable("process").SetAll(map[string]float64{"fds": 12, "of another version": 3})
	var none map[string]int
	r.Variable("traffic").Set("errors_by_kind", map[string]int{"timeout": 2, "reset": 1}).Set("early", none).Shown(7)
	r.Add("dependency", "postgres").Set("attempts", 14).Set("attempt_ms", []float64{1, 2.5}).Shown(9)
	r.Add("phase", "init").Set("begin_ms", 1.0).Set("end_ms", 7.0).Set("took_ms", 6.0).Shown(2, 3)
	r.Add("phase", "database").Set("begin_ms", 7.0).Shown(3)
	return r
}

func TestEvaluate(t *testing.T) {
	for _, c := range []struct {
		text     string
		holds    bool
		values   string
		evidence []int
	}{
		{`trial.ready_ms < 30000 && dependency("postgres").attempts <= 12`, false,
			`trial.ready_ms = 31204, dependency("postgres").attempts = 14`, []int{4, 9}},
		{`trial.ready_ms < 40000 && dependency("postgres").attempts <= 12`, false, `dependency("postgres").attempts = 14`, []int{9}},
		{`trial.ready_ms < 30000 || trial.outcome == "hung"`, false, `trial.ready_ms = 31204, trial.outcome = "ready"`, []int{4}},
		{`trial.ready_ms < 40000 || trial.outcome == "hung"`, true, `trial.ready_ms = 31204`, []int{4}},
		{`!(trial.restarts == 0)`, false, `trial.restarts = 0`, []int{4}},
		{`!has(trial.exit_code) || trial.exit_code == 3`, true, `has(trial.exit_code) = false`, []int{4}},
		{`trial.?exit_code.orValue(7) == 3`, false, `trial.?exit_code.orValue(7) = 7`, []int{4}},
		{`trial.?exit_code.hasValue()`, false, `trial.?exit_code.hasValue() = false`, []int{4}},
		{`phases.all(p, has(p.took_ms) && p.took_ms < 100)`, false,
			`phases.all(p, has(p.took_ms) && p.took_ms < 100) = false: not for [phase("database") {begin_ms 7}]`, []int{2, 3}},
		{`size(phases) == 1`, false, `size(phases) = 2`, []int{2, 3}},
		{`trial.outcome in ["exited", "hung"]`, false, `trial.outcome = "ready"`, []int{4}},
		{`trial.outcome.matches("^h")`, false, `trial.outcome = "ready"`, []int{4}},
		{`trial.ready_ms - phase("init").end_ms < 4 ? true : false`, false, `trial.ready_ms = 31204, phase("init").end_ms = 7`, []int{2, 3, 4}},
		{`dependency("postgres").attempt_ms == [1.0]`, false, `dependency("postgres").attempt_ms = [1, 2.5]`, []int{9}},
		{`has(phase("cache").begin_ms)`, false, `has(phase("cache").begin_ms) = false`, nil},
		{`traffic.errors_by_kind.all(k, k == "reset")`, false, `traffic.errors_by_kind.all(k, k == "reset") = false: not for ["timeout"]`, []int{7}},
		{`traffic.errors_by_kind == {}`, false, `traffic.errors_by_kind = {reset: 1, timeout: 2}`, []int{7}},
		{`"hang" in traffic.early`, false, `traffic.early = {}`, []int{7}},
		{`process.fds < 10 && !has(process.cpu_ms)`, false, `process.fds = 12`, nil},
		{`false && trial.exit_code == 3`, false, ``, nil},
	} {
		e, problems := Compile(c.text, exprNames)
		require.Empty(t, problems, c.text)
		for range 2 {
			got, err := e.Evaluate(seen())
			require.NoError(t, err, c.text)
			assert.Equal(t, c.holds, got.Holds, c.text)
			assert.Equal(t, c.values, strings.Join(got.Values, ", "), c.text)
			assert.Equal(t, c.evidence, append([]int(nil), got.Evidence...), c.text)
		}
	}
}

// What has no value makes an expression neither true nor false, unless the rest decides it.
func TestAbsentValuesAreHonest(t *testing.T) {
	for text, why := range map[string]string{
		`trial.exit_code == 3`:                        "trial.exit_code has no value: it did not exit by itself",
		`trial.exit_code == 3 && trial.restarts == 0`: "trial.exit_code has no value: it did not exit by itself",
		`phase("cache").took_ms < 4`:                  `phase("cache").took_ms has no value: it never ended`,
		`size(phases.map(p, p.took_ms)) == 2`:         `phase("database").took_ms has no value: it never ended`,
	} {
		e, problems := Compile(text, exprNames)
		require.Empty(t, problems, text)
		_, err := e.Evaluate(seen())
		require.ErrorAs(t, err, &Missing{}, text)
		assert.EqualError(t, err, why)
	}
	e, problems := Compile(`trial.exit_code == 3 && trial.restarts == 1`, exprNames)
	require.Empty(t, problems)
	got, err := e.Evaluate(seen())
	require.NoError(t, err, "false whatever the code was")
	assert.False(t, got.Holds)
	for text, why := range map[string]string{`faults[0].on == "x"`: "index out of bounds: 0", `{"a": 1}["b"] == 3`: "there is no such key: b"} {
		e, problems := Compile(text, exprNames)
		require.Empty(t, problems, text)
		_, err := e.Evaluate(seen())
		assert.EqualError(t, err, why, text)
	}
}

func TestEvaluationIsBounded(t *testing.T) {
	r := seen()
	long := make([]float64, 1000)
	r.Add("dependency", "redis").Set("attempt_ms", long)
	e, problems := Compile(`dependency("redis").attempt_ms.all(a, dependency("redis").attempt_ms.all(b, dependency("redis").attempt_ms.all(c, a + b + c < 1.0)))`, nil)
	require.Empty(t, problems)
	_, err := e.Evaluate(r)
	assert.ErrorContains(t, err, "the expression asks for too much")
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		says, known  string
	}{
		{`trial.redy_ms < 3`, 1, 7, "unknown field `redy_ms` of trial", "ready_ms"},
		{`trail.ready_ms < 3`, 1, 1, "unknown name `trail`", "trial"},
		{`trial.ready_ms`, 1, 1, "the expression is a number (double), not true or false", ""},
		{`trial.ready_ms < "a"`, 1, 16, "`<` cannot take a number (double) and text (string)", ""},
		{`trial.ready_ms + 3 < 5`, 1, 16, "`+` cannot take a number (double) and a whole number (int)", ""},
		{`dependency("postgre").attempts < 3`, 1, 12, "unknown dependency `postgre`", "postgres"},
		{`phase("cash").exact`, 1, 7, "unknown phase `cash`", "cache"},
		{`proof("nothing").ok`, 1, 7, "unknown proof `nothing`", "a thread is stored"},
		{`trial.ready_ms <`, 1, 17, "not an expression: it ends too early", ""},
		{`trial.ready_ms < 3)`, 1, 19, "not an expression: extraneous input ')'", ""},
		{"trial.ready_ms < 1 &&\n  trial.nix < 4", 2, 9, "unknown field `nix` of trial", "ready_ms"},
		{`dependency("postgres").tries < 3`, 1, 24, "unknown field `tries` of dependency", "attempts"},
		{`phases.all(p, p.foo == 3)`, 1, 17, "unknown field `foo`", "took_ms"},
		{`phases[0].foo == 3`, 1, 11, "unknown field `foo` of phase", "took_ms"},
		{`phases.foo == 3`, 1, 7, "a list of phase has no fields", ""},
		{`trial == phases[0]`, 1, 7, "`==` cannot take a trial and a phase", ""},
		{`dependency(3).attempts == 3`, 1, 11, "`dependency` cannot take a whole number (int)", ""},
		{` `, 1, 1, "the expression is empty", ""},
		{strings.Repeat("x", 5000), 1, 1, "the expression has 5000 characters", ""},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), 1, 0, "", ""},
	} {
		e, problems := Compile(c.text, exprNames)
		require.Nil(t, e, c.text)
		require.NotEmpty(t, problems, c.text)
		if c.column == 0 {
			continue // refused, however it is put
		}
		p := problems[0]
		assert.Equal(t, c.says, p.Text)
		assert.Equal(t, fmt.Sprintf("%d:%d", c.line, c.column), fmt.Sprintf("%d:%d", p.Line, p.Column), c.text)
		if c.known != "" {
			assert.Contains(t, p.Known, c.known, c.text)
		}
	}
}

// Every example of the vocabulary is an expression, every field that may lack a value says why, and names are there once.
func TestVocabularyIsSound(t *testing.T) {
	for _, k := range Vocabulary() {
		assert.NotEmpty(t, k.Doc, k.Name)
		names := map[string]bool{}
		for _, f := range k.Fields {
			where := k.Name + "." + f.Name
			assert.False(t, names[f.Name], where)
			names[f.Name] = true
			assert.NotEmpty(t, f.Doc, where)
			assert.Contains(t, f.Example, f.Name, where)
			_, problems := Compile(f.Example, nil)
			assert.Empty(t, problems, where)
			assert.NotEqual(t, "dyn", celType(f.Type).String(), where)
		}
	}
}

// A record is filled by the program: a name that the vocabulary lacks is found by the first test that fills it.
func TestRecordHasNoOtherNames(t *testing.T) {
	assert.Panics(t, func() { NewRecord().Add("nothing", "") })
	assert.Panics(t, func() { NewRecord().Variable("trial").Set("nothing", 1) })
	var none *float64
	assert.NotContains(t, NewRecord().Variable("trial").Set("ready_ms", none).values, "ready_ms")
}
