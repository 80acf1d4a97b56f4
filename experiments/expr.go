package experiments

import (
	"reflect"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/expressions"
)

// writtenExpr is an expression where it stands in the file.
type writtenExpr struct {
	at   *yaml.Node
	text string
}

// exprHook reads one expression of an invariant: text, or a mapping with a message.
func exprHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.ScalarNode && !isNull(n) {
		n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column, Content: []*yaml.Node{keyOf(n, "expr"), n}}
	}
	d.structure(n, v, path)
	d.noteExpr(child(n, "expr"), v.Interface().(contracts.Expr).Expr)
}

// exprsHook reads one expression, or a list of them.
func exprsHook(d *decoder, n *yaml.Node, v reflect.Value, path string) {
	if isNull(n) {
		d.add(n, "`expr` needs an expression", "{expr: 'trial.ready_ms < 30000'}", "")
		return
	}
	list := n
	if n.Kind != yaml.SequenceNode {
		list = &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line, Column: n.Column, Content: []*yaml.Node{n}}
	}
	d.slice(list, v, path, entry{})
}

// noteExpr keeps an expression to be checked when all names are known. The node is nil where the text is missing, which was reported.
func (r *reporter) noteExpr(n *yaml.Node, text string) {
	if n != nil && n.Kind == yaml.ScalarNode && !hasVariable(text) && (text != "" || n.ShortTag() == "!!str") { // the rest was reported
		r.exprs = append(r.exprs, writtenExpr{n, text})
	}
}

// expectedExpr notes the expression of an expectation, and refuses a message without one.
func (d *decoder) expectedExpr(n *yaml.Node, e *contracts.Expectation) {
	d.noteExpr(child(n, "expr"), e.Expr)
	if child(n, "message") != nil && child(n, "expr") == nil {
		d.add(keyNode(n, "message"), "`message` is for an expression", "{expr: 'trial.restarts == 0', message: it was restarted}", "")
	}
}

// spoken joins the expressions of an item under invariants with its message: {expr: TEXT, message: TEXT} is one of the list `expr`.
func (d *decoder) spoken(item *yaml.Node) *yaml.Node {
	expr, message := child(item, "expr"), child(item, "message")
	switch {
	case message == nil:
		return item
	case expr == nil:
		d.add(keyNode(item, "message"), "`message` is for an expression", "{expr: 'trial.restarts == 0', message: it was restarted}", "")
		return without(item, "message")
	case expr.Kind != yaml.ScalarNode:
		d.add(keyNode(item, "message"), "`message` is for one expression", "a message in each of the list", "")
		return without(item, "message")
	}
	out := without(item, "message", "expr")
	pair := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: item.Line, Column: item.Column,
		Content: []*yaml.Node{keyNode(item, "expr"), expr, keyNode(item, "message"), message}}
	out.Content = append(out.Content, keyNode(item, "expr"), pair)
	return out
}

// gathered adds the expressions of a later item under invariants to those of earlier ones.
func gathered(before, value *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: before.Line, Column: before.Column}
	for _, n := range []*yaml.Node{before, value} {
		if n.Kind == yaml.SequenceNode {
			out.Content = append(out.Content, n.Content...)
		} else {
			out.Content = append(out.Content, n)
		}
	}
	return out
}

func keyOf(n *yaml.Node, name string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: n.Line, Column: n.Column}
}

// checkExprs checks every expression of the file against the vocabulary and the names that the file declares.
func (l *loader) checkExprs() {
	names := expressions.Names{"dependency": l.dependencies, "proof": nil}
	for _, p := range l.f.Readiness {
		names["proof"] = append(names["proof"], p.Name)
	}
	if len(l.phases) > 0 || l.f.Phases.Pattern == "" { // with a pattern alone any phase may come
		names["phase"] = l.phases
	}
	for _, e := range l.exprs {
		_, problems := expressions.Compile(e.text, names)
		for _, p := range problems {
			line, column := l.within(e.at, e.text, p.Line, p.Column)
			suggest := ""
			if p.Wrong != "" {
				suggest = didYouMean(p.Wrong, p.Known)
			}
			expected := p.Expected
			if expected == "" && p.Wrong != "" && len(p.Known) > 0 {
				expected = oneOf(p.Known)
			}
			l.addAt(line, column, p.Text, expected, suggest)
		}
	}
}

// within finds the place in the file of a place within the text of a scalar, whatever quotes and line breaks it was written with. A text that a
// variable changed is only known to begin at its node.
func (r *reporter) within(n *yaml.Node, text string, line, column int) (fileLine, fileColumn int) {
	from := placeOf(text, line, column)
	at := source{lines: r.lines, line: n.Line, column: n.Column}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		at.line, at.column = n.Line+1, 1
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		at.column++
	}
	for i, c := range []rune(text) {
		if !at.seek(c) {
			return n.Line, n.Column
		}
		if i == from {
			return at.line, at.column
		}
		at.column++
	}
	at.column = max(1, at.column)
	return at.line, at.column
}

// placeOf turns a line and column into how many characters come before it.
func placeOf(text string, line, column int) int {
	before := 0
	for i, l := range strings.SplitAfter(text, "\n") {
		if i == line-1 {
			return before + column - 1
		}
		before += len([]rune(l))
	}
	return before
}

// source is a place in the text of a file, from 1.
type source struct {
	lines        []string
	line, column int
}

// seek moves on to the next character c, over what YAML leaves out of a value: line breaks, indentation, quotes and backslashes.
func (s *source) seek(c rune) bool {
	for s.line >= 1 && s.line <= len(s.lines) {
		runes := []rune(strings.TrimRight(s.lines[s.line-1], "\r"))
		switch {
		case s.column > len(runes) && unicode.IsSpace(c):
			return true // the break itself
		case s.column > len(runes):
			s.line, s.column = s.line+1, 1
		case runes[s.column-1] == c && !(c == '\'' && s.column < len(runes) && runes[s.column] == '\''):
			return true
		case unicode.IsSpace(runes[s.column-1]) || strings.ContainsRune(`'\$`, runes[s.column-1]):
			s.column++
		default:
			return false
		}
	}
	return false
}
