package experiments

import (
	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
	"github.com/chaos-startup/chaos/timeline"
)

// File is one experiments.yaml after a strict load: every default is filled in, every name is resolved, ${env.*} and ${var.*} are
// replaced. Variables that are known only when a trial starts (${postgres}, ${port.http}, ...) are still in the strings.
type File struct {
	Version      int                              `yaml:"version"`
	Seed         *uint64                          `yaml:"seed"`
	Parallel     int                              `yaml:"parallel"` // 0: chosen by the runner
	Vars         map[string]string                `yaml:"vars"`     // defaults of ${var.NAME}
	Secrets      []string                         `yaml:"secrets"`  // names of environment variables or vars whose values are masked everywhere
	Service      Service                          `yaml:"service"`
	Dependencies []Dependency                     `yaml:"dependencies"` // a mapping in the file; its order is kept
	Phases       phases.Spec                      `yaml:"phases"`
	Readiness    []Proof                          `yaml:"readiness"`
	Traffic      *Traffic                         `yaml:"traffic"` // nil: none
	Contracts    map[string]contracts.Expectation `yaml:"contracts"`
	Invariants   contracts.Invariants             `yaml:"invariants"`
	Orchestrator *Orchestrator                    `yaml:"orchestrator"` // who starts the service in production
	Experiments  []Experiment                     `yaml:"experiments"`
	Checklist    []ChecklistItem                  `yaml:"checklist"`

	Path   string   `yaml:"-"` // as given to Load
	Dir    string   `yaml:"-"` // the folder that relative paths of the file start from
	Masked []string `yaml:"-"` // the values to mask in logs and reports
	Named  []Secret `yaml:"-"` // the same with the names under `secrets`

	Warnings []Problem `yaml:"-"` // what is valid, and probably not meant
}

// Secret is a value that must not be shown, and the name that may.
type Secret struct{ Name, Value string }

// Service is the process under test.
type Service struct {
	Name      string                  `yaml:"name"`
	Build     []string                `yaml:"build"`   // argv, once per run before the first trial
	Command   []string                `yaml:"command"` // argv
	Dir       string                  `yaml:"dir"`     // relative to the file
	Env       map[string]string       `yaml:"env"`
	Inherit   []string                `yaml:"inherit"` // names of the caller's environment; default PATH, HOME, LANG, TZ, TMPDIR
	Files     map[string]RenderedFile `yaml:"files"`   // rendered per trial; path is ${file.NAME}
	Ready     *Ready                  `yaml:"ready"`   // required in a file: without a claim no control trial passes
	Budget    timeline.Duration       `yaml:"budget"`  // default 30s
	Stop      Stop                    `yaml:"stop"`
	Restart   Restart                 `yaml:"restart"`
	Interpose string                  `yaml:"interpose"` // address (default) or connect
	Replicas  int                     `yaml:"replicas"`  // instances side by side; 0 and 1: one
}

// RenderedFile is a file rendered for a trial: Template names a file, Content is the text itself. ${...} is replaced in it.
type RenderedFile struct {
	Template string `yaml:"template"`
	Content  string `yaml:"content"`
}

// Ready is the service's own claim to be ready, and how it says that it is degraded.
type Ready struct {
	probes.Spec `yaml:",inline"`
	// Degraded is a regular expression on what the ready probe answered (or the log line). Default: a JSON body whose
	// field status is "degraded".
	Degraded string `yaml:"degraded"`
}

// Stop says how the service is asked to stop.
type Stop struct {
	Signal string            `yaml:"signal"` // default SIGTERM
	Grace  timeline.Duration `yaml:"grace"`  // default 5s; then SIGKILL to the whole process group
}

// Restart is the restart policy which the runner plays.
type Restart struct {
	Policy     string            `yaml:"policy"`      // never (default), on-failure, always
	Max        int               `yaml:"max"`         // default 5
	Backoff    timeline.Duration `yaml:"backoff"`     // default 100ms, doubled each time
	MaxBackoff timeline.Duration `yaml:"max_backoff"` // default 5s
}

// Dependency is something that the service needs. Exactly one of Upstream, Command and Server is set.
type Dependency struct {
	Name     string            `yaml:"-"`
	Protocol string            `yaml:"protocol"` // tcp (default), postgres, redis, http, websocket, grpc, mysql, ...
	Names    []string          `yaml:"names"`    // under which the service knows it; lower case, without the dot at the end
	Upstream string            `yaml:"upstream"` // host:port of one that exists
	Command  []string          `yaml:"command"`  // one the runner starts for the suite; ${dep.port} is its port
	Env      map[string]string `yaml:"env"`      // of Command
	Ready    *probes.Spec      `yaml:"ready"`    // of Command or Upstream; default: a TCP connect to its address
	Server   string            `yaml:"server"`   // a throwaway one: postgres, redis, clickhouse, nats
	Required bool              `yaml:"required"` // default true
	Listen   string            `yaml:"listen"`   // default 127.0.0.1:0; a fixed port makes trials run one by one
}

// Proof is a proof of capability: what ready must mean.
type Proof struct {
	Name        string            `yaml:"name"`
	Needs       []string          `yaml:"needs"` // dependencies
	Again       timeline.Duration `yaml:"again"` // it is asked again so long after it held; 0: only after a fault was lifted; default 1s
	From        string            `yaml:"from"`  // ready (default), or start: its message is sent while the service starts
	probes.Spec `yaml:",inline"`
}

// Experiment is one named experiment: what is injected and what is expected. With a matrix, everything but Name, Description and Matrix
// is that of its first cell.
type Experiment struct {
	Name          string                 `yaml:"name"`
	Description   string                 `yaml:"description"`
	Service       *Service               `yaml:"service"` // File.Service with what the experiment changes laid over it; nil: unchanged
	Matrix        map[string][]any       `yaml:"matrix"`
	Traffic       *Traffic               `yaml:"traffic"` // File.Traffic with what the experiment changes laid over it; nil: none
	Inject        []Injection            `yaml:"inject"`
	Stop          *AskStop               `yaml:"stop"`         // asks the service to stop in the middle of it
	ThenRestart   *contracts.ThenRestart `yaml:"then_restart"` // starts it once more afterwards
	Expect        contracts.Expectation  `yaml:"expect"`
	Invariants    *contracts.Invariants  `yaml:"invariants"` // added to File.Invariants
	Repeat        int                    `yaml:"repeat"`     // default 1
	AllowUnstable bool                   `yaml:"allow_unstable"`
	Line          int                    `yaml:"-"` // where it stands in the file

	cells []cell // one without a matrix
	quiet bool   // it has no traffic, whatever the file says
}

// AskStop asks the service to stop when a phase begins, or at another moment.
type AskStop struct {
	During string            `yaml:"during"` // a phase: when it begins
	When   Trigger           `yaml:"when"`   // not by what is on the wire
	After  timeline.Duration `yaml:"after"`  // offset to that
	Signal string            `yaml:"signal"` // "": that of service.stop
}

// Injection puts one fault on one dependency for a while.
type Injection struct {
	On          string            `yaml:"on"`
	Fault       faults.Spec       `yaml:"fault"`
	During      string            `yaml:"during"`      // a phase: from its begin to its end
	From        Trigger           `yaml:"from"`        // also spelled when
	Until       *Trigger          `yaml:"until"`       // nil: not by a trigger
	After       timeline.Duration `yaml:"after"`       // offset to From
	For         timeline.Duration `yaml:"for"`         // 0: not by time
	Connections int               `yaml:"connections"` // only the first N that meet it; 0: all
	Toxicity    float64           `yaml:"toxicity"`    // share of connections, 0 < t <= 1; default 1
}

// Trigger is a moment. Exactly one field (besides Nth) is set.
type Trigger struct {
	Phase    string `yaml:"-"`        // a phase begins
	PhaseEnd string `yaml:"-"`        // a phase ends (during: sets it as Until)
	Start    bool   `yaml:"-"`        // before the service is started
	Ready    bool   `yaml:"-"`        // the service claims to be ready
	Connect  string `yaml:"connect"`  // the Nth connection to that dependency
	Nth      int    `yaml:"nth"`      // default 1
	Log      string `yaml:"log"`      // a log line matches
	Sends    string `yaml:"sends"`    // bytes that the service sends to the dependency match
	Receives string `yaml:"receives"` // bytes that the dependency answers match
}
