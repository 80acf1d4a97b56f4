package experiments

import "reflect"

// checklistSections are the checklist's items and what covers one.
func checklistSections() []section {
	return []section{checklistSection(), coverSection()}
}

func checklistSection() section {
	return section{
		name: "checklist", title: "an item of the checklist", of: reflect.TypeFor[ChecklistItem](),
		doc: "One validation that the service must pass before it may serve. `chaos run --gate` prints them all and blocks on one that failed or is " +
			"not covered; docs/checklist.md tells when an item passes, and `chaos init --checklist` writes a first list.",
		fields: []entry{
			{name: "name", def: required, doc: "What is validated, in one line.", example: "a real user message is answered end to end"},
			{name: "why", doc: "Why it is on the list, for whoever reads the report.", example: "health checks passed while every chat was broken"},
			{name: "covered_by", format: formatLines, kind: "cover or list of cover",
				doc:     "What shows it, and all of it must: names of experiments, `/regexp/` for several experiments, proofs, contracts, invariants, `traffic`, `early_traffic`. Nothing: it is not covered.",
				example: "[a cold start serves the user, '/^redis /', no_false_ready]"},
			{name: "required", def: "true", doc: "`false`: it is told, and never blocks.", example: "false"},
			{name: "tags", doc: "Words to group items by in reports.", example: "[chat, e2e]"},
		},
	}
}

func coverSection() section {
	return section{
		name: "checklist.covered_by", title: "a cover", of: reflect.TypeFor[Cover](),
		doc: "A bare name is of whatever has it: an experiment, a proof, a contract or an invariant. Where two have the same name, say which with " +
			"exactly one of these.",
		fields: []entry{
			{name: "experiment", doc: "The name of an experiment, or `/regexp/` for every one whose name matches. All their trials pass.", example: "'/^redis /'"},
			{name: "proof", doc: "The name of a proof under `readiness`. It held, and no trial failed because of it.", example: "a thread is stored"},
			{name: "contract", doc: "A name under `contracts`. Every experiment that expects it passes; an alternative under `any_of` is no such.",
				example: "fails-fast"},
			{name: "invariant", doc: "An invariant that the file checks. It held in every trial that checks it.", example: "no_false_ready"},
		},
	}
}
