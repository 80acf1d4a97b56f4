package experiments

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

func TestProblemsAreSortedAndOnce(t *testing.T) {
	r := newReporter("f.yaml", []byte("one\ntwo\n"))
	r.addAt(2, 1, "b", "", "")
	r.addAt(1, 2, "a", "this", "do that")
	r.addAt(2, 1, "b", "", "")
	r.addFirst(&yaml.Node{Line: 2, Column: 1}, "hidden by the cause", "", "")
	err := r.err(func(s string) string { return s })
	require.EqualError(t, err, `f.yaml:1:2: a
    1 | one
      |  ^
   expected this
   do that
f.yaml:2:1: b
    2 | two
      | ^`)
}

func TestLongLinesAreWindowed(t *testing.T) {
	line := strings.Repeat("a", 300) + "X" + strings.Repeat("b", 300)
	r := newReporter("f.yaml", []byte(line))
	r.addAt(1, 301, "here", "", "")
	p := r.list[0]
	require.Len(t, p.Snippet, maxSnippet)
	lines := strings.Split(p.String(), "\n")
	require.Equal(t, byte('X'), lines[1][strings.Index(lines[2], "^")])
}

func TestControlCharactersAreNotShown(t *testing.T) {
	r := newReporter("f.yaml", []byte("a: \x1b[31m\tb\r"))
	r.addAt(1, 1, "x", "", "")
	require.Equal(t, "a:  [31m b", r.list[0].Snippet)
}

func TestProblemsAreBounded(t *testing.T) {
	text := "version: 1\n" + strings.Repeat("- a\n", 3)
	_, err := LoadBytes("f.yaml", []byte(text), Options{})
	require.Error(t, err)
	var b strings.Builder
	b.WriteString("version: 1\nservice: {command: [a], ready: {log: a}}\nexperiments: []\n")
	for range 1000 {
		b.WriteString("version: 1\n")
	}
	_, err = LoadBytes("f.yaml", []byte(b.String()), Options{})
	var problems Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, maxProblems)
}
