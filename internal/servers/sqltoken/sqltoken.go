// Package sqltoken splits SQL text into tokens, so that the stand-in servers can
// recognise a statement and rewrite the words of one dialect into another's.
//
// It refuses to parse: it knows literals, identifiers, comments and operators,
// and nothing of grammar. Text it cannot split (an unterminated literal) is an
// error, never a guess.
package sqltoken

import (
	"fmt"
	"strings"
)

// Kind says what a token is.
type Kind int

// The kinds of token.
const (
	Word   Kind = iota + 1 // an unquoted identifier or a keyword
	Quoted                 // a quoted identifier; Value is the name without quotes
	String                 // a string literal; Value is its content
	Number                 // a numeric literal
	Param                  // a positional parameter, $1
	Op                     // an operator or a single punctuation mark
)

// Dialect chooses between the lexical rules of the servers that are stood in for.
type Dialect int

// The dialects.
const (
	PostgreSQL Dialect = iota // E'..', $tag$..$tag$, nested comments
	ClickHouse                // backslash escapes in every literal, `names`
)

// Token is one lexical element. Text is valid SQLite for every kind: literals
// are written in the standard way, whatever their spelling was.
type Token struct {
	Kind  Kind
	Text  string
	Value string // the decoded content of a String or Quoted token
	Pos   int    // byte offset in the source
}

// Is says whether the token is the given keyword or operator, in any case of
// letters. A quoted identifier is never a keyword.
func (t Token) Is(word string) bool {
	return (t.Kind == Word || t.Kind == Op) && strings.EqualFold(t.Text, word)
}

// IsAny says whether the token is one of the given keywords or operators.
func (t Token) IsAny(words ...string) bool {
	for _, w := range words {
		if t.Is(w) {
			return true
		}
	}
	return false
}

// Name is the identifier a Word or Quoted token stands for: folded to lower case
// unless it was quoted, and empty for every other kind.
func (t Token) Name() string {
	switch t.Kind {
	case Word:
		return strings.ToLower(t.Text)
	case Quoted:
		return t.Value
	default:
		return ""
	}
}

// Literal returns a token for a string literal with this content.
func Literal(s string) Token {
	return Token{Kind: String, Value: s, Text: "'" + strings.ReplaceAll(s, "'", "''") + "'"}
}

// Identifier returns a token for a quoted identifier with this name.
func Identifier(s string) Token {
	return Token{Kind: Quoted, Value: s, Text: `"` + strings.ReplaceAll(s, `"`, `""`) + `"`}
}

// Raw returns a token whose text is copied as it is.
func Raw(s string) Token { return Token{Kind: Word, Text: s} }

// Join writes tokens back as SQL.
func Join(tokens []Token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && !(t.Kind == Op && t.Text == ".") && !(tokens[i-1].Kind == Op && tokens[i-1].Text == ".") {
			b.WriteByte(' ')
		}
		b.WriteString(t.Text)
	}
	return b.String()
}

// SplitStatements cuts tokens at the semicolons; empty statements are left out.
func SplitStatements(tokens []Token) [][]Token {
	return dropEmpty(SplitTop(tokens, ";"))
}

// SplitTop cuts tokens at each separator that stands outside of parentheses. A
// list without separators is one part; no tokens are no parts.
func SplitTop(tokens []Token, separator string) [][]Token {
	if len(tokens) == 0 {
		return nil
	}
	var parts [][]Token
	depth, from := 0, 0
	for i, t := range tokens {
		depth += nesting(t)
		if depth == 0 && t.Is(separator) {
			parts = append(parts, tokens[from:i:i])
			from = i + 1
		}
	}
	return append(parts, tokens[from:])
}

// IndexTop is the index of the first of the given words outside of parentheses,
// at or after from, or -1.
func IndexTop(tokens []Token, from int, words ...string) int {
	depth := 0
	for i := max(from, 0); i < len(tokens); i++ {
		if depth == 0 && tokens[i].IsAny(words...) {
			return i
		}
		depth += nesting(tokens[i])
	}
	return -1
}

// Close is the index of the parenthesis that closes the one at open, or -1.
func Close(tokens []Token, open int) int {
	depth := 0
	for i := open; i < len(tokens); i++ {
		depth += nesting(tokens[i])
		if depth == 0 {
			return i
		}
	}
	return -1
}

// Starts says whether tokens begin with these keywords.
func Starts(tokens []Token, words ...string) bool {
	if len(tokens) < len(words) {
		return false
	}
	for i, w := range words {
		if !tokens[i].Is(w) {
			return false
		}
	}
	return true
}

func nesting(t Token) int {
	if t.Kind != Op {
		return 0
	}
	switch t.Text {
	case "(", "[":
		return 1
	case ")", "]":
		return -1
	}
	return 0
}

func dropEmpty(parts [][]Token) [][]Token {
	out := parts[:0]
	for _, p := range parts {
		if len(p) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// Error is text that cannot be split into tokens.
type Error struct {
	Message string
	Pos     int // byte offset in the source
}

func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.Message, e.Pos) }
