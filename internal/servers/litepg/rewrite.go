package litepg

import (
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

type tok = sqltoken.Token

// rewrite turns an expression or a statement of PostgreSQL into SQLite's words.
// It works from left to right on tokens; what it does not know passes unchanged,
// and SQLite judges it.
func rewrite(in []tok) ([]tok, error) {
	r := &rewriter{in: in}
	for r.pos < len(r.in) {
		if err := r.step(); err != nil {
			return nil, err
		}
	}
	return r.out, nil
}

func rewriteSQL(in []tok) (string, error) {
	out, err := rewrite(in)
	return sqltoken.Join(out), err
}

type rewriter struct {
	in, out []tok
	pos     int
}

func (r *rewriter) at(offset int) tok {
	if r.pos+offset < len(r.in) {
		return r.in[r.pos+offset]
	}
	return tok{}
}

func (r *rewriter) emit(consumed int, tokens ...tok) {
	r.out = append(r.out, tokens...)
	r.pos += consumed
}

// replacements are keywords that stand for one other word.
var replacements = map[string]string{
	"ilike": "LIKE", "current_timestamp": "now()", "localtimestamp": "now()",
	"current_user": "current_user()", "session_user": "current_user()", "current_role": "current_user()",
	"current_catalog": "current_database()",
}

func (r *rewriter) step() error {
	t := r.at(0)
	switch {
	case t.Kind == sqltoken.Param:
		t.Text = "?" + t.Text[1:] // SQLite would take $1 for a name
		r.emit(1, t)
	case t.Is("::"):
		return r.cast()
	case t.Is("cast") && r.at(1).Is("("):
		return r.castCall()
	case (t.Name() == "public" || t.Is("pg_catalog")) && r.at(1).Is("."):
		r.emit(2)
	case t.Is("information_schema") && r.at(1).Is("."):
		r.emit(3, sqltoken.Raw("information_schema_"+r.at(2).Name()))
	case t.Is("array") && r.at(1).Is("["):
		return unsupported("an ARRAY value")
	case t.IsAny("=", "<>", "!=") && r.at(1).IsAny("any", "all", "some") && r.at(2).Is("(") && !r.at(3).Is("select"):
		return r.array()
	case t.Is("for") && r.at(1).IsAny("update", "share", "no", "key") && len(r.out) > 0:
		r.pos = len(r.in) // the write lock is taken for the whole database instead
	case t.IsAny("+", "-") && r.at(1).Is("interval") && r.at(2).Kind == sqltoken.String:
		return r.interval()
	case t.Is("select") && r.at(1).IsAny("from", "where"):
		r.emit(1, t, sqltoken.Raw("1")) // PostgreSQL allows an empty list, as in EXISTS (SELECT FROM t)
	case t.IsAny("index", "transaction") || t.Is("nothing") && !(len(r.out) > 0 && r.out[len(r.out)-1].Is("do")):
		r.emit(1, sqltoken.Identifier(t.Name())) // names in PostgreSQL, reserved in SQLite
	case t.Is("to_regclass") && r.at(1).Is("("):
		return r.regclass()
	case t.Is("on") && r.at(1).Is("conflict") && r.at(2).Is("on") && r.at(3).Is("constraint"):
		r.emit(5, sqltoken.Raw("ON CONFLICT"))
	case t.Kind == sqltoken.Word && r.at(1).Kind == sqltoken.String && typedLiteral(t):
		r.emit(2, r.at(1))
	case t.Kind == sqltoken.Word && replacements[t.Name()] != "" && !r.afterDot() && !r.at(1).Is("("):
		r.emit(1, sqltoken.Raw(replacements[t.Name()]))
	default:
		r.emit(1, t)
	}
	return nil
}

func (r *rewriter) afterDot() bool {
	return len(r.out) > 0 && r.out[len(r.out)-1].Is(".")
}

// typedLiteral is the type in front of timestamp '2024-01-01'.
func typedLiteral(t tok) bool {
	_, n := typeAt([]tok{t})
	return n == 1 && !t.Is("interval")
}

// cast writes operand::type as CAST where that changes the value in SQLite.
func (r *rewriter) cast() error {
	to, n := typeAt(r.in[r.pos+1:])
	if n == 0 {
		return newError(undefinedObject, "type %q does not exist in this stand-in (%s)", r.at(1).Text, Name)
	}
	if r.at(1 + n).Is("[") {
		return unsupported("the array type " + r.at(1).Text + "[]")
	}
	start := operandStart(r.out)
	operand := r.out[start:]
	// A parameter was already decoded as this type.
	if to.castType() == "" || len(operand) == 1 && operand[0].Kind == sqltoken.Param {
		r.emit(1 + n)
		return nil
	}
	r.out = append(r.out[:start:start], sqltoken.Raw(fmt.Sprintf("CAST(%s AS %s)", sqltoken.Join(operand), to.castType())))
	r.emit(1 + n)
	return nil
}

// castCall writes CAST(x AS type).
func (r *rewriter) castCall() error {
	end := sqltoken.Close(r.in, r.pos+1)
	if end < 0 {
		return newError(syntaxError, "syntax error at end of input")
	}
	inner := r.in[r.pos+2 : end]
	as := sqltoken.IndexTop(inner, 0, "as")
	if as < 0 {
		return newError(syntaxError, "syntax error at or near %q", ")")
	}
	to, n := typeAt(inner[as+1:])
	if n == 0 || as+1+n != len(inner) {
		return newError(undefinedObject, "type %q does not exist in this stand-in (%s)", sqltoken.Join(inner[as+1:]), Name)
	}
	operand, err := rewriteSQL(inner[:as])
	if err != nil {
		return err
	}
	text := "(" + operand + ")"
	if to.castType() != "" {
		text = fmt.Sprintf("CAST(%s AS %s)", operand, to.castType())
	}
	r.emit(end+1-r.pos, sqltoken.Raw(text))
	return nil
}

// array writes x = ANY($1) and x <> ALL($1): arrays are kept as JSON.
func (r *rewriter) array() error {
	end := sqltoken.Close(r.in, r.pos+2)
	if end < 0 {
		return newError(syntaxError, "syntax error at end of input")
	}
	in := map[string]string{"=any": "IN", "=some": "IN", "<>all": "NOT IN", "!=all": "NOT IN"}[r.at(0).Text+strings.ToLower(r.at(1).Text)]
	param := r.at(3)
	if in == "" || param.Kind != sqltoken.Param || end != r.pos+4 && !r.at(4).Is("::") {
		return unsupported(r.at(0).Text + " " + r.at(1).Text + " of anything but a parameter")
	}
	r.emit(end+1-r.pos, sqltoken.Raw(in+" (SELECT value FROM json_each(?"+param.Text[1:]+"))"))
	return nil
}

// interval writes x + interval '1 hour' as a function of the stand-in.
func (r *rewriter) interval() error {
	start := operandStart(r.out)
	text := fmt.Sprintf("pg_interval(%s, '%s', %s)", sqltoken.Join(r.out[start:]), r.at(0).Text, r.at(2).Text)
	r.out = append(r.out[:start:start], sqltoken.Raw(text))
	r.emit(3)
	return nil
}

func (r *rewriter) regclass() error {
	end := sqltoken.Close(r.in, r.pos+1)
	if end < 0 {
		return newError(syntaxError, "syntax error at end of input")
	}
	operand, err := rewriteSQL(r.in[r.pos+2 : end])
	if err != nil {
		return err
	}
	r.emit(end+1-r.pos, sqltoken.Raw("(SELECT name FROM sqlite_schema WHERE name = replace("+operand+", 'public.', ''))"))
	return nil
}

// reserved are words that end an operand when they stand before a parenthesis:
// in "WHERE (a)::int" the operand is "(a)" and not a call of WHERE.
var reserved = map[string]bool{
	"select": true, "and": true, "or": true, "not": true, "in": true, "when": true, "then": true, "else": true,
	"where": true, "on": true, "having": true, "by": true, "as": true, "values": true, "from": true, "between": true,
	"like": true, "limit": true, "offset": true, "returning": true, "set": true, "distinct": true, "default": true, "using": true,
}

// operandStart is where the operand at the end of tokens begins: a literal, a
// name, a call or a parenthesis. An empty list has none and gives its length.
func operandStart(tokens []tok) int {
	i := len(tokens) - 1
	if i < 0 {
		return len(tokens)
	}
	if tokens[i].Is(")") {
		i = openingOf(tokens, i)
		if i > 0 && tokens[i-1].Name() != "" && !reserved[tokens[i-1].Name()] {
			i--
		}
	}
	for i > 1 && tokens[i].Name() != "" && tokens[i-1].Is(".") {
		i -= 2
	}
	return i
}

func openingOf(tokens []tok, closing int) int {
	depth := 0
	for i := closing; i >= 0; i-- {
		switch {
		case tokens[i].Is(")"):
			depth++
		case tokens[i].Is("("):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}
