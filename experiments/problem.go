package experiments

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Problem is one mistake in a file: where it is, what is wrong, what was expected and what was probably meant.
type Problem struct {
	File     string // as given to Load
	Line     int    // from 1; 0 when the whole file is meant
	Column   int    // from 1, in characters
	Snippet  string // the offending line; a window of it when it is very long
	Text     string // what is wrong
	Expected string // what would have been right, or ""
	Suggest  string // what was probably meant ("did you mean `during`?"), or ""

	shift int // characters cut from the left of Snippet
}

// Problems are all the mistakes of a file, sorted by position. It is the error of Load.
type Problems []Problem

// maxProblems bounds how many mistakes are collected: a reader fixes a few at a time, and a matrix can repeat one many times.
const maxProblems = 200

// maxSnippet bounds the characters of a line that are shown.
const maxSnippet = 160

// Error prints every problem with its line, a caret and the advice.
func (p Problems) Error() string {
	parts := make([]string, len(p))
	for i := range p {
		parts[i] = p[i].String()
	}
	return strings.Join(parts, "\n")
}

// String prints one problem, several lines without a final newline.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": " + p.Text)
	if p.Line > 0 && p.Snippet != "" {
		number := fmt.Sprintf("%5d", p.Line)
		pad := strings.Repeat(" ", max(0, p.Column-1-p.shift))
		fmt.Fprintf(&b, "\n%s | %s\n%s | %s^", number, p.Snippet, strings.Repeat(" ", len(number)), pad)
	}
	if p.Expected != "" {
		b.WriteString("\n   expected " + p.Expected)
	}
	if p.Suggest != "" {
		b.WriteString("\n   " + p.Suggest)
	}
	return b.String()
}

// reporter collects problems of one file, each once.
type reporter struct {
	path  string
	lines []string
	list  Problems
	seen  map[string]bool
	exprs []writtenExpr // to be checked when all names are known
}

func newReporter(path string, data []byte) *reporter {
	return &reporter{path: path, lines: strings.Split(string(data), "\n"), seen: map[string]bool{}}
}

// add records a problem at n. The same words at the same place are recorded once: every cell of a matrix meets them again.
func (r *reporter) add(n *yaml.Node, text, expected, suggest string) {
	line, column := 0, 0
	if n != nil {
		line, column = n.Line, n.Column
	}
	r.addAt(line, column, text, expected, suggest)
}

// addFirst is add for a check that makes no sense when something is wrong at n already.
func (r *reporter) addFirst(n *yaml.Node, text, expected, suggest string) {
	for i := range r.list {
		if n != nil && r.list[i].Line == n.Line && r.list[i].Column == n.Column {
			return
		}
	}
	r.add(n, text, expected, suggest)
}

// problemsWithin tells whether something below n was reported.
func (r *reporter) problemsWithin(n *yaml.Node) bool {
	for i := range r.list {
		if n.Line == r.list[i].Line && n.Column == r.list[i].Column {
			return true
		}
	}
	return slices.ContainsFunc(n.Content, r.problemsWithin)
}

func (r *reporter) addAt(line, column int, text, expected, suggest string) {
	key := fmt.Sprintf("%d:%d:%s", line, column, text)
	if r.seen[key] || len(r.list) >= maxProblems {
		return
	}
	r.seen[key] = true
	p := Problem{File: r.path, Line: line, Column: column, Text: text, Expected: expected, Suggest: suggest}
	p.Snippet, p.shift = r.snippet(line, column)
	r.list = append(r.list, p)
}

// snippet returns the line, or a window of a long one around the column, and how many characters it leaves out on the left.
func (r *reporter) snippet(line, column int) (string, int) {
	if line < 1 || line > len(r.lines) {
		return "", 0
	}
	runes := []rune(strings.TrimRight(r.lines[line-1], "\r"))
	for i, c := range runes {
		if c < ' ' || c == 0x7f {
			runes[i] = ' ' // a tab would move the caret; an escape sequence would reach the terminal
		}
	}
	if len(runes) <= maxSnippet {
		return string(runes), 0
	}
	from := min(max(0, column-1-maxSnippet/2), len(runes)-maxSnippet)
	return string(runes[from : from+maxSnippet]), from
}

// err returns the problems sorted by position, with mask applied to every text, or nil.
func (r *reporter) err(mask func(string) string) error {
	if len(r.list) == 0 {
		return nil
	}
	out := slices.Clone(r.list)
	slices.SortStableFunc(out, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	for i := range out {
		out[i].Text, out[i].Suggest = mask(out[i].Text), mask(out[i].Suggest)
		out[i].Snippet = mask(out[i].Snippet)
	}
	return out
}
