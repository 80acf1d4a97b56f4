package expressions

// Type is the type of a field in CEL's words.
type Type string

// The types of fields.
const (
	Double Type = "double" // times are milliseconds since the start of the service
	Int    Type = "int"
	String Type = "string"
	Bool   Type = "bool"
	Times  Type = "list(double)"
	Counts Type = "map(string, int)"
)

// Field is something that is known of an object. Absent says why it may have no value; "" when it always has one.
type Field struct {
	Name    string
	Type    Type
	Unit    string
	Doc     string
	Example string
	Absent  string
}

// Kind is a kind of object and how an expression gets at one: by a Variable, and by a Function that takes its name from a List.
type Kind struct {
	Name     string // of the type: "dependency"
	Doc      string
	Variable string // the variable that is one: "trial"; "" when there are several
	List     string // the variable that lists all: "dependencies"; ""
	Function string // the function that returns one by name: "dependency"; ""
	Fields   []Field
}

// Vocabulary is all that an expression may speak of, in the order of the documentation.
func Vocabulary() []Kind {
	return []Kind{trialKind(), dependencyKind(), phaseKind(), faultKind(), proofKind(), processKind(), trafficKind(), trafficStepKind()}
}

func trialKind() Kind {
	return Kind{
		Name: "trial", Variable: "trial", Doc: "What the service did, from its start until observation ended.",
		Fields: []Field{
			{Name: "outcome", Type: String, Doc: "What it came to: ready, degraded, exited, hung, false_ready, restarting or unknown.",
				Example: `trial.outcome in ["ready", "degraded"]`},
			{Name: "ready_ms", Type: Double, Unit: "ms", Doc: "When it claimed to be ready, if that claim stood at the end.",
				Example: "trial.ready_ms < 30000", Absent: "it was not ready at the end"},
			{Name: "false_ready_ms", Type: Double, Unit: "ms", Doc: "For how long it claimed to be ready while a proof failed.",
				Example: "!has(trial.false_ready_ms)", Absent: "it never claimed to be ready while it was not"},
			{Name: "exited_ms", Type: Double, Unit: "ms", Doc: "When it ended by itself, the last time.",
				Example: "!has(trial.exited_ms) || trial.exited_ms < 5000", Absent: "it did not end by itself"},
			{Name: "exit_code", Type: Int, Doc: "The code with which it ended by itself, the last time.",
				Example: "!has(trial.exit_code) || trial.exit_code == 3", Absent: "it did not exit by itself"},
			{Name: "signal", Type: String, Doc: "The signal that ended it before it was asked to stop.", Example: "!has(trial.signal)",
				Absent: "no signal ended it"},
			{Name: "restarts", Type: Int, Doc: "How often it was started again.", Example: "trial.restarts == 0"},
			{Name: "ended_ms", Type: Double, Unit: "ms", Doc: "When observation ended.", Example: "trial.ended_ms < 60000"},
			{Name: "stop_ms", Type: Double, Unit: "ms", Doc: "How long it took to end after the stop signal.",
				Example: "!has(trial.stop_ms) || trial.stop_ms < 2000", Absent: "it was never asked to stop, or did not"},
			{Name: "budget_ms", Type: Double, Unit: "ms", Doc: "Its budget: `service.budget`.", Example: "trial.ready_ms < 0.5 * trial.budget_ms"},
			{Name: "control", Type: Bool, Doc: "Nothing was injected: it is a control trial.", Example: "trial.control || trial.restarts > 0"},
		},
	}
}

// ofAll says why a replica lacks a figure.
const ofAll = "of one of several replicas it is not known"

func dependencyKind() Kind {
	return Kind{
		Name: "dependency", List: "dependencies", Function: "dependency", Doc: "A dependency as the service used it, until observation ended.",
		Fields: append([]Field{
			{Name: "name", Type: String, Doc: "Its name in the file.", Example: `dependencies.all(d, d.name == "redis" || d.open_at_end < 10)`},
			{Name: "required", Type: Bool, Doc: "The service may not be ready without it.", Example: "dependencies.exists(d, d.required)"},
			{Name: "attempts", Type: Int, Doc: "Connections that the service tried to open, the refused ones too, and those that proofs, load and its ready probe made it open.",
				Example: `dependency("postgres").attempts <= 12`, Absent: "attempts could not be counted here: there is no connect interceptor"},
			{Name: "own_attempts", Type: Int, Doc: "Attempts that it certainly made by itself: while chaos asked nothing of it, or many for one request.",
				Example: `dependency("postgres").own_attempts <= 12`, Absent: "attempts could not be counted here: there is no connect interceptor"},
			{Name: "refused", Type: Int, Doc: "Attempts that a fault refused.", Example: `dependency("postgres").refused <= 5`,
				Absent: "refused attempts could not be counted here: there is no connect interceptor"},
			{Name: "accepted", Type: Int, Doc: "Connections that its proxy accepted.", Example: `dependency("redis").accepted >= 1`, Absent: ofAll},
			{Name: "open_at_end", Type: Int, Doc: "Connections that were open when observation ended.", Example: `dependency("redis").open_at_end <= 10`, Absent: ofAll},
			{Name: "bytes_up", Type: Int, Unit: "bytes", Doc: "What the service sent.", Example: `dependency("redis").bytes_up > 0`, Absent: ofAll},
			{Name: "bytes_down", Type: Int, Unit: "bytes", Doc: "What it was answered.", Example: `dependency("redis").bytes_down < 1000000`, Absent: ofAll},
			{Name: "attempt_ms", Type: Times, Unit: "ms", Doc: "When it tried; at most the first 1000.", Example: `size(dependency("postgres").attempt_ms) <= 12`,
				Absent: "no attempt was seen"},
			{Name: "first_attempt_ms", Type: Double, Unit: "ms", Doc: "When it first tried.", Example: `dependency("redis").first_attempt_ms > 100.0`,
				Absent: "no attempt was seen"},
			{Name: "last_attempt_ms", Type: Double, Unit: "ms", Doc: "When it last tried.", Example: `dependency("redis").last_attempt_ms < 20000`,
				Absent: "no attempt was seen"},
		}, retryFields()...),
	}
}

func phaseKind() Kind {
	return Kind{
		Name: "phase", List: "phases", Function: "phase",
		Doc: "A phase of the startup. `phases` lists those that began, in their order; `phase(NAME)` is that phase, the last time it began.",
		Fields: []Field{
			{Name: "name", Type: String, Doc: "Its name.", Example: `phases.exists(p, p.name == "cache")`},
			{Name: "begin_ms", Type: Double, Unit: "ms", Doc: "When it began.", Example: `has(phase("cache").begin_ms)`, Absent: "it never began"},
			{Name: "end_ms", Type: Double, Unit: "ms", Doc: "When it ended.", Example: `phase("database").end_ms < 5000`, Absent: "it never ended"},
			{Name: "took_ms", Type: Double, Unit: "ms", Doc: "How long it took.", Example: "phases.all(p, !has(p.took_ms) || p.took_ms < 5000)",
				Absent: "it never ended"},
			{Name: "exact", Type: Bool, Doc: "Its moments were seen, not polled.", Example: `phase("database").exact`, Absent: "it never began"},
		},
	}
}

func faultKind() Kind {
	return Kind{
		Name: "fault", List: "faults", Doc: "A fault under `inject`, in that order: `faults[0]` is the first.",
		Fields: []Field{
			{Name: "on", Type: String, Doc: "Its dependency.", Example: `faults.all(f, f.on != "redis")`},
			{Name: "kind", Type: String, Doc: "Its kind: refuse, latency, ...", Example: `faults[0].kind == "refuse"`},
			{Name: "armed_ms", Type: Double, Unit: "ms", Doc: "When it came on.", Example: "faults[0].armed_ms < 1000", Absent: "it never came on"},
			{Name: "first_bite_ms", Type: Double, Unit: "ms", Doc: "When it met its first connection or byte.",
				Example: "trial.exited_ms - faults[0].first_bite_ms < 5000", Absent: "it met nothing"},
			{Name: "lifted_ms", Type: Double, Unit: "ms", Doc: "When it went off before the end of observation.",
				Example: "trial.ready_ms - faults[0].lifted_ms < 2000", Absent: "it was on until the end"},
			{Name: "connections_hit", Type: Int, Doc: "Connections that it met.", Example: "faults[0].connections_hit <= 5"},
			{Name: "bytes_hit", Type: Int, Unit: "bytes", Doc: "Bytes that it met.", Example: "faults[0].bytes_hit > 0"},
		},
	}
}

func proofKind() Kind {
	return Kind{
		Name: "proof", List: "proofs", Function: "proof", Doc: "A proof under `readiness`: its last attempt.",
		Fields: []Field{
			{Name: "name", Type: String, Doc: "Its name.", Example: `proofs.all(p, p.name != "" )`},
			{Name: "ok", Type: Bool, Doc: "It held.", Example: `proof("a thread is stored").ok`, Absent: "it was never tried"},
			{Name: "at_ms", Type: Double, Unit: "ms", Doc: "When that attempt ended.", Example: `proof("a thread is stored").at_ms < 10000`,
				Absent: "it was never tried"},
			{Name: "error", Type: String, Doc: "Why it did not hold.", Example: `!proof("a thread is stored").error.contains("timeout")`,
				Absent: "it held, or was never tried"},
			{Name: "excused", Type: String, Doc: "The optional dependency that excuses its failure.", Example: "proofs.all(p, !has(p.excused))",
				Absent: "nothing excuses it, or nothing had to"},
		},
	}
}

// processKind lists what the runner measures of the process; what was not measured here has no value.
func processKind() Kind {
	const absent = "it was not measured here, or the service was gone"
	measured := func(name, unit, doc, example string) Field {
		f := Field{Name: name, Type: Int, Unit: unit, Doc: doc, Example: example, Absent: absent}
		if unit == "ms" {
			f.Type = Double
		}
		return f
	}
	return Kind{
		Name: "process", Variable: "process", Doc: "The service's process.",
		Fields: []Field{
			measured("max_rss_bytes", "bytes", "The most memory that it held.", "process.max_rss_bytes < 200e6"),
			measured("rss_bytes", "bytes", "The memory that it held when observation ended.", "process.rss_bytes < 100e6"),
			measured("cpu_ms", "ms", "The CPU time that it used.", "process.cpu_ms < 5000"),
			measured("fds", "", "Descriptors that were open when observation ended.", "process.fds < 200"),
			measured("threads", "", "Threads when observation ended.", "process.threads < 50"),
			measured("children", "", "Child processes when observation ended.", "process.children == 0"),
			measured("files", "", "Files that were open when observation ended.", "process.files < 100"),
			measured("sockets_accepted", "", "Connections of its clients that were open when observation ended.", "process.sockets_accepted < 50"),
			measured("sockets_listening", "", "Sockets on which it listened when observation ended.", "process.sockets_listening == 1"),
		},
	}
}

// kindNamed returns a kind of the vocabulary.
func kindNamed(name string) (Kind, bool) {
	for _, k := range Vocabulary() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

func (k Kind) field(name string) (Field, bool) {
	for _, f := range k.Fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}
