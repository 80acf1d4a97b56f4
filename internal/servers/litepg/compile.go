package litepg

import (
	"errors"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
	wire "github.com/jeroenrinzema/psql-wire"
)

// action is what executing a statement means for the session.
type action int

const (
	runSQL   action = iota // steps, on SQLite
	beginTx                // BEGIN
	commitTx               // COMMIT
	rollbackTx
	savepoint   // SAVEPOINT arg
	releaseTo   // RELEASE arg
	rollbackTo  // ROLLBACK TO arg
	setVariable // SET arg = value
	show        // SHOW arg
	createDatabase
	dropDatabase
	nothing // accepted, no effect
)

// statement is one compiled statement. It is compiled again for every execution
// of a simple query and once for every prepared one.
type statement struct {
	action   action
	source   []tok
	tag      string // the first words of CommandComplete
	arg      string
	value    string // SET
	ifExists bool   // DROP DATABASE IF EXISTS
	force    bool   // DROP DATABASE ... WITH (FORCE)
	steps    []step
	rows     bool // returns rows
	writes   bool // takes the write lock
	params   []uint32
	columns  wire.Columns
}

// step is one statement for SQLite.
type step struct {
	sql    string
	params bool // takes the client's parameters
	// A column that must exist (or must not) for the step to be executed:
	// SQLite has no IF [NOT] EXISTS for columns.
	table, column       string
	ifColumn, ifMissing bool
}

// parse splits a query into statements, not yet compiled.
func parse(query string) ([][]tok, error) {
	tokens, err := sqltoken.Lex(query, sqltoken.PostgreSQL)
	if err != nil {
		var bad *sqltoken.Error
		if errors.As(err, &bad) {
			return nil, newError(syntaxError, "%s", bad.Message)
		}
		return nil, err
	}
	return sqltoken.SplitStatements(tokens), nil
}

// accepted are statements that change nothing here and that a service may send.
var accepted = map[string]string{
	"discard": "DISCARD ALL", "deallocate": "DEALLOCATE", "reset": "RESET", "analyze": "ANALYZE", "vacuum": "VACUUM",
	"grant": "GRANT", "revoke": "REVOKE", "comment": "COMMENT", "unlisten": "UNLISTEN", "checkpoint": "CHECKPOINT",
}

// compile recognises a statement by its first words.
func compile(tokens []tok) (*statement, error) {
	st := &statement{source: tokens}
	verb := strings.ToLower(tokens[0].Text)
	switch verb {
	case "begin", "start":
		st.action, st.tag = beginTx, strings.ToUpper(verb)
		if verb == "start" {
			st.tag = "START TRANSACTION"
		}
	case "commit", "end":
		st.action, st.tag = commitTx, "COMMIT"
	case "rollback", "abort", "savepoint", "release":
		return st, compileSavepoint(st, verb)
	case "set":
		return st, compileSet(st)
	case "show":
		st.action, st.tag, st.rows = show, "SHOW", true
		st.arg = strings.ToLower(joinWords(tokens[1:]))
		st.columns = wire.Columns{column(strings.ReplaceAll(st.arg, " ", "_"), typeText)}
	case "create", "drop", "alter", "truncate":
		return st, compileDDL(st, verb)
	case "select", "with", "values", "table", "insert", "update", "delete", "(":
		return st, compileDML(st)
	case "lock":
		st.tag, st.writes = "LOCK TABLE", true
	default:
		if tag, ok := accepted[verb]; ok {
			st.action, st.tag = nothing, tag
			return st, nil
		}
		if !knownVerbs[verb] {
			return nil, newError(syntaxError, "syntax error at or near %q", tokens[0].Text)
		}
		return nil, unsupported(strings.ToUpper(verb))
	}
	return st, nil
}

// knownVerbs are statements of PostgreSQL that this stand-in lacks.
var knownVerbs = map[string]bool{
	"copy": true, "do": true, "call": true, "explain": true, "listen": true, "notify": true, "merge": true, "declare": true, "fetch": true,
	"close": true, "move": true, "prepare": true, "execute": true, "refresh": true, "reindex": true, "cluster": true, "import": true,
	"security": true, "reassign": true, "load": true,
}

func compileSavepoint(st *statement, verb string) error {
	rest := st.source[1:]
	for len(rest) > 0 && rest[0].IsAny("work", "transaction") {
		rest = rest[1:]
	}
	switch {
	case verb == "savepoint":
		st.action, st.tag = savepoint, "SAVEPOINT"
	case verb == "release":
		st.action, st.tag = releaseTo, "RELEASE"
	case len(rest) > 0 && rest[0].Is("to"):
		st.action, st.tag, rest = rollbackTo, "ROLLBACK", rest[1:]
	default:
		st.action, st.tag = rollbackTx, "ROLLBACK"
		return nil
	}
	if len(rest) > 1 && rest[0].Is("savepoint") {
		rest = rest[1:]
	}
	if len(rest) != 1 || rest[0].Name() == "" {
		return newError(syntaxError, "%s wants the name of a savepoint", st.tag)
	}
	st.arg = rest[0].Name()
	return nil
}

// compileSet reads SET [SESSION|LOCAL] name {TO|=} value, and the SET forms
// without a value (SET TRANSACTION ..., SET TIME ZONE ...), which change nothing.
func compileSet(st *statement) error {
	st.action, st.tag = setVariable, "SET"
	rest := st.source[1:]
	if len(rest) > 1 && rest[0].IsAny("session", "local") {
		rest = rest[1:]
	}
	i := sqltoken.IndexTop(rest, 0, "to", "=")
	if i <= 0 || i == len(rest)-1 {
		if sqltoken.Starts(rest, "transaction") || sqltoken.Starts(rest, "characteristics") || sqltoken.Starts(rest, "time", "zone") ||
			sqltoken.Starts(rest, "constraints") || sqltoken.Starts(rest, "role") || sqltoken.Starts(rest, "names") {
			st.action = nothing
			return nil
		}
		return newError(syntaxError, "SET wants a name and a value")
	}
	st.arg = strings.ToLower(joinWords(rest[:i]))
	var values []string
	for _, part := range sqltoken.SplitTop(rest[i+1:], ",") {
		values = append(values, joinWords(part))
	}
	st.value = strings.Join(values, ", ")
	return nil
}

// joinWords writes names and literals as plain text.
func joinWords(tokens []tok) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && !t.Is(".") && !tokens[i-1].Is(".") {
			b.WriteByte(' ')
		}
		if t.Kind == sqltoken.String || t.Kind == sqltoken.Quoted {
			b.WriteString(t.Value)
		} else {
			b.WriteString(t.Text)
		}
	}
	return b.String()
}

// compileDML handles what reads and changes rows.
func compileDML(st *statement) error {
	verbAt := mainVerb(st.source)
	verb := strings.ToUpper(st.source[verbAt].Text)
	switch verb {
	case "INSERT":
		st.tag, st.writes = "INSERT 0", true
	case "UPDATE", "DELETE":
		st.tag, st.writes = verb, true
	default:
		st.tag, st.rows = "SELECT", true
		if i := sqltoken.IndexTop(st.source, 1, "for"); i > 0 && i+1 < len(st.source) && st.source[i+1].IsAny("update", "share", "no", "key") {
			st.writes = true
		}
	}
	if st.writes && sqltoken.IndexTop(st.source, verbAt, "returning") > 0 {
		st.rows = true
	}
	source := st.source
	if source[0].Is("table") {
		source = append([]tok{sqltoken.Raw("SELECT * FROM")}, source[1:]...)
	}
	sql, err := rewriteSQL(source)
	st.steps = []step{{sql: sql, params: true}}
	return err
}

// mainVerb is the index of the word that says what a statement does: the first,
// or the one after the common table expressions.
func mainVerb(tokens []tok) int {
	if !tokens[0].Is("with") {
		return 0
	}
	if i := sqltoken.IndexTop(tokens, 1, "select", "insert", "update", "delete", "values"); i > 0 {
		return i
	}
	return 0
}
