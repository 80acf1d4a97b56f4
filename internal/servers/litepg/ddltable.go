package litepg

import (
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

func compileCreateTable(st *statement, c *cursor, temporary bool) error {
	st.tag = "CREATE TABLE"
	head := "CREATE TABLE "
	if temporary {
		head = "CREATE TEMP TABLE "
	}
	if c.skipAll("if", "not", "exists") {
		head += "IF NOT EXISTS "
	}
	name, err := c.name()
	if err != nil {
		return err
	}
	head += quote(name)
	if sqltoken.Starts(c.tokens, "as") {
		rest, err := rewriteSQL(c.tokens)
		st.steps = []step{{sql: head + " " + rest}}
		return err
	}
	end := sqltoken.Close(c.tokens, 0)
	if len(c.tokens) == 0 || !c.tokens[0].Is("(") || end < 0 {
		return newError(syntaxError, "CREATE TABLE wants a list of columns in parentheses")
	}
	if rest := c.tokens[end+1:]; len(rest) > 0 && !rest[0].IsAny("with", "tablespace") {
		return unsupported("CREATE TABLE ... " + strings.ToUpper(sqltoken.Join(rest)))
	}
	parts, named := namedUniques(sqltoken.SplitTop(c.tokens[1:end], ","))
	body, err := tableBody(parts)
	st.steps = []step{{sql: head + " (" + body + ")"}}
	for _, u := range named {
		index := "CREATE UNIQUE INDEX IF NOT EXISTS " + u[1].Text + " ON " + quote(name) + " " + sqltoken.Join(u[3:])
		st.steps = append(st.steps, step{sql: index})
	}
	return err
}

// namedUniques takes CONSTRAINT name UNIQUE (columns) out of a table's parts:
// only an index keeps its name in SQLite, and clients look at it.
func namedUniques(parts [][]tok) (rest, named [][]tok) {
	for _, p := range parts {
		if len(p) > 3 && p[0].Is("constraint") && p[2].Is("unique") && sqltoken.Close(p, 3) == len(p)-1 {
			named = append(named, p)
		} else {
			rest = append(rest, p)
		}
	}
	return rest, named
}

func tableBody(parts [][]tok) (string, error) {
	keyed := false
	for _, p := range parts {
		keyed = keyed || sqltoken.Starts(p, "primary", "key") || sqltoken.Starts(p, "constraint") && sqltoken.IndexTop(p, 0, "primary") > 0
	}
	var out []string
	for _, p := range parts {
		var text string
		var err error
		switch {
		case len(p) == 0:
			return "", newError(syntaxError, "syntax error at or near %q", ",")
		case p[0].IsAny("like", "exclude"):
			return "", unsupported("CREATE TABLE with " + strings.ToUpper(p[0].Text))
		case p[0].IsAny("constraint", "primary", "unique", "foreign", "check"):
			text, err = rewriteSQL(p)
		default:
			text, err = columnDefinition(p, keyed)
		}
		if err != nil {
			return "", err
		}
		out = append(out, text)
	}
	return strings.Join(out, ", "), nil
}

// columnDefinition rewrites "name type constraints". keyedElsewhere says that the
// table names its primary key in a constraint of its own.
func columnDefinition(tokens []tok, keyedElsewhere bool) (string, error) {
	if len(tokens) < 2 || tokens[0].Name() == "" {
		return "", newError(syntaxError, "syntax error at or near %q", sqltoken.Join(tokens))
	}
	t, n := typeAt(tokens[1:])
	if n == 0 {
		return "", newError(undefinedObject, "type %q does not exist in this stand-in (%s)", tokens[1].Text, Name)
	}
	rest := tokens[1+n:]
	if len(rest) > 0 && rest[0].Is("[") {
		return "", unsupported("the array type " + tokens[1].Text + "[]")
	}
	decl := t.decl
	constraints, counts, err := columnConstraints(rest)
	if err != nil {
		return "", err
	}
	if counts || serials[tokens[1].Name()] {
		// Only a column called INTEGER PRIMARY KEY counts by itself in SQLite.
		decl = "INTEGER"
		primary := strings.Contains(constraints, "PRIMARY KEY")
		if !primary && !keyedElsewhere {
			return "", unsupported("a serial column that is not the primary key")
		}
		constraints = strings.Replace(constraints, "PRIMARY KEY", "PRIMARY KEY AUTOINCREMENT", 1)
	}
	return strings.TrimSpace(quote(tokens[0].Name()) + " " + decl + " " + constraints), nil
}

// columnConstraints rewrites what follows the type. counts tells of an identity
// column. PRIMARY KEY comes first, because AUTOINCREMENT must follow it at once.
func columnConstraints(tokens []tok) (text string, counts bool, err error) {
	var out []string
	for len(tokens) > 0 {
		switch {
		case sqltoken.Starts(tokens, "primary", "key"):
			out = append([]string{"PRIMARY KEY"}, out...)
			tokens = tokens[2:]
		case sqltoken.Starts(tokens, "default"):
			n := expressionLength(tokens[1:])
			value, err := rewriteSQL(tokens[1 : 1+n])
			if err != nil {
				return "", false, err
			}
			out = append(out, "DEFAULT ("+value+")")
			tokens = tokens[1+n:]
		case sqltoken.Starts(tokens, "generated"):
			i := sqltoken.IndexTop(tokens, 0, "identity")
			if i < 0 {
				return "", false, unsupported("a GENERATED column")
			}
			counts = true
			tokens = tokens[i+1:]
			if len(tokens) > 0 && tokens[0].Is("(") {
				tokens = tokens[sqltoken.Close(tokens, 0)+1:]
			}
		default:
			n := 1 + expressionLength(tokens[1:])
			value, err := rewriteSQL(tokens[:n])
			if err != nil {
				return "", false, err
			}
			out = append(out, value)
			tokens = tokens[n:]
		}
	}
	return strings.Join(out, " "), counts, nil
}

// expressionLength is how many tokens belong to an expression that the next
// column constraint ends. NOT and NULL begin one, but not as the first word.
func expressionLength(tokens []tok) int {
	for from := 0; ; from++ {
		i := sqltoken.IndexTop(tokens, from, "not", "null", "primary", "unique", "check", "references", "constraint", "default", "generated", "collate")
		if i < 0 {
			return len(tokens)
		}
		// "NOT NULL" is one constraint, DEFAULT NULL one expression.
		if i > 0 {
			return i
		}
		from = i
	}
}
