package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/experiments"
)

// gateable refuses a gate that could never open.
func gateable(plan *experiments.Plan, shard string) error {
	switch {
	case len(plan.File.Checklist) == 0:
		return fmt.Errorf("--gate: %s has no `checklist`: `chaos init --checklist` shows one to begin with", plan.File.Path)
	case shard != "":
		return errors.New("--gate --shard: a part of the trials can't answer for the whole list: run the gate without --shard")
	}
	return nil
}

// foretold is how many items that are not covered are named before a run.
const foretold = 3

// foretell says before a run that the gate will block, whatever the trials show.
func foretell(d deps, plan *experiments.Plan) {
	missing := 0
	for _, c := range plan.Coverage() {
		if !c.Required || c.Covered() {
			continue
		}
		if missing++; missing <= foretold {
			fmt.Fprintf(d.stderr, "gate: this run will block: %q is not covered: %s\n", plain(c.Name), coverWords(c))
		}
	}
	if missing > foretold {
		fmt.Fprintf(d.stderr, "gate: and %d more are not covered: `%s plan` shows what covers each\n", missing-foretold, d.program)
	}
}

// checklistWords is what validate says of a checklist, or "".
func checklistWords(plan *experiments.Plan) string {
	list := plan.Coverage()
	if len(list) == 0 {
		return ""
	}
	covered := 0
	var b strings.Builder
	for _, c := range list {
		if c.Covered() {
			covered++
			continue
		}
		fmt.Fprintf(&b, "  not covered%s: %s\n", optional(c), plain(c.Name))
	}
	return fmt.Sprintf("checklist: %d of %s covered\n%s", covered, number(len(list), "item"), &b)
}

func optional(c experiments.Coverage) string {
	if c.Required {
		return ""
	}
	return " (not required)"
}

// planChecklist shows what of the checklist a plan covers: one line for each item, or, with verbose, for each cover.
func planChecklist(b *strings.Builder, plan *experiments.Plan, width int, verbose bool) {
	list := plan.Coverage()
	if len(list) == 0 {
		return
	}
	name := len("CHECKLIST")
	for _, c := range list {
		name = max(name, columnsOf(plain(c.Name)))
	}
	if verbose {
		width = 1 << 20
	}
	name = min(name, (width-2)*6/10)
	line := func(left, right string) {
		b.WriteString(strings.TrimRight(cut(pad(cut(left, name), name)+"  "+right, width), " ") + "\n")
	}
	b.WriteString("\n")
	line("CHECKLIST", "COVERED BY")
	for _, c := range list {
		words := coverWords(c)
		if !c.Covered() {
			words = "NOT COVERED" + optional(c) + ": " + words
		}
		line(plain(c.Name), words)
	}
}

// coverWords says what covers an item, and how much of it the plan has.
func coverWords(c experiments.Coverage) string {
	var parts []string
	for _, s := range c.Shown {
		part := plain(s.String())
		if s.Chosen < s.Trials {
			part += fmt.Sprintf(" (%d of %s chosen)", s.Chosen, number(s.Trials, "trial"))
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "nothing is named under covered_by"
	}
	return strings.Join(parts, ", ")
}
