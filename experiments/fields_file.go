package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/contracts"
)

// Values that several fields share.
var (
	signals   = []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"}
	policies  = []string{"never", "on-failure", "always"}
	servers   = []string{"postgres", "redis", "clickhouse", "nats"}
	protocols = []string{
		"tcp", "postgres", "redis", "http", "websocket", "grpc", "mysql", "clickhouse", "nats", "kafka", "amqp", "mongodb",
	}
)

// fileSections are the file, the service, the dependencies and the experiments.
func fileSections() []section {
	return []section{fileSection(), serviceSection(), renderedFileSection(), readySection(), stopSection(), restartSection(),
		dependencySection(), experimentSection(), injectionSection()}
}

func fileSection() section {
	return section{
		name: "file", title: "the file", of: reflect.TypeFor[File](),
		doc: "One file describes one service, what it depends on, and the experiments. Keys that begin with `x-` are ignored: " +
			"keep YAML anchors there.",
		fields: []entry{
			{name: "version", def: required, min: bounds(1), max: bounds(1), doc: "Version of the language.", example: "1"},
			{name: "seed", def: "(1)", doc: "Decides every random choice of a run. `--seed` wins over it.", example: "42"},
			{name: "parallel", def: "(from cores and from how long trials wait)", min: bounds(0), max: bounds(1024),
				doc: "How many trials run side by side. `--parallel` wins over it. Those whose `service.ready` is at one port that the file names run one " +
					"after the other: `${port.NAME}` is another one in each.", example: "4"},
			{name: "vars", doc: "Values of `${var.NAME}`; `--var NAME=VALUE` wins over them.", example: "{image: v1}"},
			{name: "secrets", doc: "Names of environment variables, of vars or of keys of `service.env` whose values are masked in every log and report.",
				example: "[DATABASE_PASSWORD]"},
			{name: "service", def: required, doc: "The process under test.", example: "{command: [./app], ready: {log: listening}}"},
			{name: "dependencies", doc: "What the service needs, by name. Each gets a proxy of its own.",
				example: `{postgres: {upstream: "127.0.0.1:5432"}}`},
			{name: "phases", doc: "The startup phases in their order: a mapping (one regular expression names them all) or a list.",
				example: `{pattern: 'PHASE (?P<phase>\w+)', order: [init, database]}`},
			{name: "readiness", doc: "Proofs of capability: what `ready` must mean.",
				example: `[{name: a user is answered, http: {url: "http://127.0.0.1:${port.http}/user"}}]`},
			{name: "traffic", doc: "Production-like use of the service, from its claim to be ready or from the start, and what is asked of it then.",
				example: "{users: 10, for: 5s, sla: {p95: 300ms, errors: 0}}"},
			{name: "contracts", doc: "Named expectations for use under `expect`.", example: "{fails-fast: {fail_fast: {within: 5s}}}"},
			{name: "invariants", doc: "What must hold in every trial: a list of names and one-key mappings, or one mapping.",
				example: "[phase_order, {retry: {max_rate: 20/s}}]", kind: "invariants"},
			{name: "orchestrator", doc: "Who starts the service in production, for `survives_orchestrator`.",
				example: "{kubernetes: {startupProbe: {periodSeconds: 10, failureThreshold: 6}}}"},
			{name: "experiments", def: required, doc: "What is tried and what is expected.",
				example: "[{name: no database, inject: [{on: postgres, fault: refuse}], expect: fail_fast}]"},
			{name: "checklist", doc: "The validations that the service must pass before it may serve, and what shows each: see `--gate`.",
				example: "[{name: a user is answered, covered_by: [a cold start serves the user]}]"},
		},
	}
}

func serviceSection() section {
	return section{
		name: "service", title: "the service", of: reflect.TypeFor[Service](),
		doc: "The process under test. Under an experiment, `service` is laid over this one: only what it names changes, `env` and `files` key by " +
			"key, and a key with no value (`~`) is removed.",
		fields: []entry{
			{name: "name", def: "(the command's file name)", doc: "Its name in reports.", example: "smd"},
			{name: "build", format: formatArgv, doc: "Command run once per run, before the first trial. `${bin}` is a folder for what it makes.",
				example: "[go, build, -o, '${bin}/smd', ./examples/smd]"},
			{name: "command", def: required, format: formatArgv,
				doc: "Its argv: a list, or text that is split like a shell would, without a shell.", example: "['${bin}/smd', --serve, during]"},
			{name: "dir", def: ".", doc: "Its working directory, relative to the file.", example: "."},
			{name: "env", doc: "Environment variables, added to the inherited ones.",
				example: `{DATABASE_URL: "postgres://app@${postgres}/app", PORT: "${port.http}"}`},
			{name: "inherit", def: "[PATH, HOME, LANG, TZ, TMPDIR]", doc: "Names of the caller's variables that the service gets; nothing else is inherited.",
				example: "[PATH, HOME]"},
			{name: "files", doc: "Files rendered for each trial into its own folder. `${file.NAME}` is the path.",
				example: "{config: {template: conf/app.yml.tmpl}}"},
			{name: "ready", def: required, doc: "The service's own claim to be ready: any probe. Without one no control trial could pass. Somebody who listens at its address " +
				"before the service is started makes the trial an error.",
				example: `{http: {url: "http://127.0.0.1:${port.http}/ready", status: 200}}`},
			{name: "budget", def: "30s", doc: "Neither ready nor gone after this: the outcome is `hung`.", example: "20s"},
			{name: "stop", doc: "How it is asked to stop.", example: "{signal: SIGINT, grace: 2s}"},
			{name: "restart", doc: "The restart policy that the runner plays, as an orchestrator would.", example: "{policy: on-failure, max: 3}"},
			{name: "interpose", def: "address", enum: []string{"address", "connect"},
				doc:     "How traffic gets to the proxies: `address`, the service is given their addresses (`${DEP}`); `connect`, its connect calls are redirected.",
				example: "connect"},
			{name: "replicas", def: "1", min: bounds(1), max: bounds(contracts.MaxReplicas),
				doc: "How many instances are started side by side, against the same dependencies and faults, each with its own ports, files and folder " +
					"(`${replica}` is its number, from 1). Each is judged; the worst counts. A fault `during` a phase is on from the first that begins it until " +
					"the last has left it.", example: "3"},
		},
	}
}

func renderedFileSection() section {
	return section{
		name: "service.files", title: "a file of the service", of: reflect.TypeFor[RenderedFile](),
		doc: "Exactly one of `template` and `content`. Variables in the text are replaced.",
		fields: []entry{
			{name: "template", doc: "Path of a file with `${...}` in it, relative to the experiments file.", example: "conf/app.yml.tmpl"},
			{name: "content", doc: "The text itself.", example: `"redis: ${redis}\n"`},
		},
	}
}

func readySection() section {
	return section{
		name: "service.ready", title: "the ready probe", of: reflect.TypeFor[Ready](),
		doc: "Any probe, and how the service says that it is degraded.",
		fields: []entry{
			{name: "degraded", def: "(a JSON body whose `status` is \"degraded\")", format: formatRegexp,
				doc: "Matches the answer (or log line) of a service that is ready but says it is degraded.", example: `'"status": *"degraded"'`},
		},
	}
}

func stopSection() section {
	return section{
		name: "service.stop", title: "the stop of a service", of: reflect.TypeFor[Stop](),
		doc: "After the grace the whole process group gets SIGKILL.",
		fields: []entry{
			{name: "signal", def: "SIGTERM", enum: signals, doc: "Asks the service to stop.", example: "SIGINT"},
			{name: "grace", def: "5s", doc: "How long it may take.", example: "2s"},
		},
	}
}

func restartSection() section {
	return section{
		name: "service.restart", title: "the restart policy", of: reflect.TypeFor[Restart](),
		doc: "What an orchestrator would do when the service exits.",
		fields: []entry{
			{name: "policy", def: "never", enum: policies, doc: "When it is started again.", example: "on-failure"},
			{name: "max", def: "5", min: bounds(0), max: bounds(1000), doc: "How often at most.", example: "3"},
			{name: "backoff", def: "100ms", doc: "Before the first restart; doubled each time.", example: "50ms"},
			{name: "max_backoff", def: "5s", doc: "The backoff grows no further.", example: "1s"},
		},
	}
}

func dependencySection() section {
	return section{
		name: "dependency", title: "a dependency", of: reflect.TypeFor[Dependency](),
		doc: "Something the service needs. Exactly one of `upstream`, `command` and `server`.",
		fields: []entry{
			{name: "protocol", def: "(tcp, or the server's own)", enum: protocols, doc: "What is spoken, for faults that speak it too.", example: "postgres"},
			{name: "names", doc: "Host names under which the service knows it, whatever its port: a resolver of chaos answers them with an address that leads to its " +
				"proxy. Needed by the fault `dns`; `chaos doctor` says whether names can be answered here.", example: "[postgres.internal, db]"},
			{name: "upstream", format: formatAddress, doc: "Address of one that exists.", example: "127.0.0.1:5432"},
			{name: "command", format: formatArgv, doc: "One that the runner starts for the suite. `${dep.port}` is the port it must listen on.",
				example: "[redis-server, --port, '${dep.port}']"},
			{name: "env", doc: "Environment variables of `command`.", example: "{TZ: UTC}"},
			{name: "ready", def: "(a TCP connect to its address)", doc: "When a dependency counts as up.",
				example: `{redis: {address: "127.0.0.1:${dep.port}"}}`},
			{name: "server", enum: servers, doc: "A throwaway one: the installed server if there is one, otherwise an in-process stand-in; the report says which.",
				example: "postgres"},
			{name: "required", def: "true", doc: "`false`: the service may be ready without it.", example: "false"},
			{name: "listen", def: `"127.0.0.1:0"`, format: formatAddress,
				doc: "Address of its proxy. A fixed port makes trials run one after the other.", example: "127.0.0.1:15432"},
		},
	}
}

func experimentSection() section {
	return section{
		name: "experiment", title: "an experiment", of: reflect.TypeFor[Experiment](),
		doc: "What is injected and what is expected. Without `inject` it is a plain trial.",
		fields: []entry{
			{name: "name", def: required, doc: "Its name; no two are the same.", example: "postgres is down"},
			{name: "description", doc: "Why it is there, for readers.", example: "incident of 3 May"},
			{name: "service", doc: "Laid over the file's `service`: only what it names changes.", example: "{env: {SERVE: before}}"},
			{name: "matrix", doc: "Values by axis: the experiment is run for every combination. `${axis}` is the value, of any type.",
				example: "{dep: [postgres, redis], fault: [refuse, {latency: 3s}]}"},
			{name: "traffic", doc: "Laid over the file's `traffic`: only what it names changes; no value (`~`): none.", example: "{stampede: 50}"},
			{name: "inject", doc: "The faults.", example: "[{on: postgres, during: database, fault: refuse}]"},
			{name: "stop", doc: "Asks the service to stop in the middle of its start.", example: "{during: database}"},
			{name: "then_restart", doc: "Starts it once more afterwards, with no fault on, against the same state: it must become ready.", example: "{within: 15s}",
				kind: "true or experiment.then_restart"},
			{name: "expect", def: required, doc: "What the service should do.", example: "{fail_fast: {within: 5s}}"},
			{name: "invariants", doc: "Added to the file's.", example: "[{log_never: panic}]", kind: "invariants"},
			{name: "repeat", def: "1", min: bounds(1), max: bounds(10000),
				doc: "How often each cell is run. Trials that disagree make it unstable.", example: "5"},
			{name: "allow_unstable", def: "false", doc: "An unstable experiment does not fail the run.", example: "true"},
		},
	}
}

func injectionSection() section {
	return section{
		name: "injection", title: "an injection", of: reflect.TypeFor[Injection](),
		doc: "One fault on one dependency (or on each of several) for a while. Without `during` and `from` it is on from the start.",
		fields: []entry{
			{name: "on", def: required, doc: "The dependency, or a list of them.", example: "postgres", kind: "text or list of text"},
			{name: "fault", def: required, doc: "The fault.", example: "{latency: {delay: 2s, jitter: 500ms}}"},
			{name: "during", doc: "From the begin of this phase to its end.", example: "database"},
			{name: "from", def: "start", doc: "The moment it comes on.", example: "{connect: postgres, nth: 2}"},
			{name: "when", doc: "Another word for `from`.", example: "{sends: ALTER TABLE}", kind: "moment"},
			{name: "until", def: "(the end of the trial)", doc: "The moment it is lifted.", example: "ready"},
			{name: "after", def: "0s", doc: "Offset to the moment it comes on.", example: "200ms"},
			{name: "for", def: "(not by time)", doc: "How long it is on.", example: "3s"},
			{name: "connections", def: "(all)", min: bounds(0), max: bounds(1_000_000), doc: "Only the first N that meet it.", example: "2"},
			{name: "toxicity", def: "1", min: bounds(0), max: bounds(1), doc: "Seeded share of the connections that meet it, above 0.", example: "0.3"},
		},
	}
}
