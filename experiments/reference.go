package experiments

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/timeline"
)

// Reference returns the reference of the language in Markdown, made from Fields and the catalogue of faults: docs/language.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range sections() {
		writeSection(&b, s)
	}
	b.WriteString("## Faults\n\nA bare name takes the defaults, one value is the first parameter: `{latency: 3s}` is `{latency: {delay: 3s}}`.\n\n")
	for _, k := range faults.Builtin() {
		writeFault(&b, k)
	}
	fmt.Fprintf(&b, "Part of the language but not played by this version: `%s`.\n", strings.Join(notYet(), "`, `"))
	return b.String()
}

// notYet lists the reserved faults that the catalogue lacks.
func notYet() []string {
	var out []string
	for _, name := range reservedFaults {
		if _, ok := faults.Lookup(name); !ok {
			out = append(out, name)
		}
	}
	return out
}

func writeSection(b *strings.Builder, s section) {
	fmt.Fprintf(b, "## `%s`\n\n%s\n\n", s.name, s.doc)
	if len(s.fields) > 0 {
		b.WriteString("| field | type | default | meaning | example |\n|---|---|---|---|---|\n")
	}
	for _, e := range s.fields {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s%s | `%s` |\n", e.name, typeName(s.of, e), defaultWords(e), cellEscape(e.doc), enumWords(e),
			cellEscape(e.name+": "+e.example))
	}
	if len(s.fields) > 0 {
		b.WriteString("\n")
	}
	if len(s.reserved) > 0 {
		fmt.Fprintf(b, "Part of the language but not played by this version: `%s`.\n\n", strings.Join(s.reserved, "`, `"))
	}
}

func defaultWords(e entry) string {
	switch {
	case e.def == required:
		return "**required**"
	case e.def == "":
		return ""
	case strings.HasPrefix(e.def, "("):
		return strings.Trim(e.def, "()")
	}
	return "`" + cellEscape(e.def) + "`"
}

func enumWords(e entry) string {
	var out string
	if len(e.enum) > 1 {
		out = " One of `" + strings.Join(e.enum, "`, `") + "`."
	}
	if e.min != nil && e.max != nil && *e.min != *e.max {
		out += fmt.Sprintf(" From %g to %.0f.", *e.min, *e.max)
	}
	return out
}

// cellEscape keeps a text within its cell of a Markdown table.
func cellEscape(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "|", `\|`), "\n", " ")
}

func writeFault(b *strings.Builder, k faults.Kind) {
	fmt.Fprintf(b, "### `%s`\n\n%s\n\nThe client meets: %s\n\n```yaml\n%s\n```\n\n", k.Name, k.Doc, k.Client, strings.TrimSpace(k.Example))
	if len(k.Params) == 0 {
		return
	}
	b.WriteString("| parameter | type | default | meaning |\n|---|---|---|---|\n")
	for _, p := range k.Params {
		kind := string(p.Type)
		if len(p.Enum) > 0 {
			kind = "`" + strings.Join(p.Enum, "`, `") + "`"
		}
		if p.Unit != "" {
			kind += ", " + p.Unit
		}
		doc := p.Doc
		if limits := p.Range(); limits != "" {
			doc += " (" + limits + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s |\n", p.Name, kind, defaultOf(p), cellEscape(doc))
	}
	b.WriteString("\n")
}

// referenceHead is what is said before the fields: variables and trials.
//
//go:embed reference_head.md
var referenceHead string

// defaultOf writes the default of a fault's parameter as a file would.
func defaultOf(p faults.Param) string {
	if d, ok := p.Default.(timeline.Duration); ok {
		return short(d)
	}
	return fmt.Sprint(p.Default)
}
