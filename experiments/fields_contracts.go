package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/contracts"
)

// contractSections are the expectations and the invariants.
func contractSections() []section {
	return []section{expectationSection(), exprSection(), failFastSection(), giveUpSection(), recoverSection(), tolerateSection(), degradeSection(),
		waitSection(), invariantsSection(), stopsSection(), retrySection(), leakedSection(),
		lateSection()}
}

func expectationSection() section {
	return section{
		name: "expectation", title: "an expectation", of: reflect.TypeFor[contracts.Expectation](),
		doc: "A name (of a contract under `contracts`, or of one of these with its defaults), a list (all of them), or a mapping with exactly one of " +
			"these. The names `fails-fast`, `gives-up`, `recovers`, `tolerates`, `degrades`, `waits` and `stops` stand for the defaults unless the file says otherwise.",
		fields: []entry{
			{name: "fail_fast", doc: "It exits by itself, soon after the fault's first bite, and is never ready in between.",
				example: "{within: 5s, exit_code: nonzero, log: '(?i)postgres'}"},
			{name: "give_up", doc: "As fail_fast, but not before `after`: a bounded retry.", example: "{after: 2s, within: 15s}"},
			{name: "recover", doc: "It is ready, with every proof, soon after the lift.", example: "{within: 10s}"},
			{name: "tolerate", doc: "It is ready while the fault is still on.", example: "{within: 8s}"},
			{name: "degrade", doc: "It is ready without the optional dependency and says that it is degraded.", example: "{within: 10s}"},
			{name: "stop", doc: "It ends by itself when the experiment asks it to (see `stop` of an experiment).", example: "{within: 2s}"},
			{name: "wait", doc: "It is neither ready nor gone while the fault is on.", example: "{}"},
			{name: "readiness", enum: []string{"all"}, doc: "It is ready and every proof holds.", example: "all"},
			{name: "expr", kind: "expression", doc: "An expression in CEL over what was seen of the trial is true: docs/expr.md.",
				example: `'trial.ready_ms < 30000 && dependency("postgres").attempts <= 12'`},
			{name: "message", doc: "Beside `expr`: what it means that it is not true.", example: "starts slowly, or hammers the database"},
			{name: "survives_orchestrator", doc: "It becomes ready, and the `orchestrator` of the file would not have killed it before.", example: "{}"},
			{name: "any_of", doc: "At least one of these holds.", example: "[fail_fast, recover]"},
			{name: "all_of", doc: "All of these hold. A list under `expect` means the same.", example: "[recover, {readiness: all}]"},
		},
	}
}

func failFastSection() section {
	return section{
		name: "expectation.fail_fast", title: "fail_fast", of: reflect.TypeFor[contracts.FailFast](),
		doc: "No later phase may begin. Time counts from the fault's first bite.",
		fields: []entry{
			{name: "within", def: "10s", doc: "It is gone after this.", example: "5s"},
			{name: "exit_code", def: "nonzero", doc: "`nonzero`, `any` or a number from 0 to 255.", example: "3"},
			{name: "log", format: formatRegexp, doc: "A log line that names the cause.", example: "'(?i)postgres'"},
		},
	}
}

func giveUpSection() section {
	return section{
		name: "expectation.give_up", title: "give_up", of: reflect.TypeFor[contracts.GiveUp](),
		doc: "Time counts from the fault's first bite.",
		fields: []entry{
			{name: "after", def: "1s", doc: "It tries for at least this long.", example: "2s"},
			{name: "within", def: "(after + 10s)", doc: "It is gone after this.", example: "15s"},
			{name: "exit_code", def: "nonzero", doc: "`nonzero`, `any` or a number from 0 to 255.", example: "1"},
			{name: "log", format: formatRegexp, doc: "A log line that names the cause.", example: "'giving up'"},
		},
	}
}

func recoverSection() section {
	return section{
		name: "expectation.recover", title: "recover", of: reflect.TypeFor[contracts.Recover](),
		doc: "Time counts from the lift of the last fault.",
		fields: []entry{
			{name: "within", def: "10s", doc: "It is ready after this, with every proof.", example: "5s"},
			{name: "restarts", def: "0", min: bounds(0), max: bounds(1000), doc: "How often it may have been restarted.", example: "2"},
		},
	}
}

func tolerateSection() section {
	return section{
		name: "expectation.tolerate", title: "tolerate", of: reflect.TypeFor[contracts.Tolerate](), doc: "Time counts from the start.",
		fields: []entry{{name: "within", def: "(the service's budget)", doc: "It is ready after this.", example: "8s"}},
	}
}

func degradeSection() section {
	return section{
		name: "expectation.degrade", title: "degrade", of: reflect.TypeFor[contracts.Degrade](),
		doc:    "Time counts from the start. Proofs that do not need the dependency hold.",
		fields: []entry{{name: "within", def: "(the service's budget)", doc: "It is ready after this.", example: "10s"}},
	}
}

func waitSection() section {
	return section{name: "expectation.wait", title: "wait", of: reflect.TypeFor[contracts.Wait](), doc: "It has no fields: `wait` or `wait: {}`."}
}

func invariantsSection() section {
	return section{
		name: "invariants", title: "the invariants", of: reflect.TypeFor[contracts.Invariants](),
		doc: "What must hold in every trial: a list of names and one-key mappings, or one mapping.",
		fields: []entry{
			{name: "no_false_ready", doc: "The service never claims to be ready while a proof fails.", example: "true"},
			{name: "phase_order", doc: "The phases begin in their order.", example: "true"},
			{name: "phase_budgets", doc: "No phase takes longer than its budget.", example: "true"},
			{name: "startup_budget", doc: "The service is ready or gone within its budget.", example: "true"},
			{name: "stops_on_signal", doc: "It ends by itself after the stop signal and leaves no process behind.", example: "{within: 2s}"},
			{name: "log_never", format: formatLines, doc: "No log line matches any of these regular expressions.", example: "['panic:', 'DATA RACE']"},
			{name: "retry", doc: "Bounds the attempts on each dependency, and says in which manner they are repeated.", example: "{max_attempts: 50, backoff: exponential, jitter: true}"},
			{name: "no_leaked_connections", doc: "Few connections per dependency are open at the end.", example: "{max: 10}"},
			{name: "survives_orchestrator", doc: "The `orchestrator` of the file would not have killed it before it was ready, nor given it up.", example: "true"},
			{name: "expr", kind: "expression or list of expression", doc: "An expression in CEL over what was seen of the trial is true: docs/expr.md. It may be " +
				"given several times in a list of invariants, each with a `message` beside it.", example: "'!has(trial.exit_code) || trial.exit_code == 3'"},
			{name: "no_leaked_fds", doc: "Few descriptors more than in the control trial are open at the end.", example: "{growth: 10}"},
			{name: "memory", doc: "Bounds its resident set.", example: "{max: 512MiB, growth: 64MiB}"},
			{name: "threads", doc: "Bounds its threads.", example: "{max: 100}"},
			{name: "no_orphans", doc: "No process of it outlives it, however it ended.", example: "true"},
			{name: "no_secrets_in_logs", doc: "No log line holds a value of `secrets`, of a variable of the service that is called like a password, token or key, or a " +
				"password inside a URL or connection string of its variables. A password of fewer than 6 letters, or one that is a word such as the user's name, " +
				"counts only where it stands for a password.", example: "true"},
			{name: "late_ready", doc: "It says that it is ready soon after every proof holds. With it the proofs are asked before the claim, too, from the first open port on.",
				example: "{within: 500ms}"},
		},
	}
}

func lateSection() section {
	return section{
		name: "invariants.late_ready", title: "late_ready", of: reflect.TypeFor[contracts.LateReady](),
		doc:    "Time counts from when every proof was seen to hold, until it can have claimed to be ready at the earliest.",
		fields: []entry{{name: "within", def: "500ms", doc: "It has claimed to be ready after this.", example: "2s"}},
	}
}

func stopsSection() section {
	return section{
		name: "invariants.stops_on_signal", title: "stops_on_signal", of: reflect.TypeFor[contracts.StopsOnSignal](), doc: "After the stop signal.",
		fields: []entry{{name: "within", def: "(the grace of service.stop)", doc: "It is gone after this.", example: "2s"}},
	}
}

func leakedSection() section {
	return section{
		name: "invariants.no_leaked_connections", title: "no_leaked_connections", of: reflect.TypeFor[contracts.LeakedConnections](),
		doc: "When observation ends.",
		fields: []entry{
			{name: "max", def: "10", min: bounds(0), max: bounds(1_000_000), doc: "Open connections per dependency.", example: "5"},
		},
	}
}

func exprSection() section {
	return section{
		name: "invariants.expr", title: "an expression", of: reflect.TypeFor[contracts.Expr](),
		doc: "Text, or a mapping with a message. See docs/expr.md for what an expression may speak of.",
		fields: []entry{
			{name: "expr", def: required, kind: "expression", doc: "What must be true.", example: "'trial.restarts == 0'"},
			{name: "message", doc: "What it means that it is not.", example: "it was restarted"},
		},
	}
}
