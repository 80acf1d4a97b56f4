package orchestrators

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Mistake is something in an imported file, or in what was asked of it, that cannot be used. Line and Column count from 1; Line is 0 when the
// whole file is meant.
type Mistake struct {
	Line, Column int
	Choice       string // the name that was asked for is wrong, and not the file: "container", "workload" or "service"
	Text         string
	Expected     string
	Wrong        string   // a name that nobody knows
	Known        []string // what it may have been meant to be
}

// Error is the text with what was expected.
func (m *Mistake) Error() string {
	if m.Expected != "" {
		return m.Text + ": expected " + m.Expected
	}
	return m.Text
}

func wrong(n *yaml.Node, expected, format string, args ...any) *Mistake {
	m := &Mistake{Text: fmt.Sprintf(format, args...), Expected: expected}
	if n != nil {
		m.Line, m.Column = n.Line, n.Column
	}
	return m
}

// maxDocuments bounds the YAML documents of one file.
const maxDocuments = 1000

// documents parses a YAML file into the roots of its documents.
func documents(data []byte) ([]*yaml.Node, *Mistake) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, &Mistake{Text: "cannot read YAML: " + err.Error()}
	}
	var roots []*yaml.Node
	for len(roots) < maxDocuments {
		var doc yaml.Node
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return roots, nil
		}
		if err != nil {
			return nil, notYAML(err, data)
		}
		if len(doc.Content) == 1 {
			roots = append(roots, doc.Content[0])
		}
	}
	return nil, &Mistake{Text: fmt.Sprintf("the file has more than %d documents", maxDocuments)}
}

// notYAML words the parser's error; a template is a frequent cause.
func notYAML(err error, data []byte) *Mistake {
	m := &Mistake{Text: "not YAML: " + err.Error()}
	var at *yaml.LoadError
	if errors.As(err, &at) {
		m.Line, m.Column, m.Text = at.Mark.Line, at.Mark.Column, "not YAML: "+at.Message
	}
	if bytes.Contains(data, []byte("{{")) {
		m.Expected = "a rendered manifest: this looks like a template (helm template, kustomize build)"
	}
	return m
}

// resolved follows an alias.
func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

// maxMerges bounds merge keys within merge keys.
const maxMerges = 10

// pairs returns the keys of a mapping, those of merge keys (<<) too. Its own come first.
func pairs(n *yaml.Node) []pair { return pairsWithin(resolved(n), maxMerges) }

func pairsWithin(n *yaml.Node, depth int) []pair {
	if n == nil || n.Kind != yaml.MappingNode || depth == 0 {
		return nil
	}
	var own, merged []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolved(n.Content[i+1])
		switch {
		case key.Value != "<<":
			own = append(own, pair{key, value})
		case value.Kind == yaml.SequenceNode:
			for _, c := range value.Content {
				merged = append(merged, pairsWithin(resolved(c), depth-1)...)
			}
		default:
			merged = append(merged, pairsWithin(value, depth-1)...)
		}
	}
	for _, m := range merged {
		if !hasKey(own, m.key.Value) {
			own = append(own, m)
		}
	}
	return own
}

func hasKey(all []pair, name string) bool {
	for _, p := range all {
		if p.key.Value == name {
			return true
		}
	}
	return false
}

// child returns the value under a path of keys, or nil.
func child(n *yaml.Node, path ...string) *yaml.Node {
	n = resolved(n)
	for _, name := range path {
		var next *yaml.Node
		for _, p := range pairs(n) {
			if p.key.Value == name {
				next = p.value
			}
		}
		if n = next; n == nil {
			return nil
		}
	}
	return n
}

// items returns the items of a list.
func items(n *yaml.Node) []*yaml.Node {
	n = resolved(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		out[i] = resolved(c)
	}
	return out
}

// text returns the text of a scalar, "" for anything else.
func text(n *yaml.Node) string {
	if n = resolved(n); n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// maxSeconds is a bound that no setting of seconds reaches: a year.
const maxSeconds = 366 * 24 * 3600

// number reads a whole number of at least low.
func number(n *yaml.Node, name string, low int) (int, *Mistake) {
	v, err := strconv.Atoi(text(n))
	switch {
	case strings.Contains(text(n), "${"):
		return 0, wrong(n, "a number", "`%s` is a variable, whose value is not known here", name)
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil:
		return 0, wrong(n, "a whole number", "`%s` is not a whole number", name)
	case v < low || v > maxSeconds:
		return 0, wrong(n, fmt.Sprintf("a whole number from %d on", low), "`%s` is out of range", name)
	}
	return v, nil
}
