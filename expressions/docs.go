package expressions

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed docs_head.md
var docsHead string

// Markdown returns docs/expr.md, made from Vocabulary.
func Markdown() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, k := range Vocabulary() {
		fmt.Fprintf(&b, "## %s\n\n%s %s\n\n", k.Name, waysTo(k), k.Doc)
		b.WriteString("| field | type | unit | meaning | no value when | example |\n|---|---|---|---|---|---|\n")
		for _, f := range k.Fields {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | `%s` |\n", f.Name, f.Type, f.Unit, f.Doc, f.Absent, strings.ReplaceAll(f.Example, "|", `\|`))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// waysTo says how an expression gets at a kind of object.
func waysTo(k Kind) string {
	var ways []string
	if k.Variable != "" {
		ways = append(ways, fmt.Sprintf("`%s` is one.", k.Variable))
	}
	if k.Function != "" {
		ways = append(ways, fmt.Sprintf("`%s(NAME)` is one, by its name; a name that the file does not declare is refused.", k.Function))
	}
	if k.List != "" {
		ways = append(ways, fmt.Sprintf("`%s` is the list of all.", k.List))
	}
	return strings.Join(ways, " ")
}
