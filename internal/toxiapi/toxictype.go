package toxiapi

import (
	"slices"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// toxicType is a type of toxic: the kind of fault that plays it and its attributes.
type toxicType struct {
	name       string
	fault      string // of faults.Builtin; "" plays nothing
	fixed      map[string]any
	attributes []attribute
	directed   bool // the fault has a direction, which is the toxic's stream
}

// attribute is one attribute of a toxic and the parameter of the fault that it sets.
type attribute struct {
	name  string
	param faults.Param
	unit  time.Duration // of a plain number where param is a duration
	stock bool          // one of Toxiproxy's: 0 when it is not given
}

// stockType is a toxic of Toxiproxy v2.12.
type stockType struct {
	fault      string
	fixed      map[string]any // parameters that make the fault what the toxic is
	attributes []stockAttribute
}

type stockAttribute struct {
	name, param string
	unit        time.Duration
}

// stockTypes returns Toxiproxy's own toxics by name.
func stockTypes() map[string]stockType {
	const ms, us = time.Millisecond, time.Microsecond
	return map[string]stockType{
		"noop":       {},
		"latency":    {"latency", nil, []stockAttribute{{"latency", "delay", ms}, {"jitter", "jitter", ms}}},
		"bandwidth":  {"bandwidth", nil, []stockAttribute{{"rate", "rate", 0}}},
		"slow_close": {"slow_close", nil, []stockAttribute{{"delay", "delay", ms}}},
		"timeout":    {"timeout", nil, []stockAttribute{{"timeout", "timeout", ms}}},
		"reset_peer": {"reset", map[string]any{"at": "data"}, []stockAttribute{{"timeout", "after", ms}}},
		"slicer":     {"slicer", nil, []stockAttribute{{"average_size", "average_size", 0}, {"size_variation", "size_variation", 0}, {"delay", "delay", us}}},
		"limit_data": {"limit_data", nil, []stockAttribute{{"bytes", "bytes", 0}}},
	}
}

// directionParam is the parameter of a fault that the stream of a toxic sets.
const directionParam = "direction"

// lookupType returns the type of that name: Toxiproxy's first, which also has what our fault of that name can do besides.
func lookupType(name string) (toxicType, bool) {
	stock, isStock := stockTypes()[name]
	t := toxicType{name: name, fault: name}
	if isStock {
		t.fault, t.fixed = stock.fault, stock.fixed
	}
	kind, known := faults.Lookup(t.fault)
	if !known {
		return t, isStock
	}
	for _, s := range stock.attributes {
		t.attributes = append(t.attributes, attribute{name: s.name, param: paramOf(kind, s.param), unit: s.unit, stock: true})
	}
	for _, p := range kind.Params {
		switch {
		case p.Name == directionParam:
			t.directed = true
		case t.fault == name && !slices.ContainsFunc(t.attributes, func(a attribute) bool { return a.param.Name == p.Name }):
			t.attributes = append(t.attributes, attribute{name: p.Name, param: p, unit: time.Millisecond})
		}
	}
	return t, true
}

func paramOf(kind faults.Kind, name string) faults.Param {
	i := slices.IndexFunc(kind.Params, func(p faults.Param) bool { return p.Name == name })
	return kind.Params[i] // a test reads every type
}

// typeNames lists every type, for messages.
func typeNames() []string {
	var names []string
	for name := range stockTypes() {
		names = append(names, name)
	}
	for _, k := range faults.Builtin() {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// attribute finds an attribute by its name, in whatever case, as in Toxiproxy. `delay` is understood for `latency` too: it is what our fault calls it.
func (t toxicType) attribute(name string) (attribute, bool) {
	for _, a := range t.attributes {
		if strings.EqualFold(a.name, name) {
			return a, true
		}
	}
	for _, a := range t.attributes {
		if strings.EqualFold(a.param.Name, name) && t.fault == t.name {
			return a, true
		}
	}
	return attribute{}, false
}

func (t toxicType) attributeNames() string {
	var names []string
	for _, a := range t.attributes {
		names = append(names, a.name)
	}
	return strings.Join(names, ", ")
}
