package experiments

import (
	"fmt"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/faults"
)

// reservedFaults are part of the language. One that the catalogue has is played; the others not yet.
var reservedFaults = []string{
	"hang", "stall", "corrupt", "garbage", "half_open", "tls", "dns", "brownout", "postgres_error", "redis_error", "http_error", "grpc_error",
}

// faultNames lists the catalogue.
func faultNames() []string {
	var out []string
	for _, k := range faults.Builtin() {
		out = append(out, k.Name)
	}
	return out
}

// faultHook reads a fault: its name, or a mapping of the name to its parameters or first parameter.
func faultHook(d *decoder, n *yaml.Node, v reflect.Value, _ string) {
	kind, params := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		kind, params = n.Content[0], n.Content[1]
		if len(n.Content) > 2 {
			d.add(n.Content[2], fmt.Sprintf("a fault is one name, and `%s` is a second one", n.Content[2].Value),
				"{NAME: VALUE} or {NAME: {PARAMETER: VALUE}}", paramsTogether(kind.Value, n.Content[2].Value))
			return
		}
	}
	if kind.Kind != yaml.ScalarNode || isNull(kind) || kind.Value == "" {
		d.add(n, "a fault is needed here, not "+describe(n), "a name such as refuse, or {latency: 3s}", "")
		return
	}
	if hasVariable(kind.Value) {
		return // reported with the variable
	}
	if known := faultNames(); !slices.Contains(known, kind.Value) {
		if slices.Contains(reservedFaults, kind.Value) {
			d.add(kind, fmt.Sprintf("the fault `%s` is part of the language but not played by this version", kind.Value), oneOf(known), "")
			return
		}
		d.add(kind, fmt.Sprintf("unknown fault `%s`", kind.Value), oneOf(known), didYouMean(kind.Value, known))
		return
	}
	var value any
	if params != nil {
		value = plain(params)
	}
	spec, problems := faults.Parse(kind.Value, value)
	for _, p := range problems {
		suggest := ""
		if p.Suggest != "" {
			suggest = "did you mean `" + p.Suggest + "`?"
		}
		d.add(faultNode(kind, params, p.Param), p.Text, "", suggest)
	}
	if len(problems) == 0 {
		v.Set(reflect.ValueOf(spec))
	}
}

// faultNode is where a parameter stands: its key when it is unknown, else its value.
func faultNode(kind, params *yaml.Node, name string) *yaml.Node {
	switch {
	case params == nil:
		return kind
	case params.Kind != yaml.MappingNode || name == "":
		return params
	}
	if k, ok := faults.Lookup(kind.Value); ok && !slices.ContainsFunc(k.Params, func(p faults.Param) bool { return p.Name == name }) {
		return keyNode(params, name)
	}
	if value := child(params, name); value != nil {
		return value
	}
	return params
}

// paramsTogether answers {latency: 3s, jitter: 1s}: the second key is a parameter of the first.
func paramsTogether(kind, param string) string {
	k, ok := faults.Lookup(kind)
	if !ok || len(k.Params) == 0 {
		return ""
	}
	for _, p := range k.Params {
		if p.Name == param {
			return fmt.Sprintf("did you mean {%s: {%s: ..., %s: ...}}?", kind, k.Params[0].Name, param)
		}
	}
	return ""
}
