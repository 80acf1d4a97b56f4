package experiments

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/timeline"
)

// builtinExpectations are the kinds of expectation that a bare name may stand for, with their defaults.
var builtinExpectations = []string{"fail_fast", "give_up", "recover", "tolerate", "degrade", "wait", "stop", "survives_orchestrator"}

// spokenExpectations read well as names (`expect: fails-fast`). They mean the kind with its defaults unless `contracts` has them.
var spokenExpectations = map[string]string{
	"fails-fast": "fail_fast", "gives-up": "give_up", "recovers": "recover", "tolerates": "tolerate", "degrades": "degrade", "waits": "wait", "stops": "stop",
}

// expectationKinds are the keys of which an expectation has exactly one.
var expectationKinds = []string{"fail_fast", "give_up", "recover", "tolerate", "degrade", "wait", "stop", "readiness", "any_of", "all_of", "expr",
	"survives_orchestrator"}

// contractsHook reads `contracts`. Names in them are resolved later, when all are known.
func contractsHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	d.mapping(n, v, path)
	for _, key := range keys(n) {
		if slices.Contains(expectationKinds, key.Value) || !identifier.MatchString(key.Value) {
			d.add(key, fmt.Sprintf("a contract cannot be called `%s`", key.Value), "a name of its own: letters, digits, _ and -", "")
		}
	}
}

// expectationHook reads a name, a list (all of them) or a mapping with one kind. A name that is not built in is left in Name, alone,
// for resolve.
func expectationHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	out := v.Addr().Interface().(*contracts.Expectation)
	switch {
	case isNull(n):
		d.add(n, "an expectation is missing here", oneOf(expectationKinds), "")
	case n.Kind == yaml.ScalarNode:
		d.namedExpectation(n, out)
	case n.Kind == yaml.SequenceNode:
		var list []contracts.Expectation
		d.value(n, reflect.ValueOf(&list).Elem(), path, entry{})
		switch len(list) {
		case 0:
			d.add(n, "the list of expectations is empty", "at least one", "")
		case 1:
			*out = list[0]
		default:
			out.AllOf = list
		}
	default:
		d.structure(n, v, path)
		exactlyOne(d, n, shapes()[v.Type()], expectationKinds...)
		for _, name := range []string{"any_of", "all_of"} {
			if c := child(n, name); c != nil && (isNull(c) || c.Kind == yaml.SequenceNode && len(c.Content) == 0) {
				d.add(c, fmt.Sprintf("`%s` is empty", name), "at least one expectation", "")
			}
		}
		fillGiveUp(d, out, path)
		d.expectedExpr(n, out)
	}
}

// namedExpectation sets the defaults of a built-in kind, or keeps the name for resolve.
func (d *decoder) namedExpectation(n *yaml.Node, out *contracts.Expectation) {
	if !slices.Contains(builtinExpectations, n.Value) {
		out.Name = n.Value
		return
	}
	mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column, Content: []*yaml.Node{
		n, {Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column},
	}}
	quiet := newDecoder(d.reporter) // defaults leave no places
	quiet.structure(mapping, reflect.ValueOf(out).Elem(), "")
	fillGiveUp(quiet, out, "")
}

// fillGiveUp gives give_up the end that it lacks: ten seconds after it may begin, as much as fail_fast has.
func fillGiveUp(d *decoder, e *contracts.Expectation, path string) {
	g := e.GiveUp
	if g == nil {
		return
	}
	if g.Within == 0 {
		g.Within = g.After + timeline.Duration(10*time.Second)
	}
	if g.Within <= g.After {
		d.add(d.at(join(path, "give_up")), fmt.Sprintf("give_up ends (within %s) before it may begin (after %s)", g.Within, g.After),
			"within longer than after", "")
	}
}

// becomesReady is what can be expected of a plain trial where no proof of readiness is declared.
const becomesReady = `{expr: 'trial.outcome == "ready"'}`

// resolver replaces the names of contracts by what they say.
type resolver struct {
	d     *decoder
	named map[string]contracts.Expectation
	open  []string // contracts being resolved: one that contains itself ends here
	done  bool     // named is resolved already

	proofs bool // the file has proofs of readiness
}

// resolve returns e with every name resolved. path is where e stands.
func (r *resolver) resolve(e contracts.Expectation, path string) contracts.Expectation {
	e.AnyOf = r.list(e.AnyOf, path, "any_of")
	e.AllOf = r.list(e.AllOf, path, "all_of")
	if e.Readiness != "" && !r.proofs {
		r.d.addFirst(r.d.at(path), "`readiness: all` holds nothing: no proof of readiness is declared", "proofs under `readiness`",
			"without proofs use "+becomesReady)
	}
	if e.Name == "" || !isZeroBesidesName(e) {
		return e
	}
	name := e.Name
	def, ok := r.named[name]
	if !ok {
		kind, spoken := spokenExpectations[name]
		if !spoken {
			known := append(sortedKeys(r.named), builtinExpectations...)
			r.d.add(r.d.at(path), fmt.Sprintf("unknown contract `%s`", name), oneOf(known), didYouMean(name, known))
			return e
		}
		out := contracts.Expectation{}
		r.d.namedExpectation(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: kind}, &out)
		out.Name = name
		return out
	}
	if r.done {
		return def
	}
	if slices.Contains(r.open, name) {
		r.d.add(r.d.at(path), fmt.Sprintf("the contract `%s` contains itself", name), "", "")
		return e
	}
	r.open = append(r.open, name)
	out := r.resolve(def, "contracts."+name)
	r.open = r.open[:len(r.open)-1]
	out.Name = name
	return out
}

func (r *resolver) list(in []contracts.Expectation, path, key string) []contracts.Expectation {
	if in == nil {
		return nil
	}
	out := make([]contracts.Expectation, len(in))
	for i, e := range in {
		p := fmt.Sprintf("%s.%s[%d]", path, key, i)
		if !r.d.has(p) {
			p = fmt.Sprintf("%s[%d]", path, i) // a plain list
		}
		out[i] = r.resolve(e, p)
	}
	return out
}

func isZeroBesidesName(e contracts.Expectation) bool {
	e.Name = ""
	return reflect.ValueOf(e).IsZero()
}

// invariantsHook reads a list of names and one-key mappings, or one mapping.
func invariantsHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	sh := shapes()[v.Type()]
	merged := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	put := func(key, value *yaml.Node) {
		if before := child(merged, key.Value); before != nil && key.Value == "expr" {
			replaceChild(merged, "expr", gathered(before, value))
			return
		} else if before != nil {
			d.add(key, fmt.Sprintf("the invariant `%s` is given twice", key.Value), "each once", "")
			return
		}
		if f, ok := sh.field(key.Value); ok && f.typ.Kind() == reflect.Bool && isNull(value) {
			value = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true", Line: key.Line, Column: key.Column}
		}
		if f, ok := sh.field(key.Value); ok && f.entry.format == formatLines && isNull(value) {
			d.add(key, fmt.Sprintf("`%s` needs a value", key.Value), "{"+key.Value+": "+f.entry.example+"}", "")
			return
		}
		merged.Content = append(merged.Content, key, value)
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		switch {
		case item.Kind == yaml.MappingNode:
			item = d.spoken(item)
			for i := 0; i+1 < len(item.Content); i += 2 {
				put(item.Content[i], item.Content[i+1])
			}
		case item.Kind == yaml.ScalarNode && !isNull(item):
			put(item, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: item.Line, Column: item.Column})
		case item != n || !isNull(n):
			d.add(item, "an invariant is a name or a one-key mapping, not "+describe(item), oneOf(sh.names()), "")
		}
	}
	d.structure(merged, v, path)
	checkPatterns(d, v.Interface().(contracts.Invariants).LogNever, path)
}

func replaceChild(n *yaml.Node, name string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			n.Content[i+1] = value
		}
	}
}

func checkPatterns(d *decoder, list []string, path string) {
	for i, text := range list {
		if _, problem := compile(text); problem != "" {
			p := fmt.Sprintf("%s.log_never[%d]", path, i)
			d.add(d.at(p), problem, "", "")
		}
	}
}
