package experiments

import (
	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/phases"
)

// Plan is a file expanded: every trial that would run, controls included, in the order in which they start.
type Plan struct {
	File   *File
	Seed   uint64 // the run's seed: --seed, or the file's, or 1
	Trials []Trial

	repeat int // Selection.Repeat
}

// Trial is one run of the service under one cell of one experiment. It is self-contained: a runner needs nothing else of the file.
type Trial struct {
	Experiment    string // "" for a control
	Cell          []Axis // the matrix cell, axes in alphabetical order; nil without a matrix
	Repeat        int    // from 1
	Repeats       int    // how many there are
	Seed          uint64 // decides every random choice in it; depends on the run's seed, experiment, cell and repeat, not on order
	Control       bool   // no fault: the service must become ready, or its experiments mean nothing
	Start         string // key of the way the service is started; trials with the same key share controls
	Variant       string // of a control: how this way to start differs from the file's own, masked; "" when there is but one
	Service       Service
	Dependencies  []Dependency
	Phases        phases.Spec
	Readiness     []Proof
	Traffic       *Traffic // nil: none
	Inject        []Injection
	Stop          *AskStop               // nil: it is stopped when observation is over
	ThenRestart   *contracts.ThenRestart // nil: it is not started again
	Expect        contracts.Expectation
	Invariants    contracts.Invariants
	Orchestrator  *orchestrators.Orchestrator // nil: the file names none
	AllowUnstable bool
}

// Axis is one coordinate of a matrix cell.
type Axis struct {
	Name  string
	Value string // as written, flow style for mappings: "{latency: 3s}"
}
