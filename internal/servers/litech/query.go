package litech

import (
	"context"
	"database/sql"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

// query runs a SELECT.
func (s *Server) query(ctx context.Context, q request, tokens []tok) (response, error) {
	end := len(tokens)
	if i := sqltoken.IndexTop(tokens, 1, "format"); i > 0 {
		end = i
	}
	if i := sqltoken.IndexTop(tokens[:end], 1, "settings"); i > 0 {
		tokens, end = append(append([]tok{}, tokens[:i]...), tokens[end:]...), i
	}
	text, err := rewrite(tokens[:end], q.database, commonTables(tokens))
	if err != nil {
		return response{}, err
	}
	return s.run(ctx, q, tokens[end:], text)
}

// run executes SQLite's SQL and writes the rows; rest may be FORMAT name.
func (s *Server) run(ctx context.Context, q request, rest []tok, text string, args ...any) (response, error) {
	format := first(q.format, "TabSeparated")
	if len(rest) > 0 {
		if len(rest) != 2 || !rest[0].Is("format") {
			return response{}, fail(syntaxError, "Syntax error: failed at %s", rest[0].Text)
		}
		format = rest[1].Text
	}
	write, known := formats[format]
	if !known {
		return response{}, fail(unknownFormat, "Unknown format %s, or one that this stand-in lacks: %s", format, Name)
	}
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return response{}, translate(err)
	}
	t, err := readTable(rows)
	if err != nil {
		return response{}, translate(err)
	}
	out, err := write(t)
	return response{text: out, format: format, contentType: contentTypes[format]}, err
}

// table is a result.
type table struct {
	names []string
	types []string // ClickHouse's
	rows  [][]any
}

func readTable(rows *sql.Rows) (t *table, err error) {
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	t = &table{types: make([]string, len(columns))}
	for i, c := range columns {
		t.names = append(t.names, c.Name())
		t.types[i] = spelling(c.DatabaseTypeName())
	}
	for rows.Next() {
		row := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		for i, v := range row {
			if t.types[i] == "" && v != nil {
				t.types[i] = typeOfValue(v)
			}
		}
		t.rows = append(t.rows, row)
	}
	for i := range t.types {
		if t.types[i] == "" {
			t.types[i] = "String"
		}
	}
	return t, rows.Err()
}

// spelling restores ClickHouse's spelling of a type: the SQLite driver tells it
// in capitals.
func spelling(declared string) string {
	typ := strings.TrimSuffix(declared, " TEXT")
	if typ == "" {
		return ""
	}
	for _, name := range []string{
		"Nullable", "LowCardinality", "FixedString", "String", "UUID", "DateTime64", "DateTime", "Date", "Enum8", "Enum16",
		"UInt", "Int", "Float", "Decimal", "Bool",
	} {
		typ = replaceFold(typ, name)
	}
	return typ
}

// replaceFold writes every capital form of name as name.
func replaceFold(s, name string) string { return strings.ReplaceAll(s, strings.ToUpper(name), name) }

// typeOfValue is the type of an expression: counts are UInt64, and so is every
// other integer that SQLite computes.
func typeOfValue(v any) string {
	switch v.(type) {
	case int64:
		return "UInt64"
	case float64:
		return "Float64"
	}
	return "String"
}

// commonTables are the names that WITH defines: they are not tables.
func commonTables(tokens []tok) map[string]bool {
	names := map[string]bool{}
	for i := 1; i+1 < len(tokens); i++ {
		if tokens[i].Is("as") && tokens[i+1].Is("(") && tokens[i-1].Name() != "" {
			names[identifier(tokens[i-1])] = true
		}
	}
	return names
}

// rewrites are functions under another name in SQLite.
var rewrites = map[string]string{"any": "min", "anyLast": "max", "if": "iif", "position": "instr", "substring": "substr"}

// rewrite turns ClickHouse's words into SQLite's. Tables get the name of their
// database in front, and their own name as an alias.
func rewrite(in []tok, database string, common map[string]bool) (string, error) {
	var out []tok
	for i := 0; i < len(in); i++ {
		t := in[i]
		call := i+1 < len(in) && in[i+1].Is("(")
		switch {
		case i > 0 && in[i-1].IsAny("from", "join") && t.Name() != "" && !call && !common[identifier(t)]:
			c := &cursor{in[i:]}
			table, err := c.table(database)
			if err != nil {
				return "", err
			}
			c.skip("final")
			out = append(out, sqltoken.Identifier(table.String()))
			if len(c.tokens) == 0 || c.tokens[0].Kind == sqltoken.Op || c.tokens[0].IsAny(afterTable...) {
				out = append(out, sqltoken.Raw("AS"), sqltoken.Identifier(table.table))
			}
			i = len(in) - len(c.tokens) - 1
		case t.Is("count") && call && i+2 < len(in) && in[i+2].Is(")"):
			out = append(out, sqltoken.Raw("count(*)"))
			i += 2
		case t.IsAny("uniq", "uniqExact") && call:
			out = append(out, sqltoken.Raw("count(DISTINCT"))
			i++
		case t.Is("currentDatabase") && call:
			out = append(out, sqltoken.Literal(database))
			i = max(sqltoken.Close(in, i+1), i)
		case t.Is("prewhere"):
			out = append(out, sqltoken.Raw("WHERE"))
		case call && rewrites[t.Text] != "":
			out = append(out, sqltoken.Raw(rewrites[t.Text]))
		case !call && t.IsAny(reservedInSQLite...):
			out = append(out, sqltoken.Identifier(t.Text))
		case t.IsAny("array") && call || t.Is("["):
			return "", unsupported("an array")
		default:
			out = append(out, t)
		}
	}
	return sqltoken.Join(out), nil
}

// reservedInSQLite are words that are names in ClickHouse.
var reservedInSQLite = []string{"nothing", "index", "transaction", "add", "check", "commit", "to", "table", "values", "returning", "unique", "constraint"}

// afterTable are words that follow a table which has no alias.
var afterTable = []string{
	"where", "prewhere", "group", "order", "limit", "having", "join", "inner", "left", "right", "full", "cross", "any", "all", "on", "using",
	"union", "settings", "format", "sample", "global",
}
