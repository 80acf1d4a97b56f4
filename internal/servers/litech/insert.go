package litech

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
)

const word = "(?:`[^`]+`|\"[^\"]+\"|[A-Za-z_][A-Za-z0-9_]*)"

// insertHead is INSERT INTO table (columns) VALUES|FORMAT name; what follows is
// data and can't be split into tokens as one.
var insertHead = regexp.MustCompile(`(?is)^\s*INSERT\s+INTO\s+(?:TABLE\s+)?(` + word + `(?:\s*\.\s*` + word + `)?)\s*(?:\(([^)]*)\))?\s*(?:FORMAT\s+(\w+)|(VALUES))[ \t]*\r?\n?`)

type insertion struct {
	target  string
	columns string
	format  string
	data    string
}

func parseInsert(query string) (insertion, bool) {
	m := insertHead.FindStringSubmatch(query)
	if m == nil {
		return insertion{}, false
	}
	in := insertion{target: m[1], columns: m[2], format: m[3], data: query[len(m[0]):]}
	if m[4] != "" {
		in.format = "Values"
	}
	return in, true
}

// target is the table that is written to, and the columns in order.
type target struct {
	name    name
	columns []string
	types   map[string]string
}

func (s *Server) insert(ctx context.Context, q request, in insertion) error {
	t, err := s.target(ctx, q, in)
	if err != nil {
		return err
	}
	if in.format == "Values" {
		tokens, err := sqltoken.Lex(in.data, sqltoken.ClickHouse)
		if err != nil {
			return fail(syntaxError, "Syntax error: %s", err)
		}
		if len(tokens) == 0 {
			return nil
		}
		text, err := rewrite(tokens, q.database, nil)
		if err != nil {
			return err
		}
		return s.exec(ctx, "INSERT INTO "+t.name.sql()+" ("+t.list()+") VALUES "+text)
	}
	rows, err := t.read(in)
	if err != nil || len(rows) == 0 {
		return err
	}
	return s.insertRows(ctx, t, rows)
}

func (s *Server) target(ctx context.Context, q request, in insertion) (*target, error) {
	tokens, err := sqltoken.Lex(in.target, sqltoken.ClickHouse)
	if err != nil {
		return nil, err
	}
	t := &target{types: map[string]string{}}
	if t.name, err = (&cursor{tokens}).table(q.database); err != nil {
		return nil, err
	}
	if err := s.onTable(ctx, t.name, false, "SELECT 1"); err != nil {
		return nil, err
	}
	pairs, err := s.strings(ctx, `SELECT name || char(0) || type FROM "system.columns" WHERE database = ? AND "table" = ? ORDER BY position`, t.name.database, t.name.table)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		column, typ, _ := strings.Cut(p, "\x00")
		t.columns, t.types[column] = append(t.columns, column), typ
	}
	if in.columns == "" {
		return t, nil
	}
	t.columns = nil
	listed, err := sqltoken.Lex(in.columns, sqltoken.ClickHouse)
	if err != nil {
		return nil, err
	}
	for _, part := range sqltoken.SplitTop(listed, ",") {
		column := ""
		if len(part) == 1 {
			column = identifier(part[0])
		}
		if t.types[column] == "" {
			return nil, fail(noSuchColumn, "No such column %s in table %s", sqltoken.Join(part), t.name)
		}
		t.columns = append(t.columns, column)
	}
	return t, nil
}

func (t *target) list() string {
	var quoted []string
	for _, c := range t.columns {
		quoted = append(quoted, sqltoken.Identifier(c).Text)
	}
	return strings.Join(quoted, ", ")
}

// row is a column's values by name; a column that is missing takes its default.
type row = map[string]any

func (t *target) read(in insertion) ([]row, error) {
	switch in.format {
	case "JSONEachRow":
		return t.readJSON(in.data)
	case "TabSeparated", "TSV":
		return t.readLines(tabSeparated(in.data))
	case "CSV":
		r := csv.NewReader(strings.NewReader(in.data))
		r.FieldsPerRecord = -1
		lines, err := r.ReadAll()
		if err != nil {
			return nil, fail(cannotParse, "Cannot parse input: %s", err)
		}
		return t.readLines(lines)
	}
	return nil, fail(unknownFormat, "Unknown format %s, or one that this stand-in lacks: %s", in.format, Name)
}

func (t *target) readJSON(data string) ([]row, error) {
	var rows []row
	d := json.NewDecoder(strings.NewReader(data))
	d.UseNumber()
	for {
		var object map[string]any
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fail(cannotParse, "Cannot parse input: %s (row %d)", err, len(rows)+1)
		}
		for field, v := range object {
			if t.types[field] == "" {
				return nil, fail(unknownField, "Unknown field found while parsing JSONEachRow format: %s", field)
			}
			if object[field], err = convert(v, t.types[field]); err != nil {
				return nil, fail(cannotParse, "Cannot parse input: column %s: %s (row %d)", field, err, len(rows)+1)
			}
		}
		rows = append(rows, object)
	}
}

var tabUnescape = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\\`, `\`, `\'`, "'")

func tabSeparated(data string) (lines [][]string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(data, "\n"), "\n") {
		if line == "" && data == "" {
			continue
		}
		fields := strings.Split(line, "\t")
		for i, f := range fields {
			if f != `\N` {
				fields[i] = tabUnescape.Replace(f)
			}
		}
		lines = append(lines, fields)
	}
	return lines
}

func (t *target) readLines(lines [][]string) ([]row, error) {
	var rows []row
	for i, fields := range lines {
		if len(fields) != len(t.columns) {
			return nil, fail(cannotParse, "Cannot parse input: row %d has %d fields, %d are expected", i+1, len(fields), len(t.columns))
		}
		r := row{}
		for j, f := range fields {
			var v any = f
			if f == `\N` {
				v = nil
			}
			converted, err := convert(v, t.types[t.columns[j]])
			if err != nil {
				return nil, fail(cannotParse, "Cannot parse input: column %s: %s (row %d)", t.columns[j], err, i+1)
			}
			r[t.columns[j]] = converted
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// convert makes what SQLite keeps of a value of this type.
func convert(v any, typ string) (any, error) {
	if v == nil {
		if strings.HasPrefix(typ, "Nullable(") {
			return nil, nil
		}
		return nil, fmt.Errorf("NULL is not a %s", typ)
	}
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = map[bool]string{true: "1", false: "0"}[v]
	default:
		return nil, fmt.Errorf("this stand-in (%s) keeps no nested value", Name)
	}
	switch b := base(typ); {
	case strings.HasPrefix(b, "Int") || strings.HasPrefix(b, "UInt"):
		// SQLite's integers have a sign: the upper half of UInt64 is refused.
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 && b[0] == 'U' {
			return nil, fmt.Errorf("%q is not a %s", text, typ)
		}
		return n, nil
	case isNumber(typ):
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a %s", text, typ)
		}
		return f, nil
	case strings.HasPrefix(b, "DateTime"):
		return toDateTime([]driverValue{text})
	}
	return text, nil
}

// insertRows writes all rows or none.
func (s *Server) insertRows(ctx context.Context, t *target, rows []row) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return translate(err)
	}
	for _, r := range rows {
		if err = insertRow(ctx, tx, t, r); err != nil {
			return errors.Join(translate(err), tx.Rollback())
		}
	}
	return translate(tx.Commit())
}

func insertRow(ctx context.Context, tx *sql.Tx, t *target, r row) error {
	var names, marks []string
	var args []any
	for _, column := range t.columns {
		if v, given := r[column]; given {
			names, marks, args = append(names, sqltoken.Identifier(column).Text), append(marks, "?"), append(args, v)
		}
	}
	statement := "INSERT INTO " + t.name.sql() + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")" // #nosec G202 -- quoted identifiers
	if len(names) == 0 {
		statement = "INSERT INTO " + t.name.sql() + " DEFAULT VALUES"
	}
	_, err := tx.ExecContext(ctx, statement, args...)
	return err
}
