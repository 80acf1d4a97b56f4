package experiments

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/phases"
	"github.com/chaos-startup/chaos/timeline"
)

// durationPattern is what time.ParseDuration takes, but for a sign and a bare 0.
const durationPattern = `^ *\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|` + "\u00b5s|\u03bcs" + `|ms|s|m|h))+ *$`

// sizePattern is what humanize.ParseBytes takes, but for a bare number.
const sizePattern = `^[0-9][0-9.,]* *(?i:b|[kmgtpe]i?b?)$`

// union is the schema of a type that unionHooks decodes, or nil. The two must be changed together; a test compares what they take.
func (b *schemaBuilder) union(t reflect.Type, cell bool) *schema {
	switch t {
	case reflect.TypeFor[timeline.Duration]():
		return b.define("duration", cell, func() *schema {
			return union(&schema{Type: "string", Pattern: durationPattern,
				Description: "A number with its unit: 200ms, 5s, 1m30s."}, variableText(cell))
		})
	case reflect.TypeFor[faults.Spec]():
		return b.define("fault", cell, func() *schema { return b.fault(cell) })
	case reflect.TypeFor[Trigger]():
		return b.define("moment", cell, func() *schema {
			return union(&schema{Type: "string", MinLength: minimum(1), Description: "start, ready, or the begin of a phase"}, b.section(t, cell))
		})
	case reflect.TypeFor[[]Dependency]():
		return b.dependencies()
	case reflect.TypeFor[map[string][]any]():
		return b.matrix()
	case reflect.TypeFor[phases.Spec]():
		list := &schema{Type: "array", MinItems: minimum(1), Items: b.value(reflect.TypeFor[phases.Phase](), entry{}, cell)}
		mapping := b.define("phases", cell, func() *schema { return b.section(t, cell) })
		return union(mapping, list, &schema{Type: "null"})
	case reflect.TypeFor[phases.Match]():
		return b.define("match", cell, func() *schema { return union(&schema{Const: "ready"}, b.section(t, cell)) })
	case reflect.TypeFor[contracts.Expectation]():
		return b.expectation(cell)
	case reflect.TypeFor[contracts.Invariants]():
		return b.invariants(cell)
	case reflect.TypeFor[[]contracts.Expr]():
		one := union(&schema{Type: "string", MinLength: minimum(1)}, b.structure(reflect.TypeFor[contracts.Expr](), cell))
		return union(one, &schema{Type: "array", Items: one})
	case reflect.TypeFor[Cover]():
		return b.define("cover", false, func() *schema { return union(scalarValue(), b.section(t, false)) })
	case reflect.TypeFor[contracts.ExitCode]():
		return union(&schema{Enum: []any{"nonzero", "any", "clean"}}, &schema{Type: "integer", Minimum: "0", Maximum: "255"},
			&schema{Type: "string", Pattern: `^[0-9]{1,3}$`}, variableText(cell))
	case reflect.TypeFor[contracts.Size]():
		return union(&schema{Type: "string", Pattern: sizePattern, Description: "A number of bytes with its unit: 512MiB, 1GiB, 64MB."}, variableText(cell))
	case reflect.TypeFor[contracts.ThenRestart]():
		return union(&schema{Const: true}, &schema{Type: "null"}, b.section(t, cell))
	case reflect.TypeFor[map[string]contracts.Expectation]():
		return union(&schema{Type: "object", PropertyNames: &schema{Not: &schema{Enum: anyList(expectationKinds)}},
			AdditionalProperties: b.expectation(cell)}, &schema{Type: "null"})
	}
	return nil
}

func anyList(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// dependencies is a mapping by name.
func (b *schemaBuilder) dependencies() *schema {
	t := reflect.TypeFor[Dependency]()
	item := b.define("dependency", false, func() *schema { return b.section(t, false) })
	names := &schema{Pattern: identifier.String(), Not: &schema{Enum: anyList(reservedNames)}}
	return union(&schema{Type: "object", PropertyNames: names, AdditionalProperties: item}, &schema{Type: "null"})
}

func (b *schemaBuilder) matrix() *schema {
	values := &schema{Type: "array", MinItems: minimum(1), UniqueItems: true, Items: &schema{Not: &schema{Type: "null"}}}
	hidden := anyList([]string{"env", "var", "port", "file", "bin", "dir", "trial", "seed", "ca"})
	names := &schema{Pattern: identifier.String(), Not: &schema{Enum: hidden}}
	return union(&schema{Type: "object", PropertyNames: names, AdditionalProperties: values}, &schema{Type: "null"})
}

func (b *schemaBuilder) expectation(cell bool) *schema {
	t := reflect.TypeFor[contracts.Expectation]()
	return b.define("expectation", cell, func() *schema {
		self := &schema{Ref: "#/$defs/expectation"}
		if cell {
			self.Ref = "#/$defs/cell.expectation"
		}
		name := &schema{Type: "string", MinLength: minimum(1),
			Description: "A contract under `contracts`, or " + strings.Join(builtinExpectations, ", ") + " with its defaults."}
		return union(name, &schema{Type: "array", MinItems: minimum(1), Items: self, Description: "All of these."}, b.section(t, cell))
	})
}

// invariants is a list of names and one-key mappings, or one mapping.
func (b *schemaBuilder) invariants(cell bool) *schema {
	t := reflect.TypeFor[contracts.Invariants]()
	mapping := b.define("invariants", cell, func() *schema { return b.section(t, cell) })
	var bare []any
	for _, f := range shapes()[t].fields {
		if f.typ.Kind() == reflect.Bool || (f.typ.Kind() == reflect.Pointer && !slices.Contains([]string{"retry", "memory", "threads"}, f.name)) {
			bare = append(bare, f.name)
		}
	}
	item := union(&schema{Type: "string", Enum: bare}, mapping, anyValue(cell))
	return union(mapping, &schema{Type: "array", Items: item}, &schema{Type: "null"}, anyValue(cell))
}

// fault is a name, or a mapping of one name to its parameters or first parameter.
func (b *schemaBuilder) fault(cell bool) *schema {
	mapping := &schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema,
		MinProperties: minimum(1), MaxProperties: minimum(1)}
	for _, k := range faults.Builtin() {
		params := &schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
		for _, p := range k.Params {
			params.Properties.Set(p.Name, faultParam(p, cell))
		}
		alternatives := []*schema{params, {Type: "null"}, anyValue(cell)}
		if len(k.Params) > 0 {
			alternatives = append(alternatives, faultParam(k.Params[0], cell))
		}
		one := union(alternatives...)
		one.Description = k.Doc
		mapping.Properties.Set(k.Name, one)
	}
	return union(&schema{Type: "string", Enum: anyList(faultNames())}, mapping, anyValue(cell))
}

// faultParam is the schema of one parameter.
func faultParam(p faults.Param, cell bool) *schema {
	var s *schema
	switch p.Type {
	case faults.TypeDuration:
		s = union(&schema{Type: "string", Pattern: durationPattern}, &schema{Const: 0}, variableText(cell))
	case faults.TypeInt, faults.TypeFloat:
		number := &schema{Type: "integer", Minimum: number(p.Min), Maximum: number(p.Max)}
		if p.Type == faults.TypeFloat {
			number.Type = "number"
		}
		s = union(number, &schema{Type: "string", Pattern: `^ *-?[0-9.]+ *$`}, variableText(cell))
	case faults.TypeBool:
		s = union(&schema{Type: "boolean"}, &schema{Enum: []any{"true", "false"}}, variableText(cell))
	case faults.TypeEnum:
		s = union(&schema{Enum: append(anyList(p.Enum), numbersOf(p.Enum)...)}, variableText(cell))
	default:
		s = &schema{Type: "string"}
		if p.Pattern != nil { // a code of digits alone is a number to YAML
			s = union(&schema{Type: "string", Pattern: p.Pattern.String()}, &schema{Type: "integer"}, variableText(cell))
		}
	}
	out := *s
	out.Description = p.Doc
	if d, ok := p.Default.(timeline.Duration); ok {
		out.Default = short(d)
	} else {
		out.Default = p.Default
	}
	return &out
}

// numbersOf lists the names that are numbers to YAML when they stand without quotes.
func numbersOf(names []string) (out []any) {
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func number(limit any) json.Number {
	switch v := limit.(type) {
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return ""
}
