package probes

import (
	"fmt"
	"strings"
)

// Markdown returns the documentation of every kind of probe, made from Builtin.
func Markdown() string {
	var b strings.Builder
	for _, k := range Builtin() {
		fmt.Fprintf(&b, "### %s\n\n%s\n\n```yaml\n%s\n```\n\n", k.Name, k.Doc, k.Example)
	}
	return b.String()
}
