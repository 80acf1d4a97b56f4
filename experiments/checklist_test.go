package experiments

import (
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
)

// What covers an item is found by its name, and counted: of the whole file, and of what a run chose.
func TestChecklistCoverage(t *testing.T) {
	f := load(t, "full", Options{})
	require.Len(t, f.Checklist, 5)
	require.True(t, f.Checklist[0].Required)
	require.False(t, f.Checklist[4].Required)
	require.Equal(t, []string{"chat"}, f.Checklist[0].Tags)

	p, err := f.Expand(Selection{})
	require.NoError(t, err)
	all, controls := len(p.Trials), 0
	for _, trial := range p.Trials {
		if trial.Control {
			controls++
		}
	}
	require.Greater(t, controls, 1, "a second control counts too")
	proof := func(name string, trials, chosen int) Shown {
		return Shown{Cover: contracts.Cover{Kind: contracts.CoverProof, Name: name}, Trials: trials, Chosen: chosen}
	}
	down := contracts.Cover{Kind: contracts.CoverExperiment, Name: "postgres is down when the database phase begins"}
	dies := contracts.Cover{Kind: contracts.CoverContract, Name: "fails-fast"}
	truth := contracts.Cover{Kind: contracts.CoverInvariant, Name: "no_false_ready"}
	got := p.Coverage()
	assert.Equal(t, []Shown{proof("a user message is answered", all, all), proof("a thread is stored", all, all)}, got[0].Shown)
	assert.Equal(t, []Shown{{down, 1, 1}, {dies, 2, 2}}, got[1].Shown, "an alternative under any_of demands nothing")
	assert.Equal(t, []Shown{{truth, all, all}}, got[2].Shown)
	assert.Empty(t, got[3].Shown)
	assert.Equal(t, []bool{true, true, true, false, false}, covered(got))

	p, err = f.Expand(Selection{Only: regexp.MustCompile("postgres is down"), Repeat: 3})
	require.NoError(t, err)
	require.Len(t, p.Trials, 4)
	got = p.Coverage()
	assert.Equal(t, []Shown{{down, 3, 3}, {dies, 6, 3}}, got[1].Shown, "--repeat counts on both sides")
	assert.Equal(t, 4, got[2].Shown[0].Chosen)
	assert.Equal(t, []bool{false, false, false, false, false}, covered(got))

	p, err = f.Expand(Selection{Shard: 1, Shards: 2})
	require.NoError(t, err)
	got = p.Coverage()
	assert.Equal(t, all, got[2].Shown[0].Trials)
	assert.Less(t, got[2].Shown[0].Chosen, all)
}

func covered(list []Coverage) []bool {
	var out []bool
	for _, c := range list {
		out = append(out, c.Covered())
	}
	return out
}

// What an item says may hold a secret, and goes into reports.
func TestChecklistIsMasked(t *testing.T) {
	f, err := LoadBytes("x.yaml", []byte(`version: 1
vars: {token: s3cret-t0ken}
secrets: [token]
service: {command: ./app, ready: {log: ready}}
experiments: [{name: e, expect: {expr: 'trial.outcome == "ready"'}}]
checklist: [{name: 'accepts ${var.token}', why: 'because of ${var.token}', tags: ['${var.token}'], covered_by: e}]
`), Options{})
	require.NoError(t, err)
	p, err := f.Expand(Selection{})
	require.NoError(t, err)
	got := p.Coverage()[0]
	assert.Equal(t, "accepts ***; because of ***; ***", got.Name+"; "+got.Why+"; "+got.Tags[0])
}

// A load is judged where there is one: an experiment may have none, and only one that begins at the start is judged before the claim.
func TestChecklistCountsTraffic(t *testing.T) {
	f, err := LoadBytes("x.yaml", []byte(`version: 1
service: {command: ./app, ready: {log: ready}}
readiness: [{name: it serves, http: {url: 'http://127.0.0.1:1/'}}]
traffic: {users: 10}
experiments:
  - {name: early, traffic: {from: start}, expect: {readiness: all}, repeat: 2}
  - {name: quiet, traffic: ~, expect: {readiness: all}}
  - {name: usual, expect: {readiness: all}}
checklist: [{name: load, covered_by: [traffic, early_traffic]}]
`), Options{})
	require.NoError(t, err)
	p, err := f.Expand(Selection{})
	require.NoError(t, err)
	load := func(rule string, n int) Shown {
		return Shown{Cover: contracts.Cover{Kind: contracts.CoverTraffic, Name: rule}, Trials: n, Chosen: n}
	}
	assert.Equal(t, []Shown{load("traffic", 4), load("early_traffic", 2)}, p.Coverage()[0].Shown, "the control has the file's load")
}

// What the template names beside an item is in the language, and shows that item.
func TestChecklistTemplateNames(t *testing.T) {
	text := ChecklistTemplate()
	sh := shapes()[reflect.TypeFor[contracts.Invariants]()]
	for _, m := range regexp.MustCompile(`the invariant (\w+)`).FindAllStringSubmatch(text, -1) {
		_, known := sh.field(m[1])
		assert.True(t, known, m[1])
	}
	for item, shows := range map[string]string{
		"no secret is written to the log":               "the invariant no_secrets_in_logs",
		"after a failed start the next one succeeds":    "an experiment with then_restart",
		"it stops when it is told to":                   "as stops_on_signal",
		"a wrong configuration is refused at once":      "an experiment with another service.env",
		"what a user did is in the database afterwards": "a proof, with `then: {sql: ...}`",
	} {
		assert.Regexp(t, regexp.QuoteMeta(item)+`\n(    why: .*\n)?    covered_by: \[\] +# `+regexp.QuoteMeta(shows)+`\n`, text)
	}
}
