package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
)

// coverKinds are the fields of a cover of which exactly one is set.
var coverKinds = []string{"experiment", "proof", "contract", "invariant"}

// coverHook reads a name, or a mapping that says of what it is the name.
func coverHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	switch {
	case n.Kind == yaml.MappingNode:
		d.structure(n, v, path)
		exactlyOne(d, n, shapes()[v.Type()], coverKinds...)
	case n.Kind == yaml.ScalarNode && !isNull(n) && n.Value != "":
		v.Addr().Interface().(*Cover).Any = n.Value
	default:
		d.add(n, "a cover is a name, not "+describe(n), "the name of an experiment, a proof, a contract or an invariant, or /regexp/", "")
	}
}

// names are what a cover can name in the file, by kind.
type names map[contracts.CoverKind][]string

// validateChecklist resolves what covers each item. It comes last: it needs to know everything else of the file.
func (l *loader) validateChecklist() {
	if len(l.f.Checklist) == 0 {
		return
	}
	known := l.coverable()
	lines := map[string]int{}
	for i := range l.f.Checklist {
		item := &l.f.Checklist[i]
		at := fmt.Sprintf("checklist[%d]", i)
		node := l.d.at(at + ".name")
		switch first, twice := lines[item.Name]; {
		case item.Name == "" && l.d.has(at+".name"):
			l.d.addFirst(node, "the name is empty", "what is validated, in one line", "")
		case strings.ContainsFunc(item.Name, func(r rune) bool { return r < ' ' }):
			l.d.add(node, "the name has line breaks or control characters", "one line of text", "")
		case twice && item.Name != "":
			l.d.add(node, fmt.Sprintf("the item %q is there twice, first on line %d", item.Name, first), "a name of its own for each", "")
		case node != nil:
			lines[item.Name] = node.Line
		}
		for k, c := range item.CoveredBy {
			for _, cover := range l.cover(fmt.Sprintf("%s.covered_by[%d]", at, k), c, known) {
				if !slices.Contains(item.Covers, cover) {
					item.Covers = append(item.Covers, cover)
				}
			}
		}
	}
}

// coverable lists what can be named. A contract that no experiment demands shows nothing, so it is left out, as is an invariant that no
// trial checks.
func (l *loader) coverable() names {
	known := names{}
	demanded, checked, loads := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, name := range l.f.Invariants.Names() {
		checked[name] = true
	}
	for _, e := range l.f.Experiments {
		known[contracts.CoverExperiment] = append(known[contracts.CoverExperiment], e.Name)
		for _, c := range e.all() {
			for name := range l.f.Contracts {
				demanded[name] = demanded[name] || c.experiment.Expect.Demands(name)
			}
			for _, rule := range l.f.trafficOf(c.experiment).spec().Rules() {
				loads[rule] = true
			}
			if c.experiment.Invariants != nil {
				for _, name := range c.experiment.Invariants.Names() {
					checked[name] = true
				}
			}
		}
	}
	for _, p := range l.f.Readiness {
		known[contracts.CoverProof] = append(known[contracts.CoverProof], p.Name)
	}
	for _, name := range sortedKeys(demanded) {
		if demanded[name] {
			known[contracts.CoverContract] = append(known[contracts.CoverContract], name)
		}
	}
	known[contracts.CoverInvariant], known[contracts.CoverTraffic] = sortedKeys(checked), sortedKeys(loads)
	return known
}

// cover resolves one entry of covered_by, or reports that it names nothing.
func (l *loader) cover(at string, c Cover, known names) []contracts.Cover {
	for i, name := range []string{c.Experiment, c.Proof, c.Contract, c.Invariant} {
		if name == "" {
			continue
		}
		kind := contracts.CoverKind(coverKinds[i])
		if kind == contracts.CoverExperiment && isPattern(name) {
			return l.coverPattern(at+".experiment", name, known)
		}
		if !slices.Contains(known[kind], name) {
			l.namesNothing(at+"."+coverKinds[i], name, coverKinds[i], known[kind])
			return nil
		}
		return []contracts.Cover{{Kind: kind, Name: name}}
	}
	switch {
	case c.Any == "" || hasVariable(c.Any): // reported already
		return nil
	case isPattern(c.Any):
		return l.coverPattern(at, c.Any, known)
	}
	return l.coverNamed(at, c.Any, known)
}

// coverNamed finds the one thing of that name.
func (l *loader) coverNamed(at, name string, known names) []contracts.Cover {
	var found []contracts.Cover
	var all, ways []string
	for _, kind := range append(slices.Clone(coverKinds), string(contracts.CoverTraffic)) {
		k := contracts.CoverKind(kind)
		all = append(all, known[k]...)
		if slices.Contains(known[k], name) {
			found, ways = append(found, contracts.Cover{Kind: k, Name: name}), append(ways, "{"+kind+": "+name+"}")
		}
	}
	switch len(found) {
	case 0:
		l.namesNothing(at, name, "experiment, proof, contract or invariant", all)
	case 1:
	default:
		l.d.add(l.d.at(at), fmt.Sprintf("%q is the name of several things", name), strings.Join(ways, " or "), "")
		return nil
	}
	return found
}

// namesNothing reports a name that nothing has, and says more where it exists and shows nothing.
func (l *loader) namesNothing(at, name, kinds string, known []string) {
	expected, suggest := "the name of an experiment, a proof, a contract or an invariant of this file, /regexp/, or traffic", didYouMean(name, known)
	text := fmt.Sprintf("%q names no %s of this file", name, kinds)
	_, declared := l.f.Contracts[name]
	_, invariant := shapes()[reflect.TypeFor[contracts.Invariants]()].field(name)
	switch {
	case slices.Contains((&contracts.Traffic{FromStart: true}).Rules(), name):
		text = fmt.Sprintf("no experiment of this file has the load that `%s` judges, so nothing shows it", name)
		expected, suggest = "`traffic` in the file, for early_traffic with `from: start`", ""
	case declared && strings.Contains(kinds, "contract"):
		text = fmt.Sprintf("no experiment expects the contract `%s`, so nothing shows it", name)
		expected, suggest = "a contract that an experiment expects, and not only as one of any_of", ""
	case invariant && strings.Contains(kinds, "invariant"):
		text = fmt.Sprintf("the invariant `%s` is not checked by this file, so nothing shows it", name)
		expected, suggest = "an invariant that is under `invariants`", "add it under `invariants`"
	case kinds == "proof" || kinds == "contract" || kinds == "invariant":
		expected = "the name of a " + kinds + " of this file"
		if kinds == "invariant" {
			expected = oneOf(known)
		}
	}
	l.d.add(l.d.at(at), text, expected, suggest)
}

func isPattern(name string) bool {
	return len(name) > 2 && strings.HasPrefix(name, "/") && strings.HasSuffix(name, "/")
}

// coverPattern finds the experiments whose names match.
func (l *loader) coverPattern(at, pattern string, known names) []contracts.Cover {
	re, problem := compile(pattern[1 : len(pattern)-1])
	if problem != "" {
		l.d.add(l.d.at(at), problem, "", "")
		return nil
	}
	var out []contracts.Cover
	for _, name := range known[contracts.CoverExperiment] {
		if re.MatchString(name) {
			out = append(out, contracts.Cover{Kind: contracts.CoverExperiment, Name: name})
		}
	}
	if len(out) == 0 {
		l.d.add(l.d.at(at), fmt.Sprintf("%s matches the name of no experiment of this file", pattern), "a regular expression on names of experiments", "")
	}
	return out
}
