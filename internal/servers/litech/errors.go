package litech

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// code is ClickHouse's number of an error.
type code int

const (
	noSuchColumn    code = 16
	cannotParse     code = 27
	unknownFunction code = 46
	unknownName     code = 47
	notImplemented  code = 48
	unknownType     code = 50
	tableExists     code = 57
	unknownTable    code = 60
	syntaxError     code = 62
	unknownFormat   code = 73
	unknownDatabase code = 81
	databaseExists  code = 82
	unknownField    code = 117
	readOnlyMode    code = 164
	unknownUser     code = 192
	wrongPassword   code = 193
	sqliteError     code = 1000
)

// status is the HTTP status that goes with an error.
func (c code) status() int {
	switch c {
	case unknownFunction, unknownName, unknownType, unknownTable, unknownDatabase, unknownFormat:
		return http.StatusNotFound
	case syntaxError:
		return http.StatusBadRequest
	case unknownUser, wrongPassword:
		return http.StatusUnauthorized
	case notImplemented:
		return http.StatusNotImplemented
	default:
		return http.StatusInternalServerError
	}
}

type failure struct {
	code    code
	message string
}

// missingTable is "database.table" of an error that says it doesn't exist.
var missingTable = regexp.MustCompile(`^Table ([^.]+)\..* doesn't exist\.$`)

// blame finds the cause of a missing table in its database, which is what
// ClickHouse looks up first.
func (s *Server) blame(ctx context.Context, err error) error {
	var f *failure
	if !errors.As(err, &f) || f.code != unknownTable {
		return err
	}
	m := missingTable.FindStringSubmatch(f.message)
	if m == nil {
		return err
	}
	if known, lookup := s.exists(ctx, `SELECT 1 FROM "system.databases" WHERE name = ?`, m[1]); lookup == nil && !known {
		return fail(unknownDatabase, "Database %s doesn't exist", m[1])
	}
	return err
}

func (f *failure) Error() string { return f.message }

func fail(c code, format string, args ...any) error {
	return &failure{c, fmt.Sprintf(format, args...)}
}

func unsupported(what string) error {
	return fail(notImplemented, "%s is not supported by this stand-in: %s", what, Name)
}

var errReadOnly = fail(readOnlyMode, "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries.")

func asError(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{sqliteError, err.Error()}
}

// patterns are SQLite's messages and what ClickHouse says instead.
var patterns = []struct {
	re   *regexp.Regexp
	code code
	text string
}{
	{regexp.MustCompile(`no such table: (\S+)`), unknownTable, "Table $1 doesn't exist."},
	{regexp.MustCompile(`no such column: (\S+)`), unknownName, "Unknown identifier: $1"},
	{regexp.MustCompile(`has no column named (\S+)`), noSuchColumn, "No such column $1 in table"},
	{regexp.MustCompile(`duplicate column name: (\S+)`), 44, "Cannot add column $1: column with this name already exists"},
	{regexp.MustCompile(`no such function: (\S+)`), unknownFunction, "Unknown function $1"},
	{regexp.MustCompile(`near "([^"]*)": syntax error`), syntaxError, "Syntax error: failed at $1"},
	{regexp.MustCompile(`incomplete input`), syntaxError, "Syntax error: failed at end of query"},
}

// translate turns an error of SQLite into one of ClickHouse.
func translate(err error) error {
	if err == nil {
		return nil
	}
	message := err.Error()
	if _, text, found := strings.Cut(message, refused); found {
		return unsupported(strings.TrimSuffix(text, " (1)"))
	}
	for _, p := range patterns {
		if m := p.re.FindStringSubmatchIndex(message); m != nil {
			return fail(p.code, "%s", p.re.ExpandString(nil, p.text, message, m))
		}
	}
	return fail(sqliteError, "%s", message)
}
