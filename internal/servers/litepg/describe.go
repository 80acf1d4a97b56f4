package litepg

import (
	"context"
	"database/sql/driver"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
	"github.com/jackc/pgx/v5/pgtype"
	wire "github.com/jeroenrinzema/psql-wire"
)

// describe fills in the types of a statement's parameters and columns. SQLite
// tells the declared type of a result that is a column and nothing of any other
// expression, so those are judged by their form.
func (s *session) describe(ctx context.Context, st *statement, declaredByClient []uint32) error {
	if st.action != runSQL {
		st.params = make([]uint32, 0)
		return nil
	}
	columns, into, err := s.columnsNamed(ctx, st.source)
	if err != nil {
		return err
	}
	st.params = paramTypes(st.source, declaredByClient, columns, into)
	if !st.rows {
		return nil
	}
	d := &describer{s: s, params: st.params}
	st.columns, err = d.columns(ctx, st)
	return err
}

// columnsNamed collects the columns of all tables that a statement mentions, and
// the types an INSERT fills, in order.
func (s *session) columnsNamed(ctx context.Context, tokens []tok) (map[string]typ, []typ, error) {
	all := map[string]typ{}
	var into []typ
	verb := mainVerb(tokens)
	target := ""
	var listed []tok
	if tokens[verb].Is("insert") && verb+2 < len(tokens) {
		c := &cursor{tokens[verb+2:]}
		target, _ = c.name()
		if c.skip("as") {
			c.next()
		}
		if len(c.tokens) > 0 && c.tokens[0].Is("(") {
			listed = c.tokens[1:max(sqltoken.Close(c.tokens, 0), 1)]
		}
	}
	seen := map[string]bool{}
	for i, t := range tokens {
		name := t.Name()
		introduced := i > 0 && (tokens[i-1].IsAny("from", "join", "into", "update", "only", ",", "table") || tokens[i-1].Is("."))
		if name == "" || seen[name] || !introduced {
			continue
		}
		seen[name] = true
		names, types, err := s.tableColumns(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		for j, column := range names {
			if _, taken := all[column]; !taken {
				all[column] = types[j]
			}
		}
		if name == target {
			into = types
		}
	}
	if len(listed) > 0 {
		into = nil
		for _, item := range sqltoken.SplitTop(listed, ",") {
			if len(item) == 0 {
				return nil, nil, newError(syntaxError, "syntax error at or near %q", ",")
			}
			into = append(into, all[item[len(item)-1].Name()])
		}
	}
	return all, into, nil
}

// tableColumns are the columns of a table or view, none when there is none.
func (s *session) tableColumns(ctx context.Context, table string) (names []string, types []typ, err error) {
	rows, err := s.query(ctx, "SELECT name, type FROM pragma_table_info(?1)", table)
	if err != nil {
		return nil, nil, translate(ctx, err)
	}
	for _, row := range rows.values {
		names = append(names, strings.ToLower(asText(row[0])))
		t, known := declared[strings.ToUpper(asText(row[1]))]
		if !known {
			t = typeText
		}
		types = append(types, t)
	}
	return names, types, nil
}

type describer struct {
	s       *session
	params  []uint32
	sampled bool
	sample  []driver.Value // the first row, with NULL for every parameter
}

// sampleType judges a column by its value in the first row, which is how the
// type of an aggregate inside of a subquery is found. It is the last resort: an
// empty result says nothing, and the type is then text.
func (d *describer) sampleType(ctx context.Context, source []tok, i int) typ {
	if !d.sampled {
		d.sampled = true
		sql, err := rewriteSQL(source)
		if err == nil && !hasEffects(source) {
			if rows, err := d.s.query(ctx, "SELECT * FROM ("+sql+") LIMIT 1", make([]any, paramCount(source))...); err == nil && len(rows.values) > 0 {
				d.sample = rows.values[0]
			}
		}
	}
	if i >= len(d.sample) {
		return typeText
	}
	switch d.sample[i].(type) {
	case int64:
		return typeInt8
	case float64:
		return typeFloat8
	case []byte:
		return typeBytea
	}
	return typeText
}

// hasEffects tells of functions that must not be called only to learn a type.
func hasEffects(tokens []tok) bool {
	for _, t := range tokens {
		if strings.HasPrefix(t.Name(), "pg_") {
			return true
		}
	}
	return false
}

// columns describes the result of a statement that returns rows.
func (d *describer) columns(ctx context.Context, st *statement) (wire.Columns, error) {
	source := st.source
	if st.writes && mainWord(source) != "select" {
		source = returningAsSelect(source)
	}
	rows, err := d.probe(ctx, source)
	if err != nil {
		return nil, err
	}
	items := selectItems(source)
	out := make(wire.Columns, len(rows.names))
	for i, name := range rows.names {
		item := itemOf(items, i, len(rows.names))
		t, known := declared[rows.decls[i]]
		if item != nil && (!known || hasCast(item)) {
			t = d.infer(ctx, source, item)
		}
		if t.oid == 0 {
			t = d.sampleType(ctx, source, i)
		}
		if item != nil && mainWord(source) != "values" {
			name = columnName(item, name)
		} else if cut := strings.LastIndexByte(name, ':'); cut > 0 {
			name = name[:cut] // SQLite numbers the second column of one name
		}
		out[i] = column(name, t)
	}
	return out, nil
}

func mainWord(tokens []tok) string { return tokens[mainVerb(tokens)].Name() }

// probe asks SQLite for the shape of a query without executing it.
func (d *describer) probe(ctx context.Context, source []tok) (*result, error) {
	sql, err := rewriteSQL(source)
	if err != nil {
		return nil, err
	}
	args := make([]any, paramCount(source))
	rows, err := d.s.query(ctx, "SELECT * FROM ("+sql+") LIMIT 0", args...)
	if err != nil {
		return nil, translate(ctx, err)
	}
	return rows, nil
}

// returningAsSelect makes "SELECT items FROM table" of a RETURNING clause: its
// result has the same columns.
func returningAsSelect(tokens []tok) []tok {
	verb := mainVerb(tokens)
	rest := &cursor{tokens[verb+1:]}
	rest.skip("into")
	rest.skip("from")
	rest.skip("only")
	name, _ := rest.name()
	from := []tok{sqltoken.Raw("from"), sqltoken.Identifier(name)}
	if rest.skip("as") || len(rest.tokens) > 0 && rest.tokens[0].Name() != "" && !rest.tokens[0].IsAny("set", "values", "default", "select", "where", "using", "returning", "on", "overriding", "with") {
		from = append(from, sqltoken.Raw("as"), rest.next())
	}
	i := sqltoken.IndexTop(tokens, verb, "returning")
	out := append([]tok{sqltoken.Raw("select")}, tokens[i+1:]...)
	return append(out, from...)
}

// selectItems are the expressions of the result list; nil when the form is not
// a plain SELECT.
func selectItems(tokens []tok) [][]tok {
	verb := mainVerb(tokens)
	if tokens[verb].Is("values") {
		if end := sqltoken.Close(tokens, verb+1); end > 0 {
			return sqltoken.SplitTop(tokens[verb+2:end], ",")
		}
		return nil
	}
	if !tokens[verb].Is("select") {
		return nil
	}
	from := verb + 1
	if from < len(tokens) && tokens[from].IsAny("distinct", "all") {
		from++
	}
	return sqltoken.SplitTop(tokens[from:itemsEnd(tokens, from)], ",")
}

func itemsEnd(tokens []tok, from int) int {
	end := sqltoken.IndexTop(tokens, from, "from", "where", "group", "order", "limit", "offset", "union", "intersect", "except", "for", "having")
	if end < 0 {
		return len(tokens)
	}
	return end
}

// itemOf finds the expression of result column i. A star in the list stands for
// an unknown number of columns: what is before it is counted from the left and
// what is after it from the right.
func itemOf(items [][]tok, i, columns int) []tok {
	first, last := -1, -1
	for n, item := range items {
		if item[len(item)-1].Is("*") {
			last = n
			if first < 0 {
				first = n
			}
		}
	}
	switch {
	case first < 0 && i < len(items):
		return items[i]
	case first >= 0 && i < first:
		return items[i]
	case last >= 0 && columns-i < len(items)-last:
		return items[len(items)-(columns-i)]
	}
	return nil
}

func hasCast(item []tok) bool { return sqltoken.IndexTop(item, 0, "::") >= 0 }

// columnName is the name PostgreSQL would give to a result column.
func columnName(item []tok, fallback string) string {
	bare := withoutAlias(item)
	if len(bare) < len(item) {
		return item[len(item)-1].Name()
	}
	n := len(item)
	switch {
	case item[0].Is("case"):
		return "case"
	case sqltoken.IndexTop(item, 1, operatorWords...) > 0 || item[0].Is("not"):
		return "?column?"
	}
	if i := sqltoken.IndexTop(item, 0, "::"); i > 0 {
		if name := columnName(item[:i], ""); name != "?column?" {
			return name
		}
		return item[i+1].Name()
	}
	switch {
	case n == 1 && item[0].IsAny("true", "false"):
		return "bool"
	case n == 1 && item[0].Name() == "null", n == 1 && item[0].Name() == "":
		return "?column?"
	case operandStart(item) == 0 && item[n-1].Name() != "":
		return item[n-1].Name()
	case n > 2 && item[0].Name() != "" && item[1].Is("(") && sqltoken.Close(item, 1) == n-1:
		return item[0].Name()
	case item[0].Is("("):
		return fallbackName(fallback)
	}
	return "?column?"
}

func fallbackName(name string) string {
	if name == "" || strings.ContainsAny(name, "( ") {
		return "?column?"
	}
	return name
}

func column(name string, t typ) wire.Column {
	if t.oid == pgtype.UnknownOID || t.oid == 0 {
		t = typeText
	}
	return wire.Column{Name: name, Oid: t.oid, Width: width(t.oid)}
}

// width is the size of a value, in bytes, -1 when it varies.
func width(oid uint32) int16 {
	switch oid {
	case pgtype.Int8OID, pgtype.Float8OID, pgtype.TimestamptzOID, pgtype.TimestampOID:
		return 8
	case pgtype.Int4OID, pgtype.Float4OID, pgtype.DateOID, pgtype.OIDOID:
		return 4
	case pgtype.Int2OID:
		return 2
	case pgtype.BoolOID:
		return 1
	case pgtype.UUIDOID:
		return 16
	}
	return -1
}

// result is what a query gave: the values as SQLite has them.
type result struct {
	names  []string
	decls  []string // SQLite's declared types, "" for expressions
	values [][]driver.Value
}
