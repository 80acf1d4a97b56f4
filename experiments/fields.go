package experiments

import (
	"reflect"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// FieldDoc documents one field of the language. Help, docs/language.md and the descriptions of the JSON Schema are made from it.
type FieldDoc struct {
	Section  string   // where it stands: "service.stop"
	Name     string   // "grace"
	Type     string   // in words: "duration"
	Required bool     // the file is refused without it
	Default  string   // YAML, or prose in parentheses; "" when there is none
	Enum     []string // the only values allowed, nil when free
	Doc      string   // one or two sentences
	Example  string   // YAML of the value, in flow style
}

// Fields returns every field of the language, section by section, in the order in which the documentation shows them.
func Fields() []FieldDoc {
	var out []FieldDoc
	for _, s := range sections() {
		for _, e := range s.fields {
			out = append(out, FieldDoc{
				Section: s.name, Name: e.name, Type: typeName(s.of, e), Required: e.def == required,
				Default: strings.TrimPrefix(e.def, required), Enum: e.enum, Doc: e.doc, Example: e.example,
			})
		}
	}
	return out
}

// required is the default of a field that has none and must be given.
const required = "!"

// section is one mapping of the language and the Go type it is decoded into.
type section struct {
	name   string // "service.stop"
	title  string // for messages: "the stop of a service"
	doc    string
	of     reflect.Type
	fields []entry
	// reserved names are part of the language but not played by this version.
	reserved []string
}

// entry is what the language knows of one field besides its Go type.
type entry struct {
	name    string
	def     string // YAML that is decoded when the field is absent; "(prose)" is only shown; required
	enum    []string
	format  format
	min     *float64 // of a number
	max     *float64
	doc     string
	example string
	kind    string // type in words for an entry that has no Go field of its own
}

// format narrows what a text may be.
type format string

// The formats.
const (
	formatRegexp  format = "regular expression"
	formatPhaseRE format = "regular expression with a group named phase"
	formatURL     format = "http or https URL"
	formatWSURL   format = "ws or wss URL"
	formatAddress format = "host:port"
	formatArgv    format = "argv"  // a list, or one string split like a shell would
	formatLines   format = "lines" // a list of text, or one text
	formatPath    format = "JSON path"
)

// bounds makes the pointer of a min or max.
func bounds(v float64) *float64 { return &v }

// sections are all mappings of the language in the order of the documentation.
var sections = sync.OnceValue(func() []section {
	var out []section
	out = append(out, fileSections()...)
	out = append(out, momentSections()...)
	out = append(out, probeSections()...)
	out = append(out, trafficSections()...)
	out = append(out, contractSections()...)
	out = append(out, checklistSections()...)
	out = append(out, orchestratorSections()...)
	out = append(out, mannersSections()...)
	return out
})

// shape is a struct as the decoder sees it: its fields by YAML name.
type shape struct {
	section section
	fields  []shapeField
}

// shapeField is one field; index is a path through embedded structs.
type shapeField struct {
	name  string
	index []int
	typ   reflect.Type
	entry entry
	def   *yaml.Node // the default to decode, nil when there is none
}

func (s *shape) field(name string) (shapeField, bool) {
	for _, f := range s.fields {
		if f.name == name {
			return f, true
		}
	}
	return shapeField{}, false
}

func (s *shape) names() []string {
	out := make([]string, len(s.fields))
	for i, f := range s.fields {
		out[i] = f.name
	}
	return out
}

// shapes has every struct of the language by type.
var shapes = sync.OnceValue(func() map[reflect.Type]*shape {
	entries := map[reflect.Type]map[string]entry{}
	for _, s := range sections() {
		entries[s.of] = map[string]entry{}
		for _, e := range s.fields {
			entries[s.of][e.name] = e
		}
	}
	out := map[reflect.Type]*shape{}
	for _, s := range sections() {
		sh := &shape{section: s}
		sh.collect(s.of, nil, entries)
		out[s.of] = sh
	}
	return out
})

// collect walks the fields of t. An embedded struct marked inline contributes its own.
func (s *shape) collect(t reflect.Type, prefix []int, entries map[reflect.Type]map[string]entry) {
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(append([]int{}, prefix...), i)
		name, inline := yamlName(f)
		switch {
		case inline:
			s.collect(f.Type, index, entries)
		case name != "":
			if e, ok := entries[t][name]; ok { // what the table lacks is not of the language
				field := shapeField{name: name, index: index, typ: f.Type, entry: e}
				if e.def != "" && e.def != required && !strings.HasPrefix(e.def, "(") {
					field.def = literal(e.def)
				}
				s.fields = append(s.fields, field)
			}
		}
	}
	if len(prefix) > 0 {
		s.section.reserved = append(s.section.reserved, shapesReserved(t)...)
	}
}

// shapesReserved returns the reserved names of the section of t: an embedding type inherits them.
func shapesReserved(t reflect.Type) []string {
	for _, s := range sections() {
		if s.of == t {
			return s.reserved
		}
	}
	return nil
}

// yamlName returns the name of a field in the language: its yaml tag, or its json tag where there is no other.
func yamlName(f reflect.StructField) (name string, inline bool) {
	if !f.IsExported() {
		return "", false
	}
	tag, ok := f.Tag.Lookup("yaml")
	if !ok {
		tag = f.Tag.Get("json")
	}
	name, options, _ := strings.Cut(tag, ",")
	if options == "inline" {
		return "", true
	}
	if name == "-" {
		return "", false
	}
	return name, false
}

// typeName words the type of an entry: that of its Go field unless the entry says otherwise.
func typeName(of reflect.Type, e entry) string {
	if e.kind != "" {
		return e.kind
	}
	sh := shapes()[of]
	f, ok := sh.field(e.name)
	if !ok {
		return ""
	}
	switch e.format {
	case formatArgv:
		return "argv"
	case formatLines:
		return "text or list of text"
	case "":
		return typeWords(f.typ)
	}
	return "text: " + string(e.format)
}

// typeWords names the types that have no section, and refers to the section of those that have.
func typeWords(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[timeline.Duration]():
		return "duration"
	case reflect.TypeFor[faults.Spec]():
		return "fault"
	case reflect.TypeFor[Trigger]():
		return "moment"
	case reflect.TypeFor[contracts.Expectation]():
		return "expectation"
	case reflect.TypeFor[contracts.Invariants]():
		return "invariants"
	case reflect.TypeFor[contracts.ExitCode]():
		return "exit code"
	case reflect.TypeFor[contracts.Size]():
		return "size"
	case reflect.TypeFor[phases.Match]():
		return "match"
	case reflect.TypeFor[[]Dependency]():
		return "mapping of dependency"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeWords(t.Elem())
	case reflect.Slice:
		return "list of " + typeWords(t.Elem())
	case reflect.Map:
		return "mapping of " + typeWords(t.Elem())
	case reflect.Struct:
		if sh := shapes()[t]; sh != nil {
			return sh.section.name
		}
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any value"
	}
	return "whole number"
}
