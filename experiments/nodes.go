package experiments

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// isNull tells whether a key has no value.
func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe names what n is, for messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return n.Value
	}
	text := []rune(n.Value)
	if len(text) > 40 {
		text = append(text[:37], []rune("...")...)
	}
	return "the text " + strconv.Quote(string(text))
}

var (
	intPattern   = regexp.MustCompile(`^[-+]?(0|[1-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+)$`)
	ratePattern  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	floatPattern = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
)

// plainTag resolves text as a plain scalar of YAML's core schema; empty text stays text.
func plainTag(text string) string {
	switch {
	case text == "null" || text == "~":
		return "!!null"
	case text == "true" || text == "false":
		return "!!bool"
	case intPattern.MatchString(text):
		return "!!int"
	case floatPattern.MatchString(text):
		return "!!float"
	}
	return "!!str"
}

// literal parses a default of the field table.
func literal(text string) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil || len(doc.Content) != 1 {
		panic("experiments: bad YAML in the field table: " + text)
	}
	return doc.Content[0]
}

// plain turns a node into the values that encoding/json would give, but whole numbers stay int.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			out[i] = plain(c)
		}
		return out
	}
	text := strings.ReplaceAll(n.Value, "_", "")
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if i, err := strconv.Atoi(text); err == nil {
			return i
		}
		if i, err := strconv.ParseInt(text, 0, strconv.IntSize); err == nil {
			return int(i)
		}
	case "!!float":
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	}
	return n.Value
}

// child returns the value of a key of a mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// keys returns the keys of a mapping in their order.
func keys(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	out := make([]*yaml.Node, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, n.Content[i])
	}
	return out
}

// without returns a copy of the mapping that lacks some keys.
func without(n *yaml.Node, names ...string) *yaml.Node {
	out := *n
	out.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if !contains(names, n.Content[i].Value) {
			out.Content = append(out.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &out
}

// overlay lays top over base: keys of top win, mappings are merged to the given depth, and a key without value removes it.
func overlay(base, top *yaml.Node, deep map[string]bool) *yaml.Node {
	if base == nil || base.Kind != yaml.MappingNode || top.Kind != yaml.MappingNode {
		return top
	}
	out := *base
	out.Content = nil
	out.Line, out.Column = top.Line, top.Column
	for i := 0; i+1 < len(base.Content); i += 2 {
		key, value := base.Content[i], base.Content[i+1]
		over := child(top, key.Value)
		switch {
		case over == nil:
			out.Content = append(out.Content, key, value)
		case isNull(over):
		case deep[key.Value]:
			out.Content = append(out.Content, key, overlay(value, over, nil))
		default:
			out.Content = append(out.Content, key, over)
		}
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		if child(base, top.Content[i].Value) == nil {
			out.Content = append(out.Content, top.Content[i], top.Content[i+1])
		}
	}
	return &out
}

// flow writes a node in flow style as a person would: `{latency: 3s}`.
func flow(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		parts := make([]string, 0, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+flow(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, c := range n.Content {
			parts[i] = flow(c)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return n.Value
}
