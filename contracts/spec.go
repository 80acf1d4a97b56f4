// Package contracts decides: it turns the timeline of a trial into an outcome and a verdict.
//
// Everything here is a pure function over a Spec (what was asked) and events (what was seen). Nothing here runs,
// waits, opens or reads a clock; so a report can be judged again, years later, with the same result.
package contracts

import (
	"github.com/chaos-startup/chaos/orchestrators"
	"github.com/chaos-startup/chaos/timeline"
)

// Spec is what was asked of one trial: all that judging needs besides the timeline. It is stored in the report.
type Spec struct {
	Title        string                `json:"title"`
	Control      bool                  `json:"control,omitempty"`
	Budget       timeline.Duration     `json:"budget"`             // service.budget
	Grace        timeline.Duration     `json:"grace"`              // service.stop.grace
	StopSignal   string                `json:"stop_signal"`        // "SIGTERM"
	Restarts     bool                  `json:"restarts"`           // a restart policy other than never
	Replicas     int                   `json:"replicas,omitempty"` // instances side by side; 0: one
	Phases       []Phase               `json:"phases,omitempty"`   // in their declared order; empty: none declared
	Dependencies map[string]Dependency `json:"dependencies,omitempty"`
	Readiness    []Proof               `json:"readiness,omitempty"`
	Faults       []Fault               `json:"faults,omitempty"`       // index i is fault "f<i+1>" of the timeline
	Traffic      *Traffic              `json:"traffic,omitempty"`      // nil: no load
	Stop         *AskStop              `json:"stop,omitempty"`         // the experiment asks the service to stop
	ThenRestart  *ThenRestart          `json:"then_restart,omitempty"` // and starts it once more
	Expect       Expectation           `json:"expect"`
	// Orchestrator is who starts the service in production; nil: nobody was named.
	Orchestrator *orchestrators.Orchestrator `json:"orchestrator,omitempty"`
	Invariants   Invariants                  `json:"invariants"`
}

// Phase is a declared phase. Budget 0 means none.
type Phase struct {
	Name   string            `json:"name"`
	Budget timeline.Duration `json:"budget,omitempty"`
}

// Dependency is what judging needs to know of a dependency.
type Dependency struct {
	Required bool `json:"required"`
}

// Proof is a declared proof of readiness and the dependencies it needs.
type Proof struct {
	Name  string   `json:"name"`
	Needs []string `json:"needs,omitempty"`
	Alone bool     `json:"alone,omitempty"` // it is asked after the others, and not before the claim
	Echo  bool     `json:"echo,omitempty"`  // it asks only what service.ready asks: it can't find a lie
}

// Fault is a declared fault in words.
type Fault struct {
	On      string `json:"on"`
	Kind    string `json:"kind"`
	Text    string `json:"text"`              // "refuse on postgres during database"
	Phase   string `json:"phase,omitempty"`   // the phase it waits for, if any
	Bounded bool   `json:"bounded,omitempty"` // it is lifted by itself: for, until, or during
	// For is how long it lasts, where the file says so.
	For      timeline.Duration `json:"for,omitempty"`
	Toxicity float64           `json:"toxicity,omitempty"` // the share of the connections that it is for; 0 and 1: all
}

// Expectation is what a trial should do: exactly one field besides Name (and the Message of Expr) is set; the zero value expects only that the service
// becomes ready with every proof (what a control trial must do).
type Expectation struct {
	Name      string        `json:"name,omitempty"` // the contract's name in the file, for messages
	AnyOf     []Expectation `json:"any_of,omitempty"`
	AllOf     []Expectation `json:"all_of,omitempty"` // a list under expect:
	FailFast  *FailFast     `json:"fail_fast,omitempty"`
	Recover   *Recover      `json:"recover,omitempty"`
	Tolerate  *Tolerate     `json:"tolerate,omitempty"`
	Degrade   *Degrade      `json:"degrade,omitempty"`
	Wait      *Wait         `json:"wait,omitempty"`
	GiveUp    *GiveUp       `json:"give_up,omitempty"`
	Stop      *Stop         `json:"stop,omitempty"`
	Readiness string        `json:"readiness,omitempty"` // "all": every proof held
	Expr      string        `json:"expr,omitempty"`      // an expression that is true
	Message   string        `json:"message,omitempty"`   // of Expr: what it means that it is not
	Survives  *Survives     `json:"survives_orchestrator,omitempty"`
}

// FailFast: exits by itself, with that exit code, within Within of the first bite, never ready in between; Log names the cause;
// no later phase begins. With several faults the first bite of the one that bit last counts.
type FailFast struct {
	Within   timeline.Duration `json:"within"`              // default 10s
	ExitCode ExitCode          `json:"exit_code,omitempty"` // default nonzero
	Log      string            `json:"log,omitempty"`       // regular expression; "" = not checked
}

// GiveUp is FailFast that must not come earlier than After the first bite: a bounded retry.
type GiveUp struct {
	After    timeline.Duration `json:"after"`
	Within   timeline.Duration `json:"within"`
	ExitCode ExitCode          `json:"exit_code,omitempty"`
	Log      string            `json:"log,omitempty"`
}

// Recover: ready, with every proof, within Within of the (last) lift, with at most Restarts restarts.
type Recover struct {
	Within   timeline.Duration `json:"within"` // default 10s
	Restarts int               `json:"restarts,omitempty"`
}

// Tolerate: ready within Within of the start while the fault is still on. A fault that lasts for a phase counts as on when the
// service itself ended it by getting through that phase.
type Tolerate struct {
	Within timeline.Duration `json:"within,omitempty"` // 0 = the service's budget
}

// Degrade: ready within Within without the optional dependency, its status says degraded, the proofs that do not need it hold.
type Degrade struct {
	Within timeline.Duration `json:"within,omitempty"` // 0 = the service's budget
}

// Wait: neither ready nor exited while the fault is on.
type Wait struct{}

// ExitCode is an expected exit code: "nonzero" (the default), "any", "clean" (the default of Stop) or a number from 0 to 255 in decimal.
type ExitCode string

// Invariants hold in every trial. A nil or zero field is not checked.
type Invariants struct {
	NoFalseReady        bool               `json:"no_false_ready,omitempty"`
	PhaseOrder          bool               `json:"phase_order,omitempty"`
	PhaseBudgets        bool               `json:"phase_budgets,omitempty"`
	StartupBudget       bool               `json:"startup_budget,omitempty"`
	StopsOnSignal       *StopsOnSignal     `json:"stops_on_signal,omitempty"`
	LogNever            []string           `json:"log_never,omitempty"` // regular expressions that no log line may match
	Retry               *Retry             `json:"retry,omitempty"`
	NoLeakedConnections *LeakedConnections `json:"no_leaked_connections,omitempty"`
	Expr                []Expr             `json:"expr,omitempty"`
	Survives            bool               `json:"survives_orchestrator,omitempty"`
	NoLeakedFDs         *LeakedFDs         `json:"no_leaked_fds,omitempty"`
	Memory              *Memory            `json:"memory,omitempty"`
	Threads             *Threads           `json:"threads,omitempty"`
	NoOrphans           bool               `json:"no_orphans,omitempty"`         // no process of the service outlives it, however it ended
	NoSecretsInLogs     bool               `json:"no_secrets_in_logs,omitempty"` // no line holds a secret that the service was given
	LateReady           *LateReady         `json:"late_ready,omitempty"`
}

// StopsOnSignal: after the stop signal the service ends by itself within Within (0 = the grace of service.stop) and leaves no process.
type StopsOnSignal struct {
	Within timeline.Duration `json:"within,omitempty"`
}

// Retry bounds the attempts on each dependency and says in which manner they are repeated. Zero fields are not checked.
type Retry struct {
	On               []string          `json:"on,omitempty"` // only these dependencies; none: all with a fault
	MaxAttempts      int               `json:"max_attempts,omitempty"`
	MaxRate          float64           `json:"max_rate,omitempty"` // attempts in any one second
	Backoff          string            `json:"backoff,omitempty"`  // BackoffExponential or BackoffGrowing
	Jitter           bool              `json:"jitter,omitempty"`   // pauses vary
	MaxParallel      int               `json:"max_parallel,omitempty"`
	MaxAmplification float64           `json:"max_amplification,omitempty"` // attempts for each intended one
	GiveUpWithin     timeline.Duration `json:"give_up_within,omitempty"`    // from the first attempt that failed
	Lockstep         *bool             `json:"lockstep,omitempty"`          // false: replicas do not retry together
}

// How the pauses between attempts must develop.
const (
	BackoffExponential = "exponential" // by a factor
	BackoffGrowing     = "growing"     // by a time or a factor
)

// LeakedConnections bounds the connections per dependency that are open when observation ends.
type LeakedConnections struct {
	Max int `json:"max"` // default 10
}

// LateReady bounds how long every proof may hold before the service says that it is ready. With it the proofs are asked before, too.
type LateReady struct {
	Within timeline.Duration `json:"within"` // default 500ms
}

// Verdict of a trial or an experiment.
type Verdict string

// The verdicts. The zero value counts as Inconclusive.
const (
	Pass         Verdict = "pass"
	Fail         Verdict = "fail"
	Inconclusive Verdict = "inconclusive"
	Error        Verdict = "error"
	Unstable     Verdict = "unstable" // of an experiment only: its trials disagree
)

// Class names what a service was seen to do.
type Class string

// The classes of outcome.
const (
	Ready      Class = "ready"
	Exited     Class = "exited"
	Hung       Class = "hung"
	Degraded   Class = "degraded"
	FalseReady Class = "false_ready"
	Restarting Class = "restarting"
	Stopped    Class = "stopped" // its experiment asked it to stop; exit code or signal say how it did
	Unknown    Class = "unknown" // observation ended before anything could be said (interrupted, harness error)
)

// Outcome is what the service did. Pointers are nil where the thing never happened. Times are ms since exec.
type Outcome struct {
	Class        Class    `json:"class"`
	ExitCode     *int     `json:"exit_code,omitempty"`
	Signal       string   `json:"signal,omitempty"`
	AtMS         float64  `json:"at_ms"`
	ReadyMS      *float64 `json:"ready_ms,omitempty"`
	FalseReadyMS *float64 `json:"false_ready_ms,omitempty"` // length of the window: the middle of FalseReadyWithinMS, where its end was seen
	StopMS       *float64 `json:"stop_ms,omitempty"`        // its experiment asked it to stop
	// FalseReadyWithinMS are the least and the most that the window can really have been: proofs are asked from time to time.
	FalseReadyWithinMS *[2]float64 `json:"false_ready_within_ms,omitempty"`
	// LateReadyMS is how long every proof had held when it said that it is ready; nil when nobody asked before.
	LateReadyMS *float64 `json:"late_ready_ms,omitempty"`
	Restarts    int      `json:"restarts,omitempty"`
}

// PhaseSpan is a phase that was seen. EndMS is nil while it never ended.
type PhaseSpan struct {
	Name    string   `json:"name"`
	BeginMS float64  `json:"begin_ms"`
	EndMS   *float64 `json:"end_ms,omitempty"`
	Exact   bool     `json:"exact"`
}

// FaultSpan is what became of a fault. Pointers are nil where the thing never happened.
type FaultSpan struct {
	On             string   `json:"on"`
	Kind           string   `json:"kind"`
	Text           string   `json:"text"`
	ArmedMS        *float64 `json:"armed_ms,omitempty"`
	FirstBiteMS    *float64 `json:"first_bite_ms,omitempty"`
	LiftedMS       *float64 `json:"lifted_ms,omitempty"`
	LiftedAtEnd    bool     `json:"lifted_at_end,omitempty"` // only because the trial was over
	ConnectionsHit int      `json:"connections_hit"`
	BytesHit       int64    `json:"bytes_hit"`
	Escaped        int      `json:"escaped"`
}

// DependencyFigures are the figures of one dependency. Refused and Attempts are nil where they could not be counted.
type DependencyFigures struct {
	Attempts  *int      `json:"attempts,omitempty"`
	Refused   *int      `json:"refused,omitempty"`
	Accepted  int       `json:"accepted"`
	OpenAtEnd int       `json:"open_at_end"`
	BytesUp   int64     `json:"bytes_up"`
	BytesDown int64     `json:"bytes_down"`
	AttemptMS []float64 `json:"attempt_ms,omitempty"` // at most the first 1000
	Retries   *Retries  `json:"retries,omitempty"`    // nil: no attempt that failed under a fault was repeated
}

// ProofResult is what became of one proof of readiness: its last attempt.
type ProofResult struct {
	Name    string   `json:"name"`
	OK      bool     `json:"ok"`
	AtMS    float64  `json:"at_ms"`
	HeldMS  *float64 `json:"held_ms,omitempty"` // since when it was seen to hold without a failure; nil when it does not
	Error   string   `json:"error,omitempty"`
	Excused string   `json:"excused,omitempty"` // the optional dependency that excuses its failure
}

// FalseWindow is a stretch in which the service claimed to be ready while one proof failed. Its true length lies in WithinMS.
type FalseWindow struct {
	Proof      string     `json:"proof"`
	Error      string     `json:"error,omitempty"` // of the first attempt that failed
	FromMS     float64    `json:"from_ms"`         // the claim; of a proof that had held since, the attempt that failed
	ForMS      float64    `json:"for_ms"`          // the middle of WithinMS; of one that was not seen to hold, until its claim or observation ended
	WithinMS   [2]float64 `json:"within_ms"`       // the least and the most, by the moments at which it was asked; open: so far
	Ended      string     `json:"ended"`           // held, excused, lost (the claim was taken back, or the service was gone) or open (observation ended)
	Again      bool       `json:"again,omitempty"` // it had held since the claim, and failed later
	Dependency string     `json:"dependency,omitempty"`
	Because    string     `json:"because,omitempty"` // why that dependency, or what its needs say
}

// Observation is what a timeline shows, without any opinion about it.
type Observation struct {
	Outcome      Outcome                      `json:"outcome"`
	Phases       []PhaseSpan                  `json:"phases"`
	Faults       []FaultSpan                  `json:"faults"`
	Dependencies map[string]DependencyFigures `json:"dependencies,omitempty"`
	Readiness    []ProofResult                `json:"readiness"`
	Traffic      *TrafficFigures              `json:"traffic,omitempty"`
	FalseReady   []FalseWindow                `json:"false_ready,omitempty"`
	Process      map[string]float64           `json:"process,omitempty"`      // see timeline.Process
	ThenRestart  *Outcome                     `json:"then_restart,omitempty"` // of the start after it; times as of all
	Replicas     []Replica                    `json:"replicas,omitempty"`     // where there are several; the rest is then that of the one that came off worst
}

// Replica is what one of several instances did.
type Replica struct {
	Replica   int           `json:"replica"` // from 1
	Verdict   Verdict       `json:"verdict"`
	Outcome   Outcome       `json:"outcome"`
	Phases    []PhaseSpan   `json:"phases"`
	Readiness []ProofResult `json:"readiness"`
}

// State says what a Reason contributes to its verdict.
type State string

// The states of a reason.
const (
	Held      State = "held"      // the rule was checked and holds
	Violated  State = "violated"  // the rule was checked and is violated: the evidence shows it
	Undecided State = "undecided" // the rule could not be decided: the trial shows neither that it holds nor that it is violated
	Note      State = "note"      // said for the reader; decides nothing
)

// Reason is one sentence why a verdict is what it is, with the events that show it.
type Reason struct {
	Rule     string `json:"rule"` // "fail_fast", "no_false_ready", "vacuous", "escaped", "control", "harness", ...
	State    State  `json:"state,omitempty"`
	Text     string `json:"text"`
	Next     string `json:"next,omitempty"` // what to do about it
	Evidence []int  `json:"evidence,omitempty"`
}

// Judgment is the verdict of one trial with its reasons. A pass has reasons too: what held.
type Judgment struct {
	Verdict Verdict  `json:"verdict"`
	Reasons []Reason `json:"reasons"`
}
