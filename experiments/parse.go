package experiments

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds of a file. They are far above what a person writes and far below what would hurt.
const (
	maxBytes = 4 << 20 // of the file
	maxDepth = 64      // of nesting
	maxNodes = 200_000 // after aliases are expanded: an alias bomb ends here
)

// parse reads data as one YAML document and returns its root with aliases and merge keys (<<) expanded, or nil after reporting why not.
// Duplicate keys are reported and dropped.
func parse(data []byte, r *reporter) *yaml.Node {
	if len(data) > maxBytes {
		r.addAt(0, 0, fmt.Sprintf("the file has %d bytes", len(data)), fmt.Sprintf("at most %d", maxBytes), "")
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.addAt(0, 0, "cannot read YAML: "+err.Error(), "", "")
		return nil
	}
	var doc yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF):
		r.addAt(0, 0, "the file is empty", "at least version, service and experiments", "`chaos init` writes a first one")
		return nil
	case err != nil:
		syntaxProblem(err, r)
		return nil
	}
	var second yaml.Node
	if err := loader.Load(&second); err == nil {
		r.add(&second, "a second YAML document begins here", "one document in a file", "remove the line `---`, or split the file")
	} else if !errors.Is(err, io.EOF) {
		syntaxProblem(err, r)
		return nil
	}
	if len(doc.Content) != 1 {
		r.addAt(0, 0, "the file is empty", "at least version, service and experiments", "`chaos init` writes a first one")
		return nil
	}
	e := expander{report: r, open: map[*yaml.Node]bool{}}
	root := e.expand(doc.Content[0], 0)
	if e.failed {
		return nil
	}
	return root
}

// syntaxProblem turns the parser's error into a problem, with the two traps that people meet most.
func syntaxProblem(err error, r *reporter) {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		r.addAt(0, 0, "not YAML: "+err.Error(), "", "")
		return
	}
	line, column := le.Mark.Line, le.Mark.Column
	if end := line > len(r.lines) || line > 0 && strings.TrimSpace(r.lines[line-1]) == ""; end && le.ContextMark.Line > 0 {
		line, column = le.ContextMark.Line, le.ContextMark.Column // nothing can be shown at the end of the file: show what is not finished
	}
	text := "not YAML: " + le.Message
	if le.ContextMsg != "" {
		text += " " + le.ContextMsg
		if le.ContextMark.Line > 0 && le.ContextMark.Line != line {
			text += fmt.Sprintf(" that begins on line %d", le.ContextMark.Line)
		}
	}
	suggest := ""
	if line > 0 && line <= len(r.lines) {
		l := r.lines[line-1]
		switch {
		case strings.HasPrefix(strings.TrimLeft(l, " "), "\t"):
			suggest = "indent with spaces: YAML does not allow tabs"
		case strings.Contains(l, "${") && strings.ContainsAny(l, "[{"):
			suggest = `inside [ ] and { } write variables in quotes: "${name}"`
		}
	}
	r.addAt(line, column, text, "", suggest)
}

// expander copies a node tree without aliases and merge keys.
type expander struct {
	report *reporter
	open   map[*yaml.Node]bool // anchors being expanded: an alias to one of them contains itself
	nodes  int
	failed bool
}

func (e *expander) expand(n *yaml.Node, depth int) *yaml.Node {
	if e.failed {
		return n
	}
	if e.nodes++; e.nodes > maxNodes {
		e.fail(n, fmt.Sprintf("the file grows beyond %d values when its aliases are expanded", maxNodes))
		return n
	}
	if depth > maxDepth {
		e.fail(n, fmt.Sprintf("nested deeper than %d levels", maxDepth))
		return n
	}
	if n.Kind == yaml.AliasNode {
		if n.Alias == nil || e.open[n.Alias] {
			e.fail(n, "the alias *"+n.Value+" contains itself")
			return n
		}
		return e.expand(n.Alias, depth+1)
	}
	e.open[n] = true
	defer delete(e.open, n)
	out := *n
	out.Content, out.Anchor = nil, ""
	e.checkTag(&out)
	switch n.Kind {
	case yaml.MappingNode:
		e.mapping(n, &out, depth)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			out.Content = append(out.Content, e.expand(c, depth+1))
		}
	}
	return &out
}

func (e *expander) fail(n *yaml.Node, text string) {
	e.report.add(n, text, "", "")
	e.failed = true
}

// mapping copies the pairs of n; keys written in it win over merged ones, and earlier merges over later ones, as YAML says.
func (e *expander) mapping(n, out *yaml.Node, depth int) {
	at := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content) && !e.failed; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode && key.Alias != nil {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			e.report.add(key, "a key must be plain text", "name: value", "")
			continue
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, e.expand(value, depth+1))
			continue
		}
		if first, twice := at[key.Value]; twice {
			e.report.add(key, fmt.Sprintf("`%s` is given twice, first on line %d", key.Value, out.Content[first].Line), "each key once", "")
			continue
		}
		at[key.Value] = len(out.Content)
		k := *key
		k.Anchor = ""
		out.Content = append(out.Content, &k, e.expand(value, depth+1))
	}
	for _, m := range merges {
		e.merge(m, out, at)
	}
}

func (e *expander) merge(m, out *yaml.Node, at map[string]int) {
	if m.Kind == yaml.SequenceNode {
		for _, c := range m.Content {
			e.merge(c, out, at)
		}
		return
	}
	if m.Kind != yaml.MappingNode {
		e.report.add(m, "`<<` merges "+describe(m), "a mapping, usually an alias such as *defaults", "")
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if _, has := at[m.Content[i].Value]; !has {
			at[m.Content[i].Value] = len(out.Content)
			out.Content = append(out.Content, m.Content[i], m.Content[i+1])
		}
	}
}

// checkTag refuses tags: the language has no types of its own, and a tag would only change what a value means.
func (e *expander) checkTag(n *yaml.Node) {
	if n.Style&yaml.TaggedStyle == 0 {
		return
	}
	e.report.add(n, "the tag "+n.Tag+" is not part of the language", "a plain value", "remove the tag")
	n.Style &^= yaml.TaggedStyle
	if n.Tag = ""; n.Kind == yaml.ScalarNode {
		n.Tag = plainTag(n.Value)
		return
	}
	n.Tag = n.ShortTag()
}
