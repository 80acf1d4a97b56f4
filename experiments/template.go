package experiments

import (
	"regexp"
	"strings"
)

// piece is a part of a text: literal text, or a variable with the text between its braces.
type piece struct {
	text     string // literal text, or what stands between ${ and }
	variable bool
}

// split cuts a text at its variables. `$${` is a literal `${` and stays as written. closed is false when a `${` has no `}`.
func split(text string) (pieces []piece, closed bool) {
	from := 0
	for i := 0; i < len(text); {
		if strings.HasPrefix(text[i:], "$${") {
			i += 3
			continue
		}
		if !strings.HasPrefix(text[i:], "${") {
			i++
			continue
		}
		end := closing(text, i+2)
		if end < 0 {
			return append(pieces, piece{text: text[from:]}), false
		}
		if i > from {
			pieces = append(pieces, piece{text: text[from:i]})
		}
		pieces = append(pieces, piece{text: text[i+2 : end], variable: true})
		i = end + 1
		from = i
	}
	if from < len(text) {
		pieces = append(pieces, piece{text: text[from:]})
	}
	return pieces, true
}

// closing returns the index of the } that ends a variable whose inside begins at i, or -1. A default may hold variables itself.
func closing(text string, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "${"):
			depth++
			i++
		case text[i] == '}' && depth == 0:
			return i
		case text[i] == '}':
			depth--
		}
	}
	return -1
}

// hasVariable tells whether the text holds a variable.
func hasVariable(text string) bool {
	pieces, _ := split(text)
	for _, p := range pieces {
		if p.variable {
			return true
		}
	}
	return false
}

// placeholders puts word in the place of every variable and un-escapes the rest, so that the form of a text can be checked early.
func placeholders(text, word string) string {
	pieces, _ := split(text)
	var b strings.Builder
	for _, p := range pieces {
		if p.variable {
			b.WriteString(word)
		} else {
			b.WriteString(unescape(p.text))
		}
	}
	return b.String()
}

// escape protects a value that is data from being read as a template.
func escape(value string) string { return strings.ReplaceAll(value, "${", "$${") }

func unescape(text string) string { return strings.ReplaceAll(text, "$${", "${") }

var (
	identifier  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	environment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)
