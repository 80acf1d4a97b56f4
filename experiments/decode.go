package experiments

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// fromVariable marks, in the Anchor of a node (free once aliases are expanded), a text that a variable produced: it may then stand
// for a number or true and false, and a number for text.
const fromVariable = "variable"

// place is where a value stands in the file.
type place struct{ key, value *yaml.Node }

// decoder fills Go values from nodes. It is strict: it reports what it does not know, and goes on, so that one pass finds every mistake.
type decoder struct {
	*reporter
	places map[string]place // by path: "service.stop.grace"
	hooks  map[reflect.Type]hook
}

// hook decodes a type that is not written as its Go shape suggests.
type hook func(d *decoder, n *yaml.Node, v reflect.Value, path string)

func newDecoder(r *reporter) *decoder {
	return &decoder{reporter: r, places: map[string]place{}, hooks: unionHooks()}
}

// at returns the node of a path, or of the nearest mapping around it that is in the file, or nil.
func (d *decoder) at(path string) *yaml.Node {
	for path != "" {
		if p, ok := d.places[path]; ok {
			return p.value
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return nil
}

// keyAt returns the node of the key of a path, or what at returns when it has none.
func (d *decoder) keyAt(path string) *yaml.Node {
	if p, ok := d.places[path]; ok && p.key != nil {
		return p.key
	}
	return d.at(path)
}

// has tells whether the path is written in the file.
func (d *decoder) has(path string) bool {
	_, ok := d.places[path]
	return ok
}

// value decodes n into v. A problem leaves v as it is.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, e entry) {
	if h := d.hooks[v.Type()]; h != nil {
		h(d, n, v, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if isNull(n) && v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path, e)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.slice(n, v, path, e)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.String:
		d.text(n, v, e)
	case reflect.Bool:
		d.boolean(n, v)
	case reflect.Int, reflect.Int64, reflect.Uint64:
		d.integer(n, v, e)
	case reflect.Float64:
		d.float(n, v, e)
	case reflect.Interface:
		v.Set(reflect.ValueOf(plain(n)))
	default:
		panic("experiments: no decoder for " + v.Type().String())
	}
}

// structure decodes a mapping; no value at all counts as an empty one. Absent fields get their defaults.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	sh := shapes()[v.Type()]
	if sh == nil {
		panic("experiments: no section for " + v.Type().String())
	}
	if n != nil && !isNull(n) && n.Kind != yaml.MappingNode {
		d.add(n, fmt.Sprintf("%s is a mapping, not %s", sh.section.title, describe(n)), "a mapping with "+oneOf(sh.names()), "")
		return
	}
	given := map[string]bool{} // also what a wrong key was probably meant to be: its absence is not a second mistake
	if n != nil {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			f, ok := sh.field(key.Value)
			if !ok {
				given[d.unknown(key, sh)] = true
				continue
			}
			given[f.name] = true
			p := join(path, f.name)
			d.places[p] = place{key, value}
			d.value(value, v.FieldByIndex(f.index), p, f.entry)
		}
	}
	d.absent(n, v, path, sh, given)
}

// absent fills the defaults of fields that are not given, and reports the ones that must be.
func (d *decoder) absent(n *yaml.Node, v reflect.Value, path string, sh *shape, given map[string]bool) {
	for _, f := range sh.fields {
		if given[f.name] {
			continue
		}
		field := v.FieldByIndex(f.index)
		switch {
		case f.entry.def == required:
			if n == nil {
				n = d.at(path)
			}
			d.add(n, fmt.Sprintf("%s has no `%s`", sh.section.title, f.name), fmt.Sprintf("`%s`, for example `%s: %s`", f.name, f.name, f.entry.example), "")
		case f.def != nil:
			d.value(f.def, field, join(path, f.name), f.entry)
		case field.Kind() == reflect.Struct && shapes()[field.Type()] != nil && d.hooks[field.Type()] == nil:
			d.structure(nil, field, join(path, f.name))
		}
	}
}

// unknown reports a key that the mapping does not have, and returns the one that was probably meant, or "".
func (d *decoder) unknown(key *yaml.Node, sh *shape) string {
	for _, r := range sh.section.reserved {
		if r == key.Value {
			d.add(key, fmt.Sprintf("`%s` is part of the language but not played by this version", r), "", "remove it")
			return ""
		}
	}
	if sh.section.name == "file" && strings.HasPrefix(key.Value, "x-") {
		return ""
	}
	names := sh.names()
	if sh.section.of == reflect.TypeFor[Injection]() {
		names = append(names, "when")
	}
	d.add(key, fmt.Sprintf("unknown field `%s` in %s", key.Value, sh.section.title), oneOf(names), didYouMean(key.Value, names))
	return nearest(key.Value, names)
}

func (d *decoder) slice(n *yaml.Node, v reflect.Value, path string, e entry) {
	if e.format == formatArgv && n.Kind == yaml.ScalarNode {
		d.argv(n, v)
		return
	}
	items := n.Content
	switch {
	case e.format == formatLines && n.Kind == yaml.ScalarNode && !isNull(n):
		items = []*yaml.Node{n}
	case isNull(n):
		return
	case e.format == formatArgv && len(items) == 0 && n.Kind == yaml.SequenceNode:
		d.emptyCommand(n)
		return
	case n.Kind != yaml.SequenceNode:
		d.add(n, "a list is needed here, not "+describe(n), "[...]", "")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		p := fmt.Sprintf("%s[%d]", path, i)
		d.places[p] = place{nil, item}
		if v.Type().Elem().Kind() == reflect.String {
			d.anyText(item, out.Index(i))
			continue
		}
		d.value(item, out.Index(i), p, entry{})
	}
	v.Set(out)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.add(n, "a mapping is needed here, not "+describe(n), "name: value", "")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		p := join(path, key.Value)
		d.places[p] = place{key, value}
		item := reflect.New(v.Type().Elem()).Elem()
		if item.Kind() == reflect.String {
			d.anyText(value, item)
		} else {
			d.value(value, item, p, entry{})
		}
		out.SetMapIndex(reflect.ValueOf(key.Value), item)
	}
	v.Set(out)
}

// anyText takes any scalar as it is written: an item of a list or mapping of text (`PORT: 8080`) needs no quotes.
func (d *decoder) anyText(n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		d.add(n, "text is needed here, not "+describe(n), "text", "")
		return
	}
	if isNull(n) {
		d.add(n, "a value is missing here", "text", "write '' for an empty one")
		return
	}
	v.SetString(n.Value)
}

// text takes text only: a number or true there is more often a mistake than meant.
func (d *decoder) text(n *yaml.Node, v reflect.Value, e entry) {
	switch {
	case isNull(n):
		d.add(n, "a value is missing here", "text", "write '' for an empty one, or remove the key")
		return
	case n.Kind != yaml.ScalarNode:
		d.add(n, "text is needed here, not "+describe(n), "text", "")
		return
	case n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp" && n.Anchor != fromVariable:
		d.add(n, "text is needed here, not "+describe(n), "text", "if it is meant as text, quote it: '"+n.Value+"'")
		return
	}
	if len(e.enum) > 0 && !contains(e.enum, n.Value) {
		d.add(n, fmt.Sprintf("unknown value `%s`", n.Value), oneOf(e.enum), didYouMean(n.Value, e.enum))
		return
	}
	if problem := e.format.check(n.Value); problem != "" {
		d.add(n, problem, "", "")
	}
	v.SetString(n.Value)
}

func (d *decoder) boolean(n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!bool" || n.Anchor == fromVariable) {
		if b, err := strconv.ParseBool(strings.ToLower(n.Value)); err == nil {
			v.SetBool(b)
			return
		}
	}
	d.add(n, "true or false is needed here, not "+describe(n), "true or false", "")
}

func (d *decoder) integer(n *yaml.Node, v reflect.Value, e entry) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		d.add(n, "a whole number is needed here, not "+describe(n), d.numberRange(e, "a whole number"), "")
		return
	}
	text := strings.ReplaceAll(n.Value, "_", "")
	if v.Kind() == reflect.Uint64 {
		u, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			d.add(n, n.Value+" is out of range", "a whole number from 0 to 18446744073709551615", "")
			return
		}
		v.SetUint(u)
		return
	}
	i, err := strconv.ParseInt(text, 0, 64)
	if err != nil || v.OverflowInt(i) || !e.holds(float64(i)) {
		d.add(n, n.Value+" is out of range", d.numberRange(e, "a whole number"), "")
		return
	}
	v.SetInt(i)
}

func (d *decoder) float(n *yaml.Node, v reflect.Value, e entry) {
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode || (tag != "!!int" && tag != "!!float") {
		d.add(n, "a number is needed here, not "+describe(n), d.numberRange(e, "a number"), "")
		return
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || !e.holds(f) {
		d.add(n, n.Value+" is out of range", d.numberRange(e, "a number"), "")
		return
	}
	v.SetFloat(f)
}

func (d *decoder) numberRange(e entry, what string) string {
	if e.min == nil || e.max == nil {
		return what
	}
	if *e.min == *e.max {
		return fmt.Sprint(*e.min)
	}
	return what + " from " + strconv.FormatFloat(*e.min, 'f', -1, 64) + " to " + strconv.FormatFloat(*e.max, 'f', -1, 64)
}

// holds tells whether f is within the bounds.
func (e entry) holds(f float64) bool {
	return (e.min == nil || f >= *e.min) && (e.max == nil || f <= *e.max)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
