package experiments

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/shlex"
	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// unionHooks are the types that are written in more than one way.
func unionHooks() map[reflect.Type]hook {
	return map[reflect.Type]hook{
		reflect.TypeFor[timeline.Duration]():                durationHook,
		reflect.TypeFor[faults.Spec]():                      faultHook,
		reflect.TypeFor[Trigger]():                          triggerHook,
		reflect.TypeFor[[]Injection]():                      injectHook,
		reflect.TypeFor[[]Dependency]():                     dependenciesHook,
		reflect.TypeFor[map[string][]any]():                 func(*decoder, *yaml.Node, reflect.Value, string) {}, // the matrix is read apart
		reflect.TypeFor[phases.Spec]():                      phasesHook,
		reflect.TypeFor[phases.Match]():                     matchHook,
		reflect.TypeFor[contracts.Expectation]():            expectationHook,
		reflect.TypeFor[contracts.Invariants]():             invariantsHook,
		reflect.TypeFor[contracts.Retry]():                  retryHook,
		reflect.TypeFor[contracts.Expr]():                   exprHook,
		reflect.TypeFor[[]contracts.Expr]():                 exprsHook,
		reflect.TypeFor[Rate]():                             rateHook,
		reflect.TypeFor[contracts.ExitCode]():               exitCodeHook,
		reflect.TypeFor[Orchestrator]():                     orchestratorHook,
		reflect.TypeFor[contracts.Size]():                   sizeHook,
		reflect.TypeFor[contracts.Memory]():                 boundsHook("{max: 512MiB} or {growth: 64MiB}"),
		reflect.TypeFor[contracts.Threads]():                boundsHook("{max: 100} or {growth: 20}"),
		reflect.TypeFor[contracts.ThenRestart]():            thenRestartHook,
		reflect.TypeFor[map[string]contracts.Expectation](): contractsHook,
		reflect.TypeFor[Cover]():                            coverHook,
	}
}

// maxDuration keeps sums of durations far from overflow.
const maxDuration = 24 * time.Hour

func durationHook(d *decoder, n *yaml.Node, v reflect.Value, _ string) {
	const want = "a duration with its unit, for example 200ms, 5s or 1m30s"
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.add(n, "a duration is needed here, not "+describe(n), want, "")
		return
	}
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" || floatPattern.MatchString(n.Value) {
		d.add(n, fmt.Sprintf("the duration %s has no unit", n.Value), want, fmt.Sprintf("did you mean `%ss` or `%sms`?", n.Value, n.Value))
		return
	}
	t, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		d.add(n, fmt.Sprintf("%q is not a duration", n.Value), want, "")
	case t < 0:
		d.add(n, fmt.Sprintf("the duration %s is negative", n.Value), "a duration of 0s or more", "")
	case t > maxDuration:
		d.add(n, fmt.Sprintf("the duration %s is too long", n.Value), "at most 24h", "")
	default:
		v.SetInt(int64(t))
	}
}

func (d *decoder) argv(n *yaml.Node, v reflect.Value) {
	if isNull(n) {
		d.add(n, "a command is missing here", "a list such as [./app, --port, '8080'], or one text", "")
		return
	}
	words, err := shlex.Split(n.Value)
	if err != nil {
		d.add(n, "the command cannot be split into words: "+err.Error(), "closed quotes, or a list", "")
		return
	}
	if len(words) == 0 {
		d.emptyCommand(n)
		return
	}
	v.Set(reflect.ValueOf(words))
}

func (d *decoder) emptyCommand(n *yaml.Node) {
	d.add(n, "the command is empty", "a program and its arguments", "")
}

// triggerHook reads start, ready, a phase, or a mapping with one kind of moment. Phase names are resolved by the validator.
func triggerHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	t := v.Addr().Interface().(*Trigger)
	sh := shapes()[v.Type()]
	if n.Kind == yaml.MappingNode {
		d.structure(n, v, path)
		exactlyOne(d, n, sh, "connect", "log", "sends", "receives")
		if t.Connect == "" && child(n, "nth") != nil {
			d.add(child(n, "nth"), "`nth` counts connections", "{connect: DEPENDENCY, nth: 2}", "")
		}
		return
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" || isNull(n) {
		d.add(n, "a moment is needed here, not "+describe(n), "start, ready, a phase, or a mapping with connect, log, sends or receives", "")
		return
	}
	switch n.Value {
	case "start":
		t.Start = true
	case "ready":
		t.Ready = true
	default:
		t.Phase = n.Value
	}
}

// exactlyOne reports a mapping that has none or several of some keys.
func exactlyOne(d *decoder, n *yaml.Node, sh *shape, names ...string) {
	var got []string
	for _, name := range names {
		if child(n, name) != nil {
			got = append(got, name)
		}
	}
	switch {
	case len(got) > 1:
		d.add(n, fmt.Sprintf("%s has %s", sh.section.title, strings.Join(got, " and ")), "exactly "+oneOf(names), "")
	case len(got) == 0 && !strange(n, sh):
		d.add(n, fmt.Sprintf("%s says nothing", sh.section.title), "exactly "+oneOf(names), "")
	}
}

// strange tells whether a mapping has a key that no shape knows: that was reported, and what is missing was probably meant by it.
func strange(n *yaml.Node, shapes ...*shape) bool {
	for _, key := range keys(n) {
		known := false
		for _, sh := range shapes {
			_, ok := sh.field(key.Value)
			known = known || ok
		}
		if !known {
			return true
		}
	}
	return false
}

// injectHook reads the list of injections; `on` with several names makes several injections of one.
func injectHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.add(n, "a list of injections is needed here, not "+describe(n), "[{on: DEPENDENCY, fault: FAULT}]", "")
		return
	}
	list := []Injection{}
	for _, item := range n.Content {
		on := child(item, "on")
		targets := []*yaml.Node{nil}
		if on != nil && on.Kind == yaml.SequenceNode {
			if targets = on.Content; len(targets) == 0 {
				d.add(on, "`on` is an empty list", "at least one dependency", "")
			}
		}
		for _, target := range targets {
			p := fmt.Sprintf("%s[%d]", path, len(list))
			d.places[p] = place{nil, item}
			var one Injection
			d.structure(injectionNode(d, item, target), reflect.ValueOf(&one).Elem(), p)
			list = append(list, one)
		}
	}
	v.Set(reflect.ValueOf(list))
}

// injectionNode returns the mapping of one injection with one target, and with `when` under its other name `from`.
func injectionNode(d *decoder, item, target *yaml.Node) *yaml.Node {
	if item.Kind != yaml.MappingNode {
		return item
	}
	out := *item
	out.Content = nil
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], item.Content[i+1]
		if key.Value == "on" && target != nil {
			value = target
		}
		if key.Value == "when" {
			if child(item, "from") != nil {
				d.add(key, "`when` is another word for `from`, and both are given", "one of them", "")
				continue
			}
			k := *key
			k.Value = "from"
			key = &k
		}
		out.Content = append(out.Content, key, value)
	}
	return &out
}

// dependenciesHook reads the mapping of dependencies and keeps its order.
func dependenciesHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.add(n, "the dependencies are a mapping, not "+describe(n), "`postgres: {upstream: 127.0.0.1:5432}`", "")
		return
	}
	list := make([]Dependency, len(n.Content)/2)
	for i := range list {
		key, value := n.Content[2*i], n.Content[2*i+1]
		p := join(path, key.Value)
		d.places[p] = place{key, value}
		d.structure(ownName(value, key.Value), reflect.ValueOf(&list[i]).Elem(), p)
		list[i].Name = key.Value
	}
	v.Set(reflect.ValueOf(list))
}

// ownName writes the dependency's own name for the word dep in ${dep.port}, so that whoever renders needs to know one name only.
func ownName(n *yaml.Node, name string) *yaml.Node {
	out := *n
	if n.Kind != yaml.ScalarNode {
		out.Content = make([]*yaml.Node, len(n.Content))
		for i, c := range n.Content {
			out.Content[i] = ownName(c, name)
		}
		return &out
	}
	pieces, _ := split(n.Value)
	var b strings.Builder
	for _, p := range pieces {
		switch {
		case !p.variable:
			b.WriteString(p.text)
		case p.text == "dep" || strings.HasPrefix(p.text, "dep."):
			b.WriteString("${" + name + strings.TrimPrefix(p.text, "dep") + "}")
		default:
			b.WriteString("${" + p.text + "}")
		}
	}
	if len(pieces) > 0 {
		out.Value = b.String()
	}
	return &out
}

// phasesHook reads the shorthand (a mapping) or the long form (a list).
func phasesHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	spec := v.Addr().Interface().(*phases.Spec)
	switch {
	case isNull(n):
	case n.Kind == yaml.SequenceNode:
		d.value(n, reflect.ValueOf(&spec.List).Elem(), path, entry{})
	case n.Kind == yaml.MappingNode:
		d.structure(n, v, path)
	default:
		d.add(n, "the phases are a mapping or a list, not "+describe(n), "{pattern: RE, order: [...]} or [{name: ..., begins: ...}]", "")
	}
}

func matchHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.MappingNode {
		d.structure(n, v, path)
		exactlyOne(d, n, shapes()[v.Type()], "log", "connect", "http", "notify", "mark")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Value == "ready" {
		v.Addr().Interface().(*phases.Match).Ready = true
		return
	}
	d.add(n, "a match is needed here, not "+describe(n), "ready, or a mapping with log, connect, http, notify or mark", "")
}

func exitCodeHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	want := "nonzero, any or a number from 0 to 255"
	ofStop := strings.HasSuffix(path, "stop.exit_code")
	if ofStop {
		want = "clean, " + want
	}
	if n.Kind == yaml.ScalarNode {
		i, err := strconv.Atoi(n.Value)
		if n.Value == "nonzero" || n.Value == "any" || n.Value == "clean" && ofStop || (err == nil && i >= 0 && i <= 255 && len(n.Value) <= 3 && n.Value[0] != '+') {
			v.SetString(n.Value)
			return
		}
	}
	d.add(n, "an exit code is needed here, not "+describe(n), want, "")
}

// retryHook reads retry; max_rate may be written as a rate per second.
func retryHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if rate := child(n, "max_rate"); rate != nil && rate.Kind == yaml.ScalarNode {
		if number, ok := strings.CutSuffix(rate.Value, "/s"); ok {
			if ratePattern.MatchString(strings.TrimSpace(number)) {
				r := *rate
				r.Value, r.Tag, r.Style = strings.TrimSpace(number), "!!float", 0
				n = overlay(n, &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Column: n.Column,
					Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "max_rate"}, &r}}, nil)
			}
		}
		if child(n, "max_rate").ShortTag() == "!!str" {
			d.add(rate, "a rate is needed here, not "+describe(rate), "20/s (per second) or a number", "")
			d.structure(without(n, "max_rate"), v, path)
			return
		}
	}
	d.structure(n, v, path)
	checkRetry(d, n, v.Interface().(contracts.Retry), path)
}
