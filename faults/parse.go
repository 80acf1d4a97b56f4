package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Problem is one mistake in the description of a fault.
type Problem struct {
	Param   string // the parameter it is about, as written; empty: the kind itself or the value as a whole
	Text    string // what is wrong and what was expected; one sentence without full stop
	Suggest string // what was probably meant, as it would be written; empty: no idea
}

// String returns the text with the suggestion.
func (p Problem) String() string {
	if p.Suggest == "" {
		return p.Text
	}
	return p.Text + "; did you mean " + p.Suggest + "?"
}

// Parse makes a fault from its kind and what stands behind it in a file: nil (a bare name), one value for the first parameter,
// or a map[string]any of parameters. Values are what a YAML decoder gives: string, int, int64, uint64, float64, bool. It reports
// all mistakes at once; the Spec is usable only when there are none, and then has every parameter, in range.
func Parse(kind string, value any) (Spec, []Problem) {
	k, ok := Lookup(kind)
	if !ok {
		return Spec{}, []Problem{{Text: fmt.Sprintf("there is no fault %s; known are %s", show(kind), strings.Join(names(), ", ")),
			Suggest: nearestKind(kind)}}
	}
	given, problems := k.given(value)
	spec := Spec{Kind: kind}
	if len(k.Params) > 0 {
		spec.Params = make(map[string]any, len(k.Params))
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := k.param(name); !ok {
			problems = append(problems, k.unknown(name))
		}
	}
	for _, p := range k.Params {
		raw, ok := given[p.Name]
		if !ok {
			spec.Params[p.Name] = p.Default
			continue
		}
		v, mistake, suggest := p.read(raw)
		if mistake != "" {
			problems = append(problems, Problem{Param: p.Name, Text: k.Name + "." + p.Name + mistake, Suggest: suggest})
			continue
		}
		spec.Params[p.Name] = v
	}
	// Rules between parameters only make sense for parameters that are good by themselves.
	if len(problems) == 0 && k.check != nil {
		problems = k.check(spec)
	}
	if len(problems) > 0 {
		return Spec{}, problems
	}
	return spec, nil
}

// given brings the three ways to write parameters into one.
func (k Kind) given(value any) (map[string]any, []Problem) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	if len(k.Params) == 0 {
		return nil, []Problem{{Text: fmt.Sprintf("%s takes no parameter, got %s", k.Name, show(value)), Suggest: k.Name}}
	}
	return map[string]any{k.Params[0].Name: value}, nil
}

// unknown is the problem of a parameter that the kind does not have.
func (k Kind) unknown(name string) Problem {
	if len(k.Params) == 0 {
		return Problem{Param: name, Text: fmt.Sprintf("%s takes no parameters, got %s", k.Name, show(name))}
	}
	return Problem{Param: name, Text: fmt.Sprintf("%s has no parameter %s; it takes %s", k.Name, show(name), strings.Join(k.paramNames(), ", ")),
		Suggest: nearest(name, k.paramNames())}
}
