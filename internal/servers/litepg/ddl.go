package litepg

import (
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

// compileDDL handles CREATE, DROP, ALTER and TRUNCATE.
func compileDDL(st *statement, verb string) error {
	st.writes = true
	c := &cursor{tokens: st.source[1:]}
	if verb == "truncate" {
		return compileTruncate(st, c)
	}
	if verb == "create" {
		c.skip("or")
		replace := c.skip("replace")
		for c.skip("unlogged") || c.skip("global") || c.skip("local") {
			continue // words without effect here
		}
		temporary := c.skip("temp") || c.skip("temporary")
		unique := c.skip("unique")
		switch {
		case c.skip("table"):
			return compileCreateTable(st, c, temporary)
		case c.skip("index"):
			return compileCreateIndex(st, c, unique)
		case c.skip("view"):
			return compileCreateView(st, c, replace)
		}
	}
	object := c.next()
	st.tag = strings.ToUpper(verb + " " + object.Text)
	switch name := verb + " " + object.Name(); name {
	case "create database", "drop database":
		return compileDatabase(st, c, verb)
	case "create extension", "create schema":
		return compileAccepted(st, c, name)
	case "drop table", "drop index", "drop view":
		return compileDrop(st, c, object.Name())
	case "alter table":
		return compileAlterTable(st, c)
	case "alter database", "alter role", "alter user", "drop extension":
		st.action = nothing
		return nil
	}
	return unsupported(st.tag)
}

// cursor walks over the words of a statement.
type cursor struct{ tokens []tok }

func (c *cursor) skip(word string) bool {
	if len(c.tokens) > 0 && c.tokens[0].Is(word) {
		c.tokens = c.tokens[1:]
		return true
	}
	return false
}

func (c *cursor) skipAll(words ...string) bool {
	if !sqltoken.Starts(c.tokens, words...) {
		return false
	}
	c.tokens = c.tokens[len(words):]
	return true
}

func (c *cursor) next() tok {
	if len(c.tokens) == 0 {
		return tok{}
	}
	t := c.tokens[0]
	c.tokens = c.tokens[1:]
	return t
}

// name reads a name; the schema public in front of it is left out.
func (c *cursor) name() (string, error) {
	t := c.next()
	if c.skip(".") {
		if t.Name() != "public" {
			return "", unsupported("the schema " + t.Text)
		}
		t = c.next()
	}
	if t.Name() == "" {
		return "", newError(syntaxError, "syntax error at or near %q", t.Text)
	}
	return t.Name(), nil
}

func quote(name string) string { return sqltoken.Identifier(name).Text }

func compileDatabase(st *statement, c *cursor, verb string) error {
	st.action = createDatabase
	if verb == "drop" {
		st.action = dropDatabase
		st.ifExists = c.skipAll("if", "exists")
	}
	name, err := c.name()
	st.arg, st.force = name, sqltoken.IndexTop(c.tokens, 0, "force") >= 0 || sqltoken.Starts(c.tokens, "with", "(", "force")
	return err
}

// compileAccepted lets pass what a start-up commonly asks for and what is here
// without asking.
func compileAccepted(st *statement, c *cursor, what string) error {
	c.skipAll("if", "not", "exists")
	name := c.next().Name()
	st.action = nothing
	switch what + " " + name {
	case "create schema public", "create extension pgcrypto", "create extension uuid-ossp", "create extension citext", "create extension plpgsql":
		return nil
	}
	return unsupported(strings.ToUpper(what) + " " + name)
}

func compileTruncate(st *statement, c *cursor) error {
	st.tag = "TRUNCATE TABLE"
	c.skip("table")
	c.skip("only")
	if i := sqltoken.IndexTop(c.tokens, 0, "restart", "continue", "cascade", "restrict"); i >= 0 {
		c.tokens = c.tokens[:i]
	}
	for _, part := range sqltoken.SplitTop(c.tokens, ",") {
		name, err := (&cursor{part}).name()
		if err != nil {
			return err
		}
		st.steps = append(st.steps, step{sql: "DELETE FROM " + quote(name)})
	}
	return nil
}

func compileDrop(st *statement, c *cursor, object string) error {
	c.skip("concurrently")
	exists := ""
	if c.skipAll("if", "exists") {
		exists = "IF EXISTS "
	}
	if n := len(c.tokens); n > 0 && c.tokens[n-1].IsAny("cascade", "restrict") {
		c.tokens = c.tokens[:n-1]
	}
	for _, part := range sqltoken.SplitTop(c.tokens, ",") {
		name, err := (&cursor{part}).name()
		if err != nil {
			return err
		}
		st.steps = append(st.steps, step{sql: "DROP " + object + " " + exists + quote(name)})
	}
	return nil
}

func compileCreateView(st *statement, c *cursor, replace bool) error {
	st.tag = "CREATE VIEW"
	name, err := c.name()
	if err != nil {
		return err
	}
	if replace {
		st.steps = append(st.steps, step{sql: "DROP VIEW IF EXISTS " + quote(name)})
	}
	rest, err := rewriteSQL(c.tokens)
	st.steps = append(st.steps, step{sql: "CREATE VIEW " + quote(name) + " " + rest})
	return err
}

func compileCreateIndex(st *statement, c *cursor, unique bool) error {
	st.tag = "CREATE INDEX"
	head := "CREATE INDEX "
	if unique {
		head = "CREATE UNIQUE INDEX "
	}
	c.skip("concurrently")
	if c.skipAll("if", "not", "exists") {
		head += "IF NOT EXISTS "
	}
	index := ""
	if len(c.tokens) > 0 && !c.tokens[0].Is("on") {
		index, _ = c.name()
	}
	if !c.skip("on") {
		return newError(syntaxError, "CREATE INDEX wants ON and a table")
	}
	c.skip("only")
	table, err := c.name()
	if err != nil {
		return err
	}
	if c.skip("using") {
		c.next()
	}
	if index == "" {
		// PostgreSQL's own default: table_column_idx.
		index = table
		for _, t := range c.tokens {
			if t.Name() != "" {
				index += "_" + t.Name()
			}
		}
		index += "_idx"
	}
	rest, err := rewriteSQL(c.tokens)
	st.steps = []step{{sql: head + quote(index) + " ON " + quote(table) + " " + rest}}
	return err
}

// compileAlterTable turns each action into one statement: SQLite takes one at a
// time.
func compileAlterTable(st *statement, c *cursor) error {
	c.skipAll("if", "exists")
	c.skip("only")
	table, err := c.name()
	if err != nil {
		return err
	}
	for _, part := range sqltoken.SplitTop(c.tokens, ",") {
		s, err := alterAction(table, &cursor{part})
		if err != nil {
			return err
		}
		if s.sql != "" {
			st.steps = append(st.steps, s)
		}
	}
	return nil
}

func alterAction(table string, c *cursor) (step, error) {
	head := "ALTER TABLE " + quote(table) + " "
	switch {
	case c.skipAll("owner", "to"):
		return step{}, nil
	case c.skip("rename"):
		rest, err := rewriteSQL(c.tokens)
		return step{sql: head + "RENAME " + rest}, err
	case c.skip("drop"):
		if sqltoken.Starts(c.tokens, "constraint") {
			return step{}, unsupported("ALTER TABLE ... DROP CONSTRAINT")
		}
		c.skip("column")
		s := step{table: table, ifColumn: c.skipAll("if", "exists")}
		name, err := c.name()
		s.column, s.sql = name, head+"DROP COLUMN "+quote(name)
		return s, err
	case c.skip("add"):
		return addAction(table, head, c)
	}
	return step{}, unsupported("ALTER TABLE ... " + strings.ToUpper(sqltoken.Join(c.tokens)))
}

func addAction(table, head string, c *cursor) (step, error) {
	if c.skip("constraint") {
		name, err := c.name()
		if err != nil {
			return step{}, err
		}
		if !c.skip("unique") {
			return step{}, unsupported("ALTER TABLE ... ADD CONSTRAINT other than UNIQUE")
		}
		return step{sql: "CREATE UNIQUE INDEX " + quote(name) + " ON " + quote(table) + " " + sqltoken.Join(c.tokens)}, nil
	}
	c.skip("column")
	s := step{table: table, ifMissing: c.skipAll("if", "not", "exists")}
	if len(c.tokens) > 0 {
		s.column = c.tokens[0].Name()
	}
	definition, err := columnDefinition(c.tokens, false)
	s.sql = head + "ADD COLUMN " + definition
	return s, err
}
