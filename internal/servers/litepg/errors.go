package litepg

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jeroenrinzema/psql-wire/codes"
	psqlerr "github.com/jeroenrinzema/psql-wire/errors"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// The SQLSTATEs that the stand-in raises by itself.
var (
	syntaxError     = codes.Syntax
	notSupported    = codes.FeatureNotSupported
	invalidText     = codes.InvalidTextRepresentation
	failedTx        = codes.InFailedSQLTransaction
	undefinedObject = codes.UndefinedObject
	lockTimeout     = codes.LockNotAvailable
	canceled        = codes.QueryCanceled
	unknownDatabase = codes.InvalidCatalogName
	duplicateDB     = codes.DuplicateDatabase
	undefinedFunc   = codes.UndefinedFunction
)

// hint goes with every error that a real PostgreSQL might not have raised.
const hint = "This server is " + Name + ": a stand-in with SQLite's grammar and types. Install PostgreSQL to have the real one."

// newError makes an error with a SQLSTATE. What the stand-in lacks is said with
// the hint that names it.
func newError(code codes.Code, format string, args ...any) error {
	err := psqlerr.WithCode(fmt.Errorf(format, args...), code)
	if code == notSupported || code == undefinedFunc || code == syntaxError {
		err = psqlerr.WithHint(err, hint)
	}
	return err
}

func unsupported(what string) error {
	return newError(notSupported, "%s is not supported by this stand-in (%s)", what, Name)
}

// withConstraint makes the name of a violated constraint reach the client.
// psql-wire v0.20 collects ConstraintName and never writes it; fields of an
// ErrorResponse are "type byte, text, NUL", so a message that goes on with a NUL
// and another field is written as two fields.
func withConstraint(code codes.Code, constraint, format string, args ...any) error {
	err := fmt.Errorf(format+"\x00n%s", append(args, constraint)...)
	return psqlerr.WithCode(err, code)
}

// functionError carries a SQLSTATE out of a function that SQLite calls: SQLite
// keeps the text of an error and nothing else.
const functionError = "\x01sqlstate="

func raise(code codes.Code, format string, args ...any) error {
	return fmt.Errorf("%s%s %s", functionError, code, fmt.Sprintf(format, args...))
}

type pattern struct {
	re      *regexp.Regexp
	code    codes.Code
	message string // with the groups of re, in PostgreSQL's words
}

// patterns are SQLite's messages and what PostgreSQL says instead.
var patterns = []pattern{
	{regexp.MustCompile(`no such table: (?:main\.|temp\.)?(\S+)`), codes.UndefinedTable, `relation "$1" does not exist`},
	{regexp.MustCompile(`no such column: (\S+)`), codes.UndefinedColumn, `column "$1" does not exist`},
	{regexp.MustCompile(`table (\S+) has no column named (\S+)`), codes.UndefinedColumn, `column "$2" of relation "$1" does not exist`},
	{regexp.MustCompile(`(?:table|index|view) "?([^"\s]+)"? already exists`), codes.DuplicateRelation, `relation "$1" already exists`},
	{regexp.MustCompile(`there is already (?:a table|an index|another table or index with this name:?) ?(?:named )?(\S*)`), codes.DuplicateRelation, `relation "$1" already exists`},
	{regexp.MustCompile(`duplicate column name: (\S+)`), codes.DuplicateColumn, `column "$1" specified more than once`},
	{regexp.MustCompile(`no such function: (\S+)`), codes.UndefinedFunction, `function $1 does not exist`},
	{regexp.MustCompile(`(wrong number of arguments to function \S+)`), codes.UndefinedFunction, `$1`},
	{regexp.MustCompile(`ambiguous column name: (\S+)`), codes.AmbiguousColumn, `column reference "$1" is ambiguous`},
	{regexp.MustCompile(`no such index: (\S+)`), codes.UndefinedObject, `index "$1" does not exist`},
	{regexp.MustCompile(`no such view: (\S+)`), codes.UndefinedTable, `view "$1" does not exist`},
	{regexp.MustCompile(`no such savepoint: (\S+)`), codes.InvalidSavepointSpecification, `savepoint "$1" does not exist`},
	{regexp.MustCompile(`near "([^"]*)": syntax error`), codes.Syntax, `syntax error at or near "$1"`},
	{regexp.MustCompile(`incomplete input`), codes.Syntax, `syntax error at end of input`},
	{regexp.MustCompile(`(\d+) values for (\d+) columns`), codes.Syntax, `INSERT has $1 expressions for $2 target columns`},
}

var failedColumns = regexp.MustCompile(`constraint failed: (.+?)(?: \(\d+\))?$`)

// translate turns an error of SQLite into one of PostgreSQL: a SQLSTATE, and
// PostgreSQL's words where clients are known to look at them.
func translate(ctx context.Context, err error) error {
	if err == nil || psqlerr.GetCode(err) != codes.Uncategorized {
		return err
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return newError(canceled, "canceling statement due to user request")
	}
	message := err.Error()
	if _, text, found := strings.Cut(message, functionError); found {
		code, text, _ := strings.Cut(text, " ")
		return newError(codes.Code(code), "%s", trimCode(text))
	}
	var native *sqlite.Error
	if errors.As(err, &native) {
		if e := translateCode(native.Code(), message); e != nil {
			return e
		}
	}
	for _, p := range patterns {
		if m := p.re.FindStringSubmatchIndex(message); m != nil {
			return newError(p.code, "%s", trimCode(string(p.re.ExpandString(nil, p.message, message, m))))
		}
	}
	return psqlerr.WithHint(newError(codes.Internal, "%s", message), hint)
}

var sqliteSuffix = regexp.MustCompile(` \(\d+\)$`)

func trimCode(s string) string { return sqliteSuffix.ReplaceAllString(s, "") }

func translateCode(code int, message string) error {
	table, columns := constraintParts(message)
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		name := table + "_pkey"
		return withConstraint(codes.UniqueViolation, name, "duplicate key value violates unique constraint %q", name)
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		name := uniqueName(table, columns)
		return withConstraint(codes.UniqueViolation, name, "duplicate key value violates unique constraint %q", name)
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return newError(codes.NotNullViolation, "null value in column %q of relation %q violates not-null constraint", strings.Join(columns, ", "), table)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return newError(codes.ForeignKeyViolation, "insert, update or delete violates foreign key constraint")
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return withConstraint(codes.CheckViolation, table, "new row violates check constraint %q", table)
	case sqlite3.SQLITE_MISMATCH:
		return newError(invalidText, "invalid input syntax: %s", message)
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return newError(lockTimeout, "another transaction holds the write lock: this stand-in (%s) lets one transaction write at a time", Name)
	case sqlite3.SQLITE_INTERRUPT:
		return newError(canceled, "canceling statement due to user request")
	}
	return nil
}

// constraintParts reads "t.a, t.b" after SQLite's "constraint failed:".
func constraintParts(message string) (table string, columns []string) {
	m := failedColumns.FindStringSubmatch(message)
	if m == nil {
		return "", nil
	}
	// The driver says "constraint failed: UNIQUE constraint failed: t.a (2067)".
	text := m[1]
	if i := strings.LastIndex(text, "constraint failed: "); i >= 0 {
		text = text[i+len("constraint failed: "):]
	}
	for part := range strings.SplitSeq(text, ", ") {
		t, column, found := strings.Cut(part, ".")
		table = t
		if found {
			columns = append(columns, column)
		}
	}
	return table, columns
}

// uniqueIndex is the name of the index that a row violated, when somebody has
// given it one: SQLite names the columns instead.
func (s *session) uniqueIndex(err error) (string, bool) {
	var native *sqlite.Error
	if !errors.As(err, &native) || native.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		return "", false
	}
	table, columns := constraintParts(err.Error())
	rows, err := s.query(context.Background(), `SELECT l.name FROM pragma_index_list(?1) l WHERE l."unique" AND l.origin = 'c'
		AND (SELECT group_concat(name, ',') FROM pragma_index_info(l.name)) = ?2`, table, strings.Join(columns, ","))
	if err != nil || len(rows.values) == 0 {
		return "", false
	}
	return asText(rows.values[0][0]), true
}

// uniqueName is PostgreSQL's default name for a unique constraint; SQLite says
// "index 'name'" where the index was made on an expression.
func uniqueName(table string, columns []string) string {
	if name, found := strings.CutPrefix(table, "index '"); found {
		return strings.TrimSuffix(name, "'")
	}
	return table + "_" + strings.Join(columns, "_") + "_key"
}
