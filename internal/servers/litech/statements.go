package litech

import (
	"context"
	"fmt"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

type tok = sqltoken.Token

// statement runs everything but INSERT.
func (s *Server) statement(ctx context.Context, q request, tokens []tok) (response, error) {
	verb := strings.ToLower(tokens[0].Text)
	switch verb {
	case "select", "with", "(":
		return s.query(ctx, q, tokens)
	case "show", "exists", "describe", "desc":
		return s.inspect(ctx, q, verb, tokens)
	}
	if q.readOnly {
		return response{}, errReadOnly
	}
	c := &cursor{tokens: tokens[1:]}
	var err error
	switch verb {
	case "create":
		err = s.create(ctx, q, c)
	case "drop":
		err = s.drop(ctx, q, c)
	case "truncate":
		c.skip("table")
		exists := c.skipAll("if", "exists")
		var table name
		if table, err = c.table(q.database); err == nil {
			err = s.onTable(ctx, table, exists, "DELETE FROM "+table.sql())
		}
	case "alter":
		err = s.alter(ctx, q, c)
	case "set", "use", "optimize":
		// Settings have no effect here, and there is nothing to merge.
	case "system", "rename", "attach", "detach", "kill", "grant", "revoke":
		err = unsupported(strings.ToUpper(verb))
	default:
		err = fail(syntaxError, "Syntax error: failed at %s", tokens[0].Text)
	}
	return plain(""), err
}

// name is a table in a database.
type name struct{ database, table string }

func (n name) sql() string    { return sqltoken.Identifier(n.String()).Text }
func (n name) String() string { return n.database + "." + n.table }

// cursor walks over the words of a statement.
type cursor struct{ tokens []tok }

func (c *cursor) skip(word string) bool { return c.skipAll(word) }

func (c *cursor) skipAll(words ...string) bool {
	if !sqltoken.Starts(c.tokens, words...) {
		return false
	}
	c.tokens = c.tokens[len(words):]
	return true
}

// word reads an identifier; ClickHouse's are case-sensitive.
func (c *cursor) word() (string, error) {
	if len(c.tokens) == 0 {
		return "", fail(syntaxError, "Syntax error: failed at end of query")
	}
	t := c.tokens[0]
	if t.Name() == "" {
		return "", fail(syntaxError, "Syntax error: failed at %s", t.Text)
	}
	c.tokens = c.tokens[1:]
	return identifier(t), nil
}

func identifier(t tok) string {
	if t.Kind == sqltoken.Quoted {
		return t.Value
	}
	return t.Text
}

// table reads [database.]table.
func (c *cursor) table(database string) (name, error) {
	first, err := c.word()
	if err != nil || !c.skip(".") {
		return name{database, first}, err
	}
	second, err := c.word()
	return name{first, second}, err
}

func (s *Server) create(ctx context.Context, q request, c *cursor) error {
	c.skip("temporary")
	switch {
	case c.skip("database"):
		exists := c.skipAll("if", "not", "exists")
		database, err := c.word()
		if err != nil {
			return err
		}
		known, err := s.exists(ctx, `SELECT 1 FROM "system.databases" WHERE name = ?`, database)
		switch {
		case err != nil || known && exists:
			return err
		case known:
			return fail(databaseExists, "Database %s already exists.", database)
		}
		return s.exec(ctx, `INSERT INTO "system.databases" (name) VALUES (?)`, database)
	case c.skip("table"):
		return s.createTable(ctx, q, c)
	}
	return unsupported("CREATE " + sqltoken.Join(c.tokens))
}

func (s *Server) drop(ctx context.Context, q request, c *cursor) error {
	switch {
	case c.skip("database"):
		exists := c.skipAll("if", "exists")
		database, err := c.word()
		if err != nil {
			return err
		}
		return s.dropDatabase(ctx, database, exists)
	case c.skipAll("temporary", "table"), c.skip("table"):
		exists := c.skipAll("if", "exists")
		table, err := c.table(q.database)
		if err != nil {
			return err
		}
		return s.dropTable(ctx, table, exists)
	}
	return unsupported("DROP " + sqltoken.Join(c.tokens))
}

func (s *Server) dropTable(ctx context.Context, table name, exists bool) error {
	if err := s.onTable(ctx, table, exists, "DROP TABLE "+table.sql()); err != nil {
		return err
	}
	if err := s.exec(ctx, `DELETE FROM "system.tables" WHERE database = ? AND name = ?`, table.database, table.table); err != nil {
		return err
	}
	return s.exec(ctx, `DELETE FROM "system.columns" WHERE database = ? AND "table" = ?`, table.database, table.table)
}

// onTable runs a statement on a table, nothing when it may be missing and is.
func (s *Server) onTable(ctx context.Context, table name, mayMiss bool, statement string) error {
	known, err := s.exists(ctx, `SELECT 1 FROM "system.tables" WHERE database = ? AND name = ?`, table.database, table.table)
	switch {
	case err != nil || !known && mayMiss:
		return err
	case !known:
		return fail(unknownTable, "Table %s doesn't exist.", table)
	}
	return s.exec(ctx, statement)
}

func (s *Server) dropDatabase(ctx context.Context, database string, exists bool) error {
	known, err := s.exists(ctx, `SELECT 1 FROM "system.databases" WHERE name = ?`, database)
	switch {
	case err != nil || !known && exists:
		return err
	case !known:
		return fail(unknownDatabase, "Database %s doesn't exist", database)
	case database == "system":
		return unsupported("DROP DATABASE system")
	}
	tables, err := s.strings(ctx, `SELECT name FROM "system.tables" WHERE database = ?`, database)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := s.dropTable(ctx, name{database, table}, true); err != nil {
			return err
		}
	}
	return s.exec(ctx, `DELETE FROM "system.databases" WHERE name = ?`, database)
}

func (s *Server) strings(ctx context.Context, query string, args ...any) (out []string, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// inspect answers SHOW, EXISTS and DESCRIBE from the system tables.
func (s *Server) inspect(ctx context.Context, q request, verb string, tokens []tok) (response, error) {
	c := &cursor{tokens: tokens[1:]}
	switch {
	case verb == "exists":
		c.skip("table")
		table, err := c.table(q.database)
		if err != nil {
			return response{}, err
		}
		return s.run(ctx, q, c.tokens, `SELECT CAST(count(*) AS INTEGER) AS result FROM "system.tables" WHERE database = ? AND name = ?`, table.database, table.table)
	case verb == "describe" || verb == "desc":
		c.skip("table")
		table, err := c.table(q.database)
		if err != nil {
			return response{}, err
		}
		if err := s.onTable(ctx, table, false, "SELECT 1"); err != nil {
			return response{}, err
		}
		return s.run(ctx, q, c.tokens, `SELECT name, type, '' AS default_type, '' AS default_expression FROM "system.columns" WHERE database = ? AND "table" = ? ORDER BY position`, table.database, table.table)
	case c.skip("databases"):
		return s.run(ctx, q, c.tokens, `SELECT name FROM "system.databases" ORDER BY name`)
	case c.skip("tables"):
		database := q.database
		if c.skip("from") || c.skip("in") {
			var err error
			if database, err = c.word(); err != nil {
				return response{}, err
			}
		}
		return s.run(ctx, q, c.tokens, `SELECT name FROM "system.tables" WHERE database = ? ORDER BY name`, database)
	}
	return response{}, unsupported(fmt.Sprintf("%s %s", strings.ToUpper(verb), sqltoken.Join(c.tokens)))
}
