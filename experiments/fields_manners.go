package experiments

import (
	"reflect"

	"github.com/chaos-startup/chaos/contracts"
)

// mannersSections are what concerns the end of a start, and what a service leaves behind.
func mannersSections() []section {
	return []section{askStopSection(), thenRestartSection(), stopExpectationSection(), leakedFDsSection(), memorySection(), threadsSection()}
}

func askStopSection() section {
	return section{
		name: "experiment.stop", title: "the stop of an experiment", of: reflect.TypeFor[AskStop](),
		doc: "Asks the service to stop in the middle of its start: exactly one of `during` and `when`. The signal is sent as soon as the moment is seen, before the " +
			"service's next connection is let through; then the grace of `service.stop` runs. Faults stay on meanwhile.",
		fields: []entry{
			{name: "during", doc: "When this phase begins.", example: "database"},
			{name: "when", doc: "At this moment: `start`, `ready`, a phase, or a mapping with `connect` or `log`.", example: "ready", kind: "moment"},
			{name: "after", def: "0s", doc: "Offset to that moment.", example: "200ms"},
			{name: "signal", def: "(that of service.stop)", enum: signals, doc: "What is sent.", example: "SIGINT"},
		},
	}
}

func thenRestartSection() section {
	return section{
		name: "experiment.then_restart", title: "the second start", of: reflect.TypeFor[contracts.ThenRestart](),
		doc: "When the start under the faults is over (it exited, it was stopped, or it was watched to the end and is stopped then), every fault is lifted and the service " +
			"is started again, with the same databases, files, ports and `${dir}`: it must become ready with every proof. So a start that fails must leave " +
			"nothing behind that fails the next one. `true` means the defaults.",
		fields: []entry{{name: "within", def: "(the service's budget)", doc: "It is ready after this.", example: "15s"}},
	}
}

func stopExpectationSection() section {
	return section{
		name: "expectation.stop", title: "stop", of: reflect.TypeFor[contracts.Stop](),
		doc: "For an experiment with `stop`. Time counts from the signal.",
		fields: []entry{
			{name: "within", def: "(the grace of service.stop)", doc: "It is gone after this, by itself.", example: "2s"},
			{name: "exit_code", def: "(clean)", doc: "`clean` (0, 128 plus the signal's number such as 143, or an end by the signal itself), `nonzero`, `any` or a number " +
				"from 0 to 255.", example: "0"},
			{name: "log", format: formatRegexp, doc: "A log line that it writes while it stops.", example: "'(?i)shut'"},
		},
	}
}

func leakedFDsSection() section {
	return section{
		name: "invariants.no_leaked_fds", title: "no_leaked_fds", of: reflect.TypeFor[contracts.LeakedFDs](),
		doc: "When observation ends, for all processes of the service together. A leak is told by what it is made of: sockets to which dependency, and which of them the " +
			"other side has closed, files, pipes.",
		fields: []entry{
			{name: "growth", def: "10", min: bounds(0), max: bounds(1_000_000), doc: "How many more than at the end of the control trial; in a trial without faults, than when " +
				"it claimed to be ready.", example: "5"},
		},
	}
}

func memorySection() section {
	return section{
		name: "invariants.memory", title: "memory", of: reflect.TypeFor[contracts.Memory](),
		doc: "At least one of these. The resident sets of all processes of the service together (shared pages once for each), looked at every 250 ms, and the largest one that " +
			"the kernel remembers of a process.",
		fields: []entry{
			{name: "max", doc: "It is never larger.", example: "512MiB", kind: "size"},
			{name: "growth", doc: "How much larger it may get than in the control trial; in a trial without faults, than when it claimed to be ready.",
				example: "64MiB", kind: "size"},
		},
	}
}

func threadsSection() section {
	return section{
		name: "invariants.threads", title: "threads", of: reflect.TypeFor[contracts.Threads](),
		doc: "At least one of these, for all processes of the service together, looked at every 250 ms.",
		fields: []entry{
			{name: "max", min: bounds(1), max: bounds(1_000_000), doc: "There are never more.", example: "100"},
			{name: "growth", min: bounds(1), max: bounds(1_000_000), doc: "How many more than in the control trial; in a trial without faults, than when it claimed to be ready.",
				example: "20"},
		},
	}
}
