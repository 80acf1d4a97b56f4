package reports

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

func covered(kind contracts.CoverKind, name string, trials int) Cover {
	return Cover{Cover: contracts.Cover{Kind: kind, Name: name}, Trials: trials}
}

func byExperiment(name string, trials int) Cover {
	return covered(contracts.CoverExperiment, name, trials)
}

// lying claims to be ready while its proof fails, although the trial asked for nothing but an exit.
func lying() []ev {
	return numbered(append(begun(),
		ev{MS: 90, Kind: timeline.ReadyClaim, Text: "yes"},
		ev{MS: 95, Kind: timeline.Proof, Name: "a thread is stored", OK: ref(false), Claimed: true, Error: "500", Count: map[string]float64{"took_ms": 4}},
		ev{MS: 200, Kind: timeline.End, Text: "it is ready"},
		ev{MS: 201, Kind: timeline.Stop, Signal: "SIGTERM"},
		ev{MS: 210, Kind: timeline.Exit, Code: ref(0)})...)
}

// listed is the handmade report with a checklist.
func listed(enforced bool, items ...Item) *Report {
	r := handmade()
	r.Gate, r.Checklist = &Gate{Enforced: enforced}, items
	r.Judge()
	return r
}

func item(name string, covers ...Cover) Item {
	return Item{Name: name, Required: true, CoveredBy: covers}
}

// What each kind of cover comes to, and why.
func TestCovers(t *testing.T) {
	const whole = 16 // trials of the handmade report, controls included
	proof, order := contracts.CoverProof, contracts.CoverInvariant
	for _, c := range []struct {
		cover  Cover
		want   contracts.Verdict
		text   string
		failed []string
	}{
		{byExperiment("postgres is down when the database phase begins", 1), contracts.Pass, "1 of 1 trial passed", nil},
		{byExperiment("postgres fails in DATABASE", 2), contracts.Fail, "1 of 2 trials passed", []string{"postgres fails in DATABASE [fault=blackhole]"}},
		{byExperiment("one run misleads", 3), contracts.Unstable, "1 of 3 trials passed", []string{"one run misleads #2", "one run misleads #3"}},
		{byExperiment("it wobbles, and may", 2), contracts.Pass, "1 of 2 trials passed, as an experiment that may be unstable allows", nil},
		{byExperiment("the phase never comes", 1), contracts.Inconclusive, "0 of 1 trial passed", nil},
		{byExperiment("the port is taken", 1), contracts.Error, "0 of 1 trial passed", nil},
		{byExperiment("one run misleads", 5), contracts.Unstable, "1 of 3 trials passed", []string{"one run misleads #2", "one run misleads #3"}},
		{byExperiment("it wobbles, and may", 4), NotCovered, "it was run in part: 2 of 4 trials", nil},
		{byExperiment("not chosen", 2), NotCovered, "it was not run: 0 of 2 trials", nil},
		{covered(contracts.CoverContract, "fails-fast", 14), contracts.Fail, "4 of 14 trials passed, as an experiment that may be unstable allows",
			[]string{"postgres fails in DATABASE [fault=blackhole]", "one run misleads #2", "one run misleads #3"}},
		{covered(proof, "a thread is stored", whole), contracts.Inconclusive, "held in 1 trial, not shown in 5, not asked in 10", nil},
		{covered(order, "stops_on_signal", whole), contracts.Fail, "", []string{"postgres fails in DATABASE [fault=blackhole]", "one run misleads #2", "one run misleads #3"}},
	} {
		got := listed(false, item("x", c.cover)).Checklist[0]
		assert.Equal(t, c.want, got.Verdict, "%s", c.cover)
		assert.Equal(t, c.failed, got.CoveredBy[0].Failed, "%s", c.cover)
		if c.text != "" {
			assert.Equal(t, c.text, got.CoveredBy[0].Text, "%s", c.cover)
		}
	}
}

// A proof holds where a trial shows it; it fails where a trial failed because of it, and only there.
func TestProofAsCover(t *testing.T) {
	shown := func(trials ...Trial) Item {
		r := New("v1", "x.yaml", 1, handmade().Started)
		r.Trials, r.Gate = trials, &Gate{}
		r.Checklist = []Item{item("x", covered(contracts.CoverProof, "a thread is stored", len(trials)))}
		r.Judge()
		return r.Checklist[0]
	}
	good := control("control: smd", "a", ready())
	got := shown(good, trial("dies", "a", 0, nil, diedWell()))
	assert.Equal(t, contracts.Pass, got.Verdict)
	assert.Equal(t, "held in 1 trial, not asked in 1", got.CoveredBy[0].Text)
	got = shown(good, trial("lies", "a", 0, nil, lying()))
	assert.Equal(t, contracts.Fail, got.Verdict)
	assert.Equal(t, "failed in 1 trial, held in 1 trial", got.CoveredBy[0].Text)
	assert.Equal(t, []string{"lies"}, got.CoveredBy[0].Failed)
	assert.Equal(t, contracts.Inconclusive, shown(trial("dies", "a", 0, nil, diedWell())).Verdict, "it was never seen to hold")
	tolerated := trial("lies, and may", "a", 0, nil, lying())
	tolerated.AllowUnstable = true
	assert.Equal(t, contracts.Pass, shown(good, tolerated).Verdict, "its experiment answers for it")
	other := trial("hangs", "a", 0, nil, hung())
	assert.Equal(t, contracts.Pass, shown(good, other).Verdict, "a trial that failed because of something else")
	assert.Equal(t, contracts.Inconclusive, shown(good, trial("broken", "a", 0, nil, broken())).Verdict, "a trial that should have shown it was lost")
}

// The worst cover decides, and the list decides the exit code where it is asked.
func TestGateCode(t *testing.T) {
	good := byExperiment("postgres is down when the database phase begins", 1)
	only := func(enforced bool, items ...Item) *Report {
		r := listed(enforced, items...)
		r.Trials = r.Trials[:3:3] // nothing else is there
		r.Trials[1] = r.Trials[0]
		r.Experiments = nil
		r.Judge()
		return r
	}
	missing, failing := byExperiment("not chosen", 1), byExperiment("postgres fails in DATABASE", 2)
	wobbly := item("optional", missing)
	wobbly.Required = false
	r := only(true, item("a", good), wobbly)
	assert.Equal(t, ExitPass, r.ExitCode(), "what is not required blocks nothing")
	assert.Equal(t, &Gate{Enforced: true, Open: true, Required: 1, Pass: 1, Optional: 1}, r.Gate)
	assert.Equal(t, ExitViolated, only(true, item("a", good), item("b")).ExitCode(), "nothing covers it")
	assert.Equal(t, ExitViolated, only(true, item("a", good, missing)).ExitCode(), "one of its covers is missing")
	assert.Equal(t, ExitPass, only(false, item("b")).ExitCode(), "nobody asked")
	assert.Equal(t, ExitInconclusive, only(true, item("a", covered(contracts.CoverInvariant, "retry", 0))).ExitCode(), "no trial shows it")

	r = only(true, item("a", missing))
	r.Interrupted = true
	r.Judge()
	assert.Equal(t, contracts.Inconclusive, r.Checklist[0].Verdict, "what was cut short is not missing")
	assert.Equal(t, ExitInconclusive, r.ExitCode())
	r = only(true, item("a", missing))
	r.Errors = []string{"the build failed"}
	r.Judge()
	assert.Equal(t, ExitHarness, r.ExitCode(), "what chaos could not run is not missing")
	r = only(true, item("b"))
	r.Errors = []string{"the build failed"}
	assert.Equal(t, ExitViolated, r.ExitCode(), "nothing covers it, whatever else failed")
	r = listed(true, item("a", byExperiment("the port is taken", 1)), item("b"))
	r.Experiments, r.Trials = nil, slices.DeleteFunc(r.Trials, func(t Trial) bool { return t.Experiment != "the port is taken" })
	r.Judge()
	assert.Equal(t, &Gate{Enforced: true, Required: 2, Error: 1, NotCovered: 1}, r.Gate)
	assert.Equal(t, ExitViolated, r.ExitCode(), "an item is missing, and chaos failed for another")
	r.Checklist = r.Checklist[:1]
	r.Judge()
	assert.Equal(t, ExitHarness, r.ExitCode())

	r = listed(true, item("a", good, failing, missing), item("b", good, missing))
	assert.Equal(t, []contracts.Verdict{contracts.Fail, NotCovered}, []contracts.Verdict{r.Checklist[0].Verdict, r.Checklist[1].Verdict})
	assert.Equal(t, ExitViolated, r.ExitCode())
	assert.Equal(t, &Gate{Enforced: true, Required: 2, Fail: 1, NotCovered: 1}, r.Gate)
}

// The list as people read it, as JUnit, and as it is read back.
func TestChecklistFormats(t *testing.T) {
	list := []Item{
		item("a database that is down ends the start", byExperiment("postgres is down when the database phase begins", 1)),
		item("every way of failing ends it too", byExperiment("postgres fails in DATABASE", 2), covered(contracts.CoverContract, "fails-fast", 14)),
		item("threads are stored", covered(contracts.CoverProof, "a thread is stored", 16)),
		{Name: "tokens are validated", Reason: "it was dropped once", Required: true, Tags: []string{"security"}, CoveredBy: []Cover{}},
		{Name: "load from the first second", Required: false, CoveredBy: []Cover{}},
		{Name: "a wobble", Required: false, CoveredBy: []Cover{byExperiment("it wobbles, and may", 2)}},
	}
	for enforced, name := range map[bool]string{true: "checklist.enforced", false: "checklist.told"} {
		r := listed(enforced, list...)
		var got bytes.Buffer
		p := &printer{}
		p.checklist(r)
		got.Write(p.out.Bytes())
		suite := checklistSuite(r, 7)
		text, err := xml.MarshalIndent(suite, "", " ")
		require.NoError(t, err)
		got.Write(append(text, '\n'))
		path := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err, "run go test ./reports -update")
		assert.Equal(t, string(want), got.String())

		var stored bytes.Buffer
		require.NoError(t, WriteJSON(&stored, r))
		again, err := Read(&stored)
		require.NoError(t, err)
		assert.Equal(t, r, again)
		for i := range again.Checklist { // only the names are believed
			again.Checklist[i].Verdict = contracts.Pass
		}
		again.Gate = &Gate{Enforced: enforced, Open: true, Pass: 4}
		again.Judge()
		assert.Equal(t, r, again)
	}
}
