package experiments

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// Every field of every type of the language is in the table, and the table has no other.
func TestTableIsComplete(t *testing.T) {
	virtual := map[string]bool{"injection.when": true}
	internal := map[string]bool{"expectation.name": true} // set by the resolver
	for _, s := range sections() {
		inTable := map[string]bool{}
		for _, e := range s.fields {
			require.False(t, inTable[e.name], "%s.%s is there twice", s.name, e.name)
			inTable[e.name] = true
			require.NotEmpty(t, e.doc, s.name+"."+e.name)
			require.NotEmpty(t, e.example, s.name+"."+e.name)
			require.True(t, strings.HasSuffix(e.doc, "."), "%s.%s: %q is no sentence", s.name, e.name, e.doc)
		}
		for i := range s.of.NumField() {
			name, inline := yamlName(s.of.Field(i))
			if name == "" || inline || internal[s.name+"."+name] {
				continue
			}
			require.True(t, inTable[name], "%s.%s is not in the field table", s.name, name)
			delete(inTable, name)
		}
		for name := range inTable {
			require.True(t, virtual[s.name+"."+name], "%s.%s is no field of %s", s.name, name, s.of)
		}
	}
}

// Every struct that the decoder can meet has a section.
func TestEveryStructHasASection(t *testing.T) {
	seen := map[reflect.Type]bool{}
	hooks := unionHooks()
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
		case reflect.Struct:
			if sh := shapes()[typ]; sh != nil {
				for _, f := range sh.fields {
					walk(f.typ)
				}
				return
			}
			require.NotNil(t, hooks[typ], "%s has neither a section nor a hook", typ)
		}
	}
	walk(reflect.TypeFor[File]())
}

// Every example and every default of the table is what its field takes, and the schema takes the example too.
func TestExamplesDecode(t *testing.T) {
	for _, s := range sections() {
		sh := shapes()[s.of]
		for _, e := range s.fields {
			name := e.name
			if name == "when" && s.name == "injection" {
				name = "from"
			}
			f, ok := sh.field(name)
			require.True(t, ok, s.name+"."+e.name)
			for _, text := range []string{e.example, e.def} {
				if text == "" || text == required || strings.HasPrefix(text, "(") {
					continue
				}
				r := newReporter(s.name+"."+e.name, []byte(text))
				var doc yaml.Node
				require.NoError(t, yaml.Load([]byte(text), &doc), s.name+"."+e.name)
				if name := s.name + "." + e.name; name == "experiment.service" || name == "invariants.retry.max_rate" {
					continue // laid over the file's (TestOverlay), read by the hook of retry (TestFullFile)
				}
				newDecoder(r).value(doc.Content[0], reflect.New(f.typ).Elem(), "example", f.entry)
				require.Empty(t, r.list, "%s.%s: %s", s.name, e.name, text)
			}
		}
	}
}

func TestFieldDocs(t *testing.T) {
	var found bool
	for _, f := range Fields() {
		require.NotEmpty(t, f.Type, f.Section+"."+f.Name)
		if f.Section == "service.stop" && f.Name == "grace" {
			found = true
			require.Equal(t, FieldDoc{Section: "service.stop", Name: "grace", Type: "duration", Default: "5s", Doc: "How long it may take.", Example: "2s"}, f)
		}
	}
	require.True(t, found)
}

func TestGoldenReference(t *testing.T) {
	golden(t, "../docs/language.md", Reference())
}
