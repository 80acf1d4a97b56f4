package experiments

import (
	"reflect"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/faults"
)

// faultHook reads a fault: its name, or a mapping of the name to its parameters or first parameter.
func faultHook(d *decoder, n *yaml.Node, v reflect.Value, _ string) {
	kind, value := n, any(nil)
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		kind, value = n.Content[0], plain(n.Content[1])
	}
	if kind.Kind != yaml.ScalarNode || isNull(kind) || kind.Value == "" {
		d.add(n, "a fault is needed here, not "+describe(n), "a name such as refuse, or {latency: 3s}", "")
		return
	}
	params, _ := value.(map[string]any)
	v.Set(reflect.ValueOf(faults.Spec{Kind: kind.Value, Params: params}))
}
