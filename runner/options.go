package runner

import (
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/internal/servers"
	"go.uber.org/zap"
)

// Options say how a plan is run. The zero value runs it with defaults.
type Options struct {
	Parallel  int                         // trials at a time; 0: from the cores and from how long the first control waited
	Servers   string                      // where `server:` dependencies come from: "auto" (default), "real" or "standin"
	Keep      bool                        // keep the trial folders (service logs, rendered files)
	TempDir   string                      // parent of the run's folder; "": the system's
	Guard     []string                    // argv of a guardian process which cleans up if the runner is killed; nil: none
	Journal   string                      // a file that receives each judged trial at once, so that a killed run loses nothing; "": none
	Gate      bool                        // the report's exit code answers for the checklist
	Tool      string                      // the tool's version, for the report
	Replay    func(title string) string   // the command that replays a trial, for the report; nil: none
	LookupEnv func(string) (string, bool) // the caller's environment; nil: empty
	On        func(Progress)              // told what happens; called from several goroutines, must not block; nil: nobody
	Logger    *zap.Logger                 // nil: Nop
}

// ProgressKind says what a Progress is about.
type ProgressKind string

// The kinds of progress.
const (
	Building     ProgressKind = "building"      // Text: the build command
	DependencyUp ProgressKind = "dependency_up" // Title: its name; Text: what runs
	TrialStarted ProgressKind = "trial_started"
	TrialPhase   ProgressKind = "trial_phase" // Text: the phase that began
	TrialFault   ProgressKind = "trial_fault" // Text: what became of which fault
	TrialDone    ProgressKind = "trial_done"  // Verdict, Text: the first reason
	Kept         ProgressKind = "kept"        // Text: the run's folder, which Keep leaves there
	Unkept       ProgressKind = "unkept"      // Text: why the journal does not have a trial; told once
	Finished     ProgressKind = "finished"
)

// Progress is one step of a run, for people who watch.
type Progress struct {
	Kind    ProgressKind
	Trial   int // index in the plan
	Total   int // trials in the plan
	Title   string
	Text    string
	Verdict contracts.Verdict
	Elapsed time.Duration // since the trial's start
}

func (o *Options) setDefaults() {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.On == nil {
		o.On = func(Progress) {}
	}
	if o.LookupEnv == nil {
		o.LookupEnv = func(string) (string, bool) { return "", false }
	}
	if o.Replay == nil {
		o.Replay = func(string) string { return "" }
	}
}

func (o *Options) preference() servers.Preference {
	switch o.Servers {
	case "real":
		return servers.Real
	case "standin":
		return servers.Standin
	default:
		return servers.Auto
	}
}
