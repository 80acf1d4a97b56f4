package experiments

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/probes"
)

// Schema returns the JSON Schema (draft 2020-12) of the language, made from the same types and field table that Load decodes with, indented
// and with a final newline. Whatever it refuses, Load refuses too.
func Schema() ([]byte, error) {
	b := schemaBuilder{defs: jsonschema.Definitions{}}
	root := b.section(reflect.TypeFor[File](), false)
	root.Version = jsonschema.Version
	root.Title = "experiments.yaml"
	root.PatternProperties = map[string]*jsonschema.Schema{"^x-": jsonschema.TrueSchema}
	root.Definitions = b.defs
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the JSON Schema: %w", err)
	}
	return append(data, '\n'), nil
}

// schemaBuilder makes definitions as they are needed. Within an experiment ("cell") ${axis} may stand for any value, and the service needs
// nothing, so that definitions there are apart from those of the file.
type schemaBuilder struct{ defs jsonschema.Definitions }

type schema = jsonschema.Schema

// define returns a reference to a definition, making it the first time.
func (b *schemaBuilder) define(name string, cell bool, build func() *schema) *schema {
	if cell {
		name = "cell." + name
	}
	if _, has := b.defs[name]; !has {
		b.defs[name] = &schema{} // for a definition that refers to itself
		b.defs[name] = build()
	}
	return &schema{Ref: "#/$defs/" + name}
}

// section is the schema of a mapping with the fields of the struct t.
func (b *schemaBuilder) section(t reflect.Type, cell bool) *schema {
	sh := shapes()[t]
	s := &schema{Type: "object", Description: sh.section.doc, AdditionalProperties: jsonschema.FalseSchema}
	s.Properties = jsonschema.NewProperties()
	partial := cell && partialInCell(t)
	for _, f := range sh.fields {
		s.Properties.Set(f.name, b.field(t, f, cell))
		if f.entry.def == required && !partial {
			s.Required = append(s.Required, f.name)
		}
	}
	shapeRules(t, s)
	return s
}

// partialInCell: under an experiment these are laid over the file's own.
func partialInCell(t reflect.Type) bool {
	return t == reflect.TypeFor[Service]() || t == reflect.TypeFor[Stop]() || t == reflect.TypeFor[Restart]()
}

// optional tells whether an empty mapping would do.
func optional(sh *shape, cell bool) bool {
	for _, f := range sh.fields {
		if f.entry.def == required && !(cell && partialInCell(sh.section.of)) {
			return false
		}
	}
	rules := &schema{Properties: jsonschema.NewProperties()}
	shapeRules(sh.section.of, rules)
	return len(rules.OneOf)+len(rules.AnyOf) == 0
}

// shapeRules adds what the fields alone do not say.
func shapeRules(t reflect.Type, s *schema) {
	switch t {
	case reflect.TypeFor[Injection]():
		from, _ := s.Properties.Get("from")
		s.Properties.Set("when", from)
		one := &schema{Required: []string{"when", "from"}}
		both := &schema{Required: []string{"during"}, AnyOf: requireEach("from", "when", "until")}
		s.AllOf = []*schema{{Not: one}, {Not: both}}
	case reflect.TypeFor[probes.Spec](), reflect.TypeFor[Ready](), reflect.TypeFor[Proof](), reflect.TypeFor[TrafficStep]():
		s.OneOf = requireEach(probeKinds...)
	case reflect.TypeFor[Dependency]():
		s.OneOf = requireEach("upstream", "command", "server")
	case reflect.TypeFor[RenderedFile]():
		s.OneOf = requireEach("template", "content")
	case reflect.TypeFor[Trigger]():
		s.OneOf = requireEach("connect", "log", "sends", "receives")
		s.DependentRequired = map[string][]string{"nth": {"connect"}}
	case reflect.TypeFor[phases.Match]():
		s.OneOf = requireEach("log", "connect", "http", "notify", "mark")
	case reflect.TypeFor[contracts.Expectation]():
		s.OneOf = requireEach(expectationKinds...)
		s.DependentRequired = map[string][]string{"message": {"expr"}}
	case reflect.TypeFor[Orchestrator]():
		s.OneOf = requireEach("kubernetes", "compose", "systemd")
	case reflect.TypeFor[contracts.Invariants]():
		s.Properties.Set("message", &schema{Type: "string", Description: "Beside `expr`: what it means that it is not true."})
		s.DependentRequired = map[string][]string{"message": {"expr"}}
	case reflect.TypeFor[Cover]():
		s.OneOf = requireEach(coverKinds...)
	case reflect.TypeFor[contracts.Retry]():
		s.AnyOf = requireEach(retryRules...)
	case reflect.TypeFor[contracts.Memory](), reflect.TypeFor[contracts.Threads]():
		s.AnyOf = requireEach("max", "growth")
	case reflect.TypeFor[AskStop]():
		s.OneOf = requireEach("during", "when")
	case reflect.TypeFor[probes.HTTP]():
		s.DependentRequired = map[string][]string{"equals": {"json"}}
	case reflect.TypeFor[probes.WebSocket]():
		s.AllOf = []*schema{{Not: &schema{Required: []string{"expect", "status"}}}}
	}
}

func requireEach(names ...string) []*schema {
	out := make([]*schema, len(names))
	for i, n := range names {
		out[i] = &schema{Required: []string{n}}
	}
	return out
}

// field is the schema of one field with its description, default and example.
func (b *schemaBuilder) field(of reflect.Type, f shapeField, cell bool) *schema {
	inCell := cell || of == reflect.TypeFor[Experiment]()
	var s *schema
	switch {
	case f.entry.kind == "rate":
		s = union(&schema{Type: "number", Minimum: "0"}, &schema{Type: "string", Pattern: `^[0-9]+(\.[0-9]+)? */s$`}, anyValue(inCell))
	case of == reflect.TypeFor[Injection]() && f.name == "on":
		text := &schema{Type: "string"}
		s = union(text, &schema{Type: "array", Items: text, MinItems: minimum(1)})
	case of == reflect.TypeFor[Experiment]() && f.name == "service":
		s = b.define("service", true, func() *schema { return b.section(reflect.TypeFor[Service](), true) })
		s = union(s, anyValue(true))
	case of == reflect.TypeFor[contracts.Invariants]() && f.typ.Kind() == reflect.Bool:
		s = union(&schema{Type: "boolean"}, &schema{Type: "null"}, anyValue(inCell))
	default:
		s = b.value(f.typ, f.entry, inCell)
	}
	if cell && (of == reflect.TypeFor[Service]() || of == reflect.TypeFor[Traffic]() || of == reflect.TypeFor[SLA]()) {
		s = union(s, &schema{Type: "null"}) // removes what the file says
	}
	out := *s
	out.Description = f.entry.doc
	if f.def != nil {
		out.Default = plain(f.def)
	}
	if f.entry.example != "" {
		out.Examples = []any{plain(literal(f.entry.example))}
	}
	return &out
}

// value is the schema of a type, as value of the decoder reads it.
func (b *schemaBuilder) value(t reflect.Type, e entry, cell bool) *schema {
	if s := b.union(t, cell); s != nil {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.value(t.Elem(), e, cell)
	case reflect.Struct:
		return b.structure(t, cell)
	case reflect.Slice:
		return b.list(t, e, cell)
	case reflect.Map:
		items := b.value(t.Elem(), entry{}, cell)
		if t.Elem().Kind() == reflect.String {
			items = scalarValue()
			if cell {
				items = union(scalarValue(), &schema{Type: "null"}) // removes a key of the file's
			}
		}
		return union(&schema{Type: "object", AdditionalProperties: items}, &schema{Type: "null"}, anyValue(cell))
	case reflect.String:
		return b.text(e, cell)
	case reflect.Bool:
		return union(&schema{Type: "boolean"}, variableText(cell))
	case reflect.Float64, reflect.Int, reflect.Int64, reflect.Uint64:
		return b.number(t, e, cell)
	}
	return jsonschema.TrueSchema
}

// structure is a mapping; where nothing in it is required, no value at all means its defaults.
func (b *schemaBuilder) structure(t reflect.Type, cell bool) *schema {
	sh := shapes()[t]
	ref := b.define(sh.section.name, cell, func() *schema { return b.section(t, cell) })
	var null *schema
	if optional(sh, cell) {
		null = &schema{Type: "null"}
	}
	return union(ref, null, anyValue(cell))
}

func (b *schemaBuilder) list(t reflect.Type, e entry, cell bool) *schema {
	items := b.value(t.Elem(), entry{}, cell)
	if t.Elem().Kind() == reflect.String {
		items = scalarValue()
	}
	array := &schema{Type: "array", Items: items}
	switch {
	case e.format == formatArgv:
		array.MinItems = minimum(1)
		return union(&schema{Type: "string", MinLength: minimum(1)}, array)
	case e.format == formatLines && t.Elem().Kind() == reflect.String:
		return union(scalarValue(), array)
	case e.format == formatLines:
		return union(scalarValue(), array, &schema{Type: "null"})
	case t == reflect.TypeFor[[]Experiment]():
		array.MinItems = minimum(1)
		return array
	case e.name == "any_of" || e.name == "all_of":
		array.MinItems = minimum(1)
		return union(array, anyValue(cell))
	}
	return union(array, &schema{Type: "null"}, anyValue(cell))
}

func (b *schemaBuilder) text(e entry, cell bool) *schema {
	s := &schema{Type: "string"}
	if len(e.enum) > 0 {
		for _, v := range e.enum {
			s.Enum = append(s.Enum, v)
		}
		return union(s, variableText(cell))
	}
	switch e.format {
	case formatURL:
		s.Pattern = `^(https?://.|\$\{)`
	case formatWSURL:
		s.Pattern = `^(wss?://.|\$\{)`
	case formatAddress:
		s.Pattern = `^(.+:[0-9]+|.*\$\{.*)$`
	case formatPath:
		s.Pattern = `^\$`
	}
	return s
}

func (b *schemaBuilder) number(t reflect.Type, e entry, cell bool) *schema {
	s := &schema{Type: "integer"}
	if t.Kind() == reflect.Float64 {
		s.Type = "number"
	}
	if t.Kind() == reflect.Uint64 {
		s.Minimum = "0"
	}
	if e.min != nil {
		s.Minimum = json.Number(strconv.FormatFloat(*e.min, 'f', -1, 64))
	}
	if e.max != nil {
		s.Maximum = json.Number(strconv.FormatFloat(*e.max, 'f', -1, 64))
	}
	if e.name == "toxicity" {
		s.ExclusiveMinimum, s.Minimum = "0", ""
	}
	return union(s, variableText(cell))
}

// union is the schema of a value that may be any of several; nil ones are left out.
func union(list ...*schema) *schema {
	var out []*schema
	for _, s := range list {
		if s != nil {
			out = append(out, s)
		}
	}
	if len(out) == 1 {
		return out[0]
	}
	return &schema{AnyOf: out}
}

// scalarValue is any plain value: the decoder takes it as it is written.
func scalarValue() *schema {
	return union(&schema{Type: "string"}, &schema{Type: "number"}, &schema{Type: "boolean"})
}

// variableText is a text with a variable in place of a plain value.
func variableText(cell bool) *schema {
	if cell {
		return anyValue(true)
	}
	return &schema{Type: "string", Pattern: `\$\{(env|var)\.`}
}

// anyValue is a text with a variable in place of any value: within an experiment that is an axis of its matrix.
func anyValue(cell bool) *schema {
	if !cell {
		return nil
	}
	return &schema{Type: "string", Pattern: `\$\{`}
}

func minimum(n uint64) *uint64 { return &n }
