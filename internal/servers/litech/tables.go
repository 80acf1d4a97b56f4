package litech

import (
	"context"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

type columnDef struct {
	name, typ string
	sql       string
	computed  string // a default that refers to other columns
}

func (s *Server) createTable(ctx context.Context, q request, c *cursor) error {
	exists := c.skipAll("if", "not", "exists")
	table, err := c.table(q.database)
	if err != nil {
		return err
	}
	if c.skipAll("on", "cluster") {
		return unsupported("ON CLUSTER")
	}
	known, err := s.exists(ctx, `SELECT 1 FROM "system.databases" WHERE name = ?`, table.database)
	if err != nil {
		return err
	}
	if !known {
		return fail(unknownDatabase, "Database %s doesn't exist", table.database)
	}
	taken, err := s.exists(ctx, `SELECT 1 FROM "system.tables" WHERE database = ? AND name = ?`, table.database, table.table)
	switch {
	case err != nil || taken && exists:
		return err
	case taken:
		return fail(tableExists, "Table %s already exists.", table)
	}
	columns, engine, err := tableParts(c)
	if err != nil {
		return err
	}
	var parts []string
	for _, col := range columns {
		parts = append(parts, col.sql)
	}
	if err := s.exec(ctx, "CREATE TABLE "+table.sql()+" ("+strings.Join(parts, ", ")+")"); err != nil {
		return err
	}
	if err := s.exec(ctx, `INSERT INTO "system.tables" VALUES (?, ?, ?)`, table.database, table.table, engine); err != nil {
		return err
	}
	if err := s.computeDefaults(ctx, table, columns); err != nil {
		return err
	}
	for _, col := range columns {
		if err := s.addColumn(ctx, table, col); err != nil {
			return err
		}
	}
	return nil
}

// computeDefaults fills in defaults that SQLite refuses, because they refer to
// other columns, after the row was written.
func (s *Server) computeDefaults(ctx context.Context, table name, columns []columnDef) error {
	for _, col := range columns {
		if col.computed == "" {
			continue
		}
		column := sqltoken.Identifier(col.name).Text
		err := s.exec(ctx, "CREATE TRIGGER "+sqltoken.Identifier("default "+table.String()+"."+col.name).Text+" AFTER INSERT ON "+table.sql()+
			" WHEN NEW."+column+" IS NULL BEGIN UPDATE "+table.sql()+" SET "+column+" = "+col.computed+" WHERE rowid = NEW.rowid; END")
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) addColumn(ctx context.Context, table name, col columnDef) error {
	return s.exec(ctx, `INSERT INTO "system.columns" SELECT ?1, ?2, ?3, ?4, 1 + count(*) FROM "system.columns" WHERE database = ?1 AND "table" = ?2`,
		table.database, table.table, col.name, col.typ)
}

// tableParts reads (columns) ENGINE = name.
func tableParts(c *cursor) (columns []columnDef, engine string, err error) {
	end := -1
	if len(c.tokens) > 0 && c.tokens[0].Is("(") {
		end = sqltoken.Close(c.tokens, 0)
	}
	if end < 0 {
		return nil, "", unsupported("CREATE TABLE without a list of columns")
	}
	for _, part := range sqltoken.SplitTop(c.tokens[1:end], ",") {
		if len(part) > 0 && part[0].IsAny("index", "constraint", "projection", "primary") {
			continue
		}
		col, err := parseColumn(part)
		if err != nil {
			return nil, "", err
		}
		columns = append(columns, col)
	}
	rest := c.tokens[end+1:]
	i := sqltoken.IndexTop(rest, 0, "engine")
	if i < 0 || i+1 >= len(rest) {
		// Code 119 is ENGINE_REQUIRED.
		return nil, "", fail(119, "Incorrect CREATE query: ENGINE required")
	}
	if rest[i+1].Is("=") {
		i++
	}
	if i+1 >= len(rest) || rest[i+1].Name() == "" {
		return nil, "", fail(syntaxError, "Syntax error: failed at end of query")
	}
	engine = rest[i+1].Text
	if !strings.HasSuffix(engine, "MergeTree") && !engines[engine] {
		return nil, "", fail(56, "Unknown table engine %s, or one that this stand-in lacks: %s", engine, Name)
	}
	return columns, engine, nil
}

// engines are those beside the MergeTree family. All keep rows in SQLite.
var engines = map[string]bool{"Memory": true, "Log": true, "TinyLog": true, "StripeLog": true}

// parseColumn reads name Type [DEFAULT expression] [CODEC(...)] [COMMENT ...].
func parseColumn(tokens []tok) (columnDef, error) {
	if len(tokens) < 2 || tokens[0].Name() == "" || tokens[1].Kind != sqltoken.Word {
		return columnDef{}, fail(syntaxError, "Syntax error: failed at %s", sqltoken.Join(tokens))
	}
	n := 2
	if n < len(tokens) && tokens[n].Is("(") {
		n = sqltoken.Close(tokens, n) + 1
	}
	typ := strings.NewReplacer(" ", "").Replace(sqltoken.Join(tokens[1:n]))
	if err := knownType(typ); err != nil {
		return columnDef{}, err
	}
	col := columnDef{name: identifier(tokens[0]), typ: typ}
	col.sql = sqltoken.Identifier(col.name).Text + " " + sqltoken.Identifier(declare(typ)).Text
	value := zero(typ)
	if i := sqltoken.IndexTop(tokens, n, "default"); i > 0 {
		end := sqltoken.IndexTop(tokens, i+1, "codec", "comment", "ttl")
		if end < 0 {
			end = len(tokens)
		}
		expression, err := rewrite(tokens[i+1:end], "", nil)
		if err != nil {
			return columnDef{}, err
		}
		value = expression
		if refersToColumn(tokens[i+1 : end]) {
			col.computed = expression
		}
	}
	if i := sqltoken.IndexTop(tokens, n, "materialized", "alias"); i > 0 {
		return columnDef{}, unsupported("a column with " + strings.ToUpper(tokens[i].Text))
	}
	if col.computed != "" {
		return col, nil
	}
	if !strings.HasPrefix(typ, "Nullable(") {
		col.sql += " NOT NULL"
	}
	col.sql += " DEFAULT (" + value + ")"
	return col, nil
}

// refersToColumn looks for a name that is not a function's.
func refersToColumn(tokens []tok) bool {
	for i, t := range tokens {
		call := i+1 < len(tokens) && tokens[i+1].Is("(")
		if t.Name() != "" && !call && !t.IsAny("null", "true", "false") {
			return true
		}
	}
	return false
}

// base is the type inside of Nullable(...) and LowCardinality(...).
func base(typ string) string {
	for {
		inner, found := strings.CutPrefix(typ, "Nullable(")
		if !found {
			inner, found = strings.CutPrefix(typ, "LowCardinality(")
		}
		if !found {
			return typ
		}
		typ = strings.TrimSuffix(inner, ")")
	}
}

func isNumber(typ string) bool {
	typ = base(typ)
	return strings.HasPrefix(typ, "Int") || strings.HasPrefix(typ, "UInt") || strings.HasPrefix(typ, "Float") || strings.HasPrefix(typ, "Decimal") || typ == "Bool"
}

func knownType(typ string) error {
	outer, _, _ := strings.Cut(base(typ), "(")
	switch outer {
	case "String", "FixedString", "UUID", "Date", "DateTime", "DateTime64", "Enum8", "Enum16":
		return nil
	case "Array", "Nested", "Tuple", "Map", "AggregateFunction":
		return unsupported("the type " + outer)
	}
	if isNumber(typ) {
		return nil
	}
	return fail(unknownType, "Unknown data type family: %s", outer)
}

// declare is the type's name for SQLite, which takes INT, FLOA and TEXT inside
// of a name for the way to keep the values.
func declare(typ string) string {
	if isNumber(typ) {
		return typ
	}
	return typ + " TEXT"
}

// zero is the default of a column that has none, as an SQL expression.
func zero(typ string) string {
	switch outer, _, _ := strings.Cut(base(typ), "("); {
	case strings.HasPrefix(typ, "Nullable("):
		return "NULL"
	case isNumber(typ):
		return "0"
	case outer == "Date":
		return "'0000-00-00'"
	case outer == "DateTime" || outer == "DateTime64":
		return "'0000-00-00 00:00:00'"
	case outer == "UUID":
		return "'00000000-0000-0000-0000-000000000000'"
	}
	return "''"
}

// alter knows ADD COLUMN and DROP COLUMN.
func (s *Server) alter(ctx context.Context, q request, c *cursor) error {
	if !c.skip("table") {
		return unsupported("ALTER " + sqltoken.Join(c.tokens))
	}
	table, err := c.table(q.database)
	if err != nil {
		return err
	}
	for _, part := range sqltoken.SplitTop(c.tokens, ",") {
		if err := s.alterAction(ctx, table, &cursor{part}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) alterAction(ctx context.Context, table name, c *cursor) error {
	const known = `SELECT 1 FROM "system.columns" WHERE database = ? AND "table" = ? AND name = ?`
	switch {
	case c.skipAll("add", "column"):
		mayExist := c.skipAll("if", "not", "exists")
		if i := sqltoken.IndexTop(c.tokens, 2, "after"); i > 0 {
			c.tokens = c.tokens[:i]
		}
		col, err := parseColumn(c.tokens)
		if err != nil {
			return err
		}
		if exists, err := s.exists(ctx, known, table.database, table.table, col.name); err != nil || exists && mayExist {
			return err
		}
		if err := s.onTable(ctx, table, false, "ALTER TABLE "+table.sql()+" ADD COLUMN "+col.sql); err != nil {
			return err
		}
		return s.addColumn(ctx, table, col)
	case c.skipAll("drop", "column"):
		mayMiss := c.skipAll("if", "exists")
		column, err := c.word()
		if err != nil {
			return err
		}
		if exists, err := s.exists(ctx, known, table.database, table.table, column); err != nil || !exists && mayMiss {
			return err
		}
		if err := s.onTable(ctx, table, false, "ALTER TABLE "+table.sql()+" DROP COLUMN "+sqltoken.Identifier(column).Text); err != nil {
			return err
		}
		return s.exec(ctx, `DELETE FROM "system.columns" WHERE database = ? AND "table" = ? AND name = ?`, table.database, table.table, column)
	}
	return unsupported("ALTER TABLE ... " + strings.ToUpper(sqltoken.Join(c.tokens)))
}
