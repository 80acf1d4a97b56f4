package reports

import (
	"runtime"
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// Schema names the version of the report. New fields may be added to it; none changes its meaning.
const Schema = "chaos.report/v1"

// Report is what a run came to. Times are milliseconds.
type Report struct {
	Schema          string       `json:"schema"`
	Tool            Tool         `json:"tool"`
	File            string       `json:"file"` // the experiments file, as it was given
	Seed            uint64       `json:"seed"`
	Started         time.Time    `json:"started"`
	DurationMS      float64      `json:"duration_ms"`
	Interrupted     bool         `json:"interrupted,omitempty"` // the run did not come to its end
	Summary         Summary      `json:"summary"`
	Dependencies    []Dependency `json:"dependencies,omitempty"`
	EvidenceMissing []string     `json:"evidence_missing,omitempty"` // what could not be observed, each once
	Errors          []string     `json:"errors,omitempty"`           // what failed in the harness outside of any trial
	Advice          []string     `json:"advice,omitempty"`           // which settings of the orchestrator the slowest start needs
	Experiments     []Experiment `json:"experiments"`
	Gate            *Gate        `json:"gate,omitempty"`      // counts of Checklist; nil where the file has none
	Checklist       []Item       `json:"checklist,omitempty"` // in the order of the file
	Trials          []Trial      `json:"trials"`
}

// Tool says what wrote the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Go      string `json:"go,omitempty"`
	OS      string `json:"os,omitempty"`
	Arch    string `json:"arch,omitempty"`
}

// Summary counts. Pass, Fail, Inconclusive, Error and Unstable count experiments and add up to Experiments.
type Summary struct {
	Experiments       int `json:"experiments"`
	Trials            int `json:"trials"` // without controls
	Pass              int `json:"pass"`
	Fail              int `json:"fail"`
	Inconclusive      int `json:"inconclusive"`
	Error             int `json:"error"`
	Unstable          int `json:"unstable"`
	Controls          int `json:"controls"`
	ControlsNotPassed int `json:"controls_not_passed,omitempty"`
}

// Dependency is what a dependency really was in this run.
type Dependency struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`
	Address  string `json:"address,omitempty"`
	Standin  bool   `json:"standin"` // an embedded stand-in, not the real thing
	Required bool   `json:"required"`
}

// Experiment is what the trials of one experiment come to. PassRate is nil when no trial passed or failed; Wilson95 is the
// 95 % Wilson interval of the share of passes among the trials that passed or failed.
type Experiment struct {
	Name          string            `json:"name"`
	Verdict       contracts.Verdict `json:"verdict"`
	AllowUnstable bool              `json:"allow_unstable,omitempty"`
	Counts
	Cells []Cell `json:"cells,omitempty"` // of its matrix
}

// Cell is what the repeated trials of one cell of a matrix come to.
type Cell struct {
	Cell    map[string]string `json:"cell"`
	Verdict contracts.Verdict `json:"verdict"`
	Counts
}

// Counts are the figures of repeated trials.
type Counts struct {
	Trials       int        `json:"trials"`
	Pass         int        `json:"pass"`
	Fail         int        `json:"fail"`
	Inconclusive int        `json:"inconclusive"`
	Error        int        `json:"error"`
	PassRate     *float64   `json:"pass_rate"`
	Wilson95     [2]float64 `json:"wilson95"`
}

// Trial is one run of the service. Spec and Timeline are all that judging needs; Verdict, Reasons and the Observation are made
// from them by Judge. Evidence ids are positions in Timeline.
type Trial struct {
	Experiment    string             `json:"experiment"` // "" for a control
	Title         string             `json:"title"`
	Cell          map[string]string  `json:"cell,omitempty"`
	Repeat        int                `json:"repeat"` // from 1
	Repeats       int                `json:"repeats,omitempty"`
	Seed          uint64             `json:"seed"`
	Control       bool               `json:"control"`
	Start         string             `json:"start"` // the way the service is started; trials with the same key share controls
	AllowUnstable bool               `json:"allow_unstable,omitempty"`
	Verdict       contracts.Verdict  `json:"verdict"`
	Reasons       []contracts.Reason `json:"reasons"`
	contracts.Observation
	Replay   string           `json:"replay,omitempty"` // the command that runs this trial again
	Spec     contracts.Spec   `json:"spec"`
	Timeline []timeline.Event `json:"timeline"`
}

// New returns an empty report. version is the tool's own.
func New(version, file string, seed uint64, started time.Time) *Report {
	return &Report{
		Schema: Schema, File: file, Seed: seed, Started: started, Experiments: []Experiment{}, Trials: []Trial{},
		Tool: Tool{Name: "chaos", Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH},
	}
}

// CPUMS is the CPU time that the service used, in milliseconds; 0 when it is not known.
func (t Trial) CPUMS() float64 { return t.Process["cpu_ms"] }

// DurationMS is how long the trial was watched, the stop included.
func (t Trial) DurationMS() float64 {
	last := 0.0
	for _, e := range t.Timeline {
		last = max(last, e.MS)
	}
	return last
}

// Spoils reports whether this is a control after which its experiments need not be run: they would all be inconclusive. A control
// that only violates an invariant spoils nothing.
func (t Trial) Spoils() bool {
	return t.Control && contracts.Judgment{Verdict: t.Verdict, Reasons: t.Reasons}.Spoils()
}

// failedSetUp reports whether the trial is a control that did not pass because of the set-up, not because of a violated invariant.
func (t Trial) failedSetUp() bool {
	j := contracts.Judgment{Verdict: t.Verdict, Reasons: t.Reasons}
	return t.Control && t.Verdict != contracts.Pass && (t.Verdict != contracts.Fail || j.SetUpFailed())
}
