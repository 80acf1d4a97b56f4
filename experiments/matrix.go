package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
)

// Bounds of the matrices: combinations of one, and values that all of them make together.
const (
	maxCells = 10_000
	maxWork  = 2_000_000
)

// cell is one combination of a matrix with the experiment decoded for it.
type cell struct {
	axes       []Axis
	experiment Experiment
}

// axis is one dimension of a matrix.
type axis struct {
	name   string
	values []*yaml.Node
}

// experiments decodes every experiment once for each of its cells, so that a mistake in any cell is found at load.
func (l *loader) experiments() {
	list := child(l.root, "experiments")
	if list == nil {
		return // reported as a missing field
	}
	if list.Kind != yaml.SequenceNode {
		l.add(list, "the experiments are a list, not "+describe(list), "- name: ...", "")
		return
	}
	if len(list.Content) == 0 {
		l.add(list, "there is no experiment", "at least one", "")
	}
	names := map[string]int{}
	for i, n := range list.Content {
		e := l.experiment(n, i)
		e.Line = n.Line
		name := child(n, "name")
		if first, twice := names[e.Name]; twice && e.Name != "" {
			l.add(name, fmt.Sprintf("the experiment %q is there twice, first on line %d", e.Name, first), "a name of its own for each", "")
		} else if name != nil {
			names[e.Name] = name.Line
		}
		l.f.Experiments = append(l.f.Experiments, e)
	}
}

func (l *loader) experiment(n *yaml.Node, i int) Experiment {
	axes := l.matrix(child(n, "matrix"))
	var declared []string
	for _, key := range keys(child(n, "matrix")) {
		declared = append(declared, key.Value)
	}
	if l.work += combinations(axes) * size(without(n, "matrix")); l.work > maxWork {
		l.add(n, fmt.Sprintf("the matrices of the file make more than %d values", maxWork), "fewer values, or smaller experiments", "")
		return Experiment{}
	}
	used := map[string]bool{}
	var first Experiment
	var cells []cell
	for index := range combinations(axes) {
		chosen := choose(axes, index)
		body := n
		if len(axes) > 0 {
			body = without(n, "name", "description", "matrix")
			body = l.substitute(body, chosen, used)
			body = overlay(n, body, nil)
		}
		e := l.decodeExperiment(body, i, declared)
		if index == 0 {
			first = e
		}
		cells = append(cells, cell{axes: coordinates(axes, chosen, Mask(l.f.Masked)), experiment: e})
		if len(l.list) >= maxProblems || index >= 1000 && len(l.list) > 0 {
			break // what is wrong is known well enough
		}
	}
	for _, a := range axes {
		if !used[a.name] {
			l.add(keyNode(child(n, "matrix"), a.name), fmt.Sprintf("the axis `%s` is not used: its cells would be the same", a.name),
				fmt.Sprintf(`"${%s}" somewhere in the experiment`, a.name), "")
		}
		if first.Matrix == nil {
			first.Matrix = map[string][]any{}
		}
		for _, value := range a.values {
			first.Matrix[a.name] = append(first.Matrix[a.name], plain(value))
		}
	}
	first.cells = cells
	return first
}

// matrix reads the axes in alphabetical order.
func (l *loader) matrix(n *yaml.Node) []axis {
	if n == nil || isNull(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		l.add(n, "a matrix is a mapping of axes, not "+describe(n), "{dep: [postgres, redis]}", "")
		return nil
	}
	var axes []axis
	taken := l.trialScope(sortedKeys(l.f.Service.Files), "")
	for _, key := range keys(n) {
		values := child(n, key.Value)
		switch {
		case !identifier.MatchString(key.Value):
			l.add(key, fmt.Sprintf("`%s` cannot be the name of an axis", key.Value), "letters, digits, _ and -", "")
			continue
		case taken.allows(key.Value) || slices.Contains([]string{"env", "var", "port", "file", "ca"}, key.Value):
			l.add(key, fmt.Sprintf("the axis `%s` hides the variable ${%s}", key.Value, key.Value), "another name", "")
			continue
		case values.Kind != yaml.SequenceNode || len(values.Content) == 0:
			l.add(values, fmt.Sprintf("the axis `%s` needs a list of values, not %s", key.Value, emptyOr(values)), "[postgres, redis]", "")
			continue
		}
		seen := map[string]bool{}
		for _, value := range values.Content {
			if text := flow(value); seen[text] {
				l.add(value, fmt.Sprintf("the value %s is twice in the axis `%s`", text, key.Value), "each once", "use `repeat` to run a cell more than once")
			} else {
				seen[text] = true
			}
			if isNull(value) {
				l.add(value, fmt.Sprintf("a value of the axis `%s` is missing", key.Value), "a value", "write '' for an empty one")
			}
		}
		axes = append(axes, axis{key.Value, values.Content})
	}
	slices.SortFunc(axes, func(a, b axis) int { return strings.Compare(a.name, b.name) })
	if count := combinations(axes); count > maxCells {
		l.add(n, fmt.Sprintf("the matrix has more than %d cells", maxCells), "fewer values, or several experiments", "")
		return nil
	}
	return axes
}

func emptyOr(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "an empty one"
	}
	return describe(n)
}

// combinations returns the number of cells, 1 without axes, and at most maxCells+1.
func combinations(axes []axis) int {
	count := 1
	for _, a := range axes {
		if count *= len(a.values); count > maxCells {
			return maxCells + 1
		}
	}
	return count
}

// choose returns the values of cell number index by axis: the last axis runs fastest.
func choose(axes []axis, index int) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	for i := len(axes) - 1; i >= 0; i-- {
		out[axes[i].name] = axes[i].values[index%len(axes[i].values)]
		index /= len(axes[i].values)
	}
	return out
}

func coordinates(axes []axis, chosen map[string]*yaml.Node, mask func(string) string) []Axis {
	var out []Axis
	for _, a := range axes {
		out = append(out, Axis{Name: a.name, Value: mask(unescape(flow(chosen[a.name])))})
	}
	return out
}

// substitute copies n with ${axis} replaced. A text that is nothing but ${axis} becomes the value, of whatever type, with the value's own
// place in the file; within a longer text a plain value is written out.
func (l *loader) substitute(n *yaml.Node, chosen map[string]*yaml.Node, used map[string]bool) *yaml.Node {
	out := *n
	if n.Kind != yaml.ScalarNode {
		out.Content = make([]*yaml.Node, len(n.Content))
		for i, c := range n.Content {
			if out.Content[i] = c; n.Kind == yaml.SequenceNode || i%2 == 1 {
				out.Content[i] = l.substitute(c, chosen, used)
			}
		}
		return &out
	}
	pieces, _ := split(n.Value)
	var b strings.Builder
	for _, p := range pieces {
		value := chosen[p.text]
		switch {
		case !p.variable:
			b.WriteString(p.text)
			continue
		case value == nil:
			b.WriteString("${" + p.text + "}")
			continue
		}
		used[p.text] = true
		if len(pieces) == 1 {
			whole := *value
			if whole.Kind == yaml.ScalarNode {
				whole.Anchor = fromVariable
			}
			return &whole
		}
		if value.Kind != yaml.ScalarNode {
			l.variableProblem(n, p.text, fmt.Sprintf("${%s} is %s here, which cannot be part of a text", p.text, describe(value)),
				"a plain value, or nothing around the variable", "")
			b.WriteString("${" + p.text + "}")
			continue
		}
		b.WriteString(value.Value)
	}
	if len(pieces) > 0 {
		out.Value = b.String()
	}
	return &out
}

// decodeExperiment decodes and checks one cell.
func (l *loader) decodeExperiment(n *yaml.Node, i int, axes []string) Experiment {
	path := fmt.Sprintf("experiments[%d]", i)
	d := newDecoder(l.reporter)
	d.places[path] = place{nil, n}
	var e Experiment
	service := child(n, "service")
	body := n
	if n.Kind == yaml.MappingNode {
		body = without(n, "service", "matrix", "traffic")
		for _, key := range keys(n) {
			if key.Value != "service" && key.Value != "traffic" {
				scope{axes: axes, where: "here: only env, var and axes of a matrix are replaced in this place"}.check(l.reporter, child(n, key.Value))
			}
		}
	}
	d.structure(unescaped(body), reflect.ValueOf(&e).Elem(), path)
	if service != nil && !isNull(service) {
		e.Service = l.overlaid(d, service, path, axes)
	}
	l.overlaidTraffic(d, child(n, "traffic"), path, axes, &e)
	if e.Expect.Name != "" || e.Expect.Readiness != "" || len(e.Expect.AnyOf)+len(e.Expect.AllOf) > 0 {
		e.Expect = (&resolver{d: d, named: l.contracts, done: true, proofs: l.proven()}).resolve(e.Expect, path+".expect")
	}
	l.validateExperiment(d, path, &e)
	return e
}

// overlaid decodes the file's service with the experiment's laid over it.
func (l *loader) overlaid(d *decoder, n *yaml.Node, path string, axes []string) *Service {
	if n.Kind != yaml.MappingNode {
		l.add(n, "the service is a mapping, not "+describe(n), "only the fields that change", "")
		return nil
	}
	if build := child(n, "build"); build != nil {
		l.add(keyNode(n, "build"), "`build` runs once for all experiments", "`build` under the file's `service`", "")
	}
	base := child(l.root, "service")
	if base == nil {
		return nil
	}
	merged := overlay(base, n, map[string]bool{"env": true, "files": true, "stop": true, "restart": true})
	path += ".service"
	d.places[path] = place{nil, n}
	var s Service
	d.structure(merged, reflect.ValueOf(&s).Elem(), path)
	l.serviceScope(merged, s, axes)
	l.validateService(d, path, &s)
	return &s
}

// unescaped copies n with every $${ written ${: no variable will be replaced in it any more. What is polled over HTTP is left: that is
// rendered for each trial.
func unescaped(n *yaml.Node) *yaml.Node {
	out := *n
	if n.Kind == yaml.ScalarNode {
		out.Value = unescape(n.Value)
		return &out
	}
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		if i%2 == 1 && n.Kind == yaml.MappingNode && n.Content[i-1].Value == "http" {
			out.Content[i] = c
			continue
		}
		out.Content[i] = unescaped(c)
	}
	return &out
}

// size counts the nodes of a tree.
func size(n *yaml.Node) int {
	count := 1
	for _, c := range n.Content {
		count += size(c)
	}
	return count
}

// keyNode returns the node of a key of a mapping.
func keyNode(n *yaml.Node, name string) *yaml.Node {
	for _, key := range keys(n) {
		if key.Value == name {
			return key
		}
	}
	return n
}

// merged adds b to a: what either asks for is asked for; b's numbers win.
func merged(a contracts.Invariants, b *contracts.Invariants) contracts.Invariants {
	if b == nil {
		return a
	}
	va, vb := reflect.ValueOf(&a).Elem(), reflect.ValueOf(b).Elem()
	for i := range va.NumField() {
		if field := vb.Field(i); !field.IsZero() && field.Kind() != reflect.Slice {
			va.Field(i).Set(field)
		}
	}
	a.LogNever = append(slices.Clone(a.LogNever), b.LogNever...)
	a.Expr = append(slices.Clone(a.Expr), b.Expr...)
	return a
}
