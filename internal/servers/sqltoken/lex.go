package sqltoken

import (
	"strings"
	"unicode/utf8"
)

// operators, longest first, so that ->> is not read as -> and >.
var operators = []string{
	"->>", "#>>", "!~*", "~~*", "::", ":=", "->", "#>", "||", "<=", ">=", "<>", "!=", "==",
	"@>", "<@", "?|", "?&", "~*", "!~", "~~", "&&", "=>",
}

// Lex splits source into tokens; comments and white space are left out. Every
// parenthesis in the result has its partner. The error is an *Error.
func Lex(source string, dialect Dialect) ([]Token, error) {
	l := &lexer{src: source, dialect: dialect}
	for {
		if err := l.skipBlank(); err != nil {
			return nil, err
		}
		if l.pos >= len(l.src) {
			return l.out, balanced(l.out, len(source))
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
}

func balanced(tokens []Token, end int) error {
	partner := map[string]string{")": "(", "]": "["}
	var open []string
	for _, t := range tokens {
		if nesting(t) > 0 {
			open = append(open, t.Text)
		}
		if nesting(t) < 0 {
			last := len(open) - 1
			if last < 0 || open[last] != partner[t.Text] {
				return &Error{Message: "syntax error at or near \"" + t.Text + "\"", Pos: t.Pos}
			}
			open = open[:last]
		}
	}
	if len(open) > 0 {
		return &Error{Message: "syntax error at end of input: " + open[len(open)-1] + " is not closed", Pos: end}
	}
	return nil
}

type lexer struct {
	src     string
	pos     int
	dialect Dialect
	out     []Token
}

func (l *lexer) rest() string { return l.src[l.pos:] }

func (l *lexer) emit(t Token, length int) {
	t.Pos = l.pos
	l.out = append(l.out, t)
	l.pos += length
}

func (l *lexer) skipBlank() error {
	for l.pos < len(l.src) {
		switch r := l.rest(); {
		case strings.ContainsRune(" \t\r\n\f\v", rune(r[0])):
			l.pos++
		case strings.HasPrefix(r, "--"):
			end := strings.IndexByte(r, '\n')
			if end < 0 {
				end = len(r) - 1
			}
			l.pos += end + 1
		case strings.HasPrefix(r, "/*"):
			if err := l.skipBlockComment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) skipBlockComment() error {
	start, depth := l.pos, 0
	for l.pos < len(l.src) {
		switch r := l.rest(); {
		case strings.HasPrefix(r, "/*") && (depth == 0 || l.dialect == PostgreSQL):
			depth++
			l.pos += 2
		case strings.HasPrefix(r, "*/"):
			depth--
			l.pos += 2
			if depth == 0 {
				return nil
			}
		default:
			l.pos++
		}
	}
	return &Error{Message: "unterminated /* comment", Pos: start}
}

func (l *lexer) next() error {
	r := l.rest()
	c := r[0]
	switch {
	case c == '\'':
		return l.quoted(0, l.dialect == ClickHouse, func(s string) Token { return Literal(s) })
	case c == '"' || (c == '`' && l.dialect == ClickHouse):
		return l.quoted(0, l.dialect == ClickHouse, Identifier)
	case l.dialect == PostgreSQL && len(r) > 1 && (c == 'e' || c == 'E') && r[1] == '\'':
		return l.quoted(1, true, func(s string) Token { return Literal(s) })
	case l.dialect == PostgreSQL && c == '$':
		return l.dollar()
	case c >= '0' && c <= '9' || c == '.' && len(r) > 1 && r[1] >= '0' && r[1] <= '9':
		n := numberLength(r)
		l.emit(Token{Kind: Number, Text: r[:n]}, n)
	case wordStart(c):
		n := 1
		for n < len(r) && (wordStart(r[n]) || r[n] >= '0' && r[n] <= '9' || r[n] == '$') {
			n++
		}
		l.emit(Token{Kind: Word, Text: r[:n]}, n)
	default:
		n := operatorLength(r)
		l.emit(Token{Kind: Op, Text: r[:n]}, n)
	}
	return nil
}

func wordStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func operatorLength(r string) int {
	for _, op := range operators {
		if strings.HasPrefix(r, op) {
			return len(op)
		}
	}
	return 1
}

func numberLength(r string) int {
	n := 0
	for n < len(r) {
		c := r[n]
		exponentSign := (c == '+' || c == '-') && n > 0 && (r[n-1] == 'e' || r[n-1] == 'E') && !strings.HasPrefix(r, "0x")
		if c != '.' && !exponentSign && (c < '0' || c > '9') && !wordStart(c) {
			break
		}
		n++
	}
	return n
}

// quoted reads a literal whose opening quote is at offset; a doubled quote is
// one quote, and backslash escapes are decoded where the dialect has them.
func (l *lexer) quoted(offset int, escapes bool, make func(string) Token) error {
	r := l.rest()
	quote := r[offset]
	var b strings.Builder
	for i := offset + 1; i < len(r); i++ {
		switch {
		case r[i] == '\\' && escapes && i+1 < len(r):
			i++
			b.WriteByte(unescape(r[i]))
		case r[i] != quote:
			b.WriteByte(r[i])
		case i+1 < len(r) && r[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			l.emit(make(b.String()), i+1)
			return nil
		}
	}
	return &Error{Message: "unterminated quoted text", Pos: l.pos}
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case '0':
		return 0
	default:
		return c
	}
}

// dollar reads $1 or a $tag$ literal.
func (l *lexer) dollar() error {
	r := l.rest()
	n := 1
	for n < len(r) && r[n] >= '0' && r[n] <= '9' {
		n++
	}
	if n > 1 {
		l.emit(Token{Kind: Param, Text: r[:n]}, n)
		return nil
	}
	for n < len(r) && r[n] != '$' && (wordStart(r[n]) || r[n] >= '0' && r[n] <= '9') {
		n++
	}
	if n >= len(r) || r[n] != '$' {
		return &Error{Message: "stray $", Pos: l.pos}
	}
	tag := r[:n+1]
	end := strings.Index(r[len(tag):], tag)
	if end < 0 {
		return &Error{Message: "unterminated " + tag + " literal", Pos: l.pos}
	}
	l.emit(Literal(r[len(tag):len(tag)+end]), 2*len(tag)+end)
	return nil
}
