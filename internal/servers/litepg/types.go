package litepg

import (
	"strings"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
	"github.com/jackc/pgx/v5/pgtype"
)

// typ is a PostgreSQL type as the stand-in knows it: how clients see it (oid)
// and under which name SQLite keeps it. The SQLite names are chosen for the
// affinity they give (INT, TEXT, BLOB, REAL inside the name decide it) and to
// stay clear of the names the SQLite driver converts by itself (DATE, BOOLEAN).
type typ struct {
	oid  uint32
	decl string
}

var (
	typeText        = typ{pgtype.TextOID, "TEXT"}
	typeInt8        = typ{pgtype.Int8OID, "INT8"}
	typeInt4        = typ{pgtype.Int4OID, "INT4"}
	typeFloat8      = typ{pgtype.Float8OID, "REAL8"}
	typeBool        = typ{pgtype.BoolOID, "BOOL"}
	typeTimestamptz = typ{pgtype.TimestamptzOID, "TIMESTAMPTZ_TEXT"}
	typeUUID        = typ{pgtype.UUIDOID, "UUID_TEXT"}
	typeNumeric     = typ{pgtype.NumericOID, "NUMERIC"}
	typeJSONB       = typ{pgtype.JSONBOID, "JSONB_TEXT"}
	typeDate        = typ{pgtype.DateOID, "DATE_TEXT"}
	typeBytea       = typ{pgtype.ByteaOID, "BYTEA_BLOB"}
)

// typeNames maps the names PostgreSQL accepts to types.
var typeNames = map[string]typ{
	"text": typeText, "varchar": {pgtype.VarcharOID, "VARCHAR_TEXT"}, "character varying": {pgtype.VarcharOID, "VARCHAR_TEXT"},
	"char": {pgtype.BPCharOID, "BPCHAR_TEXT"}, "character": {pgtype.BPCharOID, "BPCHAR_TEXT"}, "bpchar": {pgtype.BPCharOID, "BPCHAR_TEXT"},
	"citext": typeText, "name": {pgtype.NameOID, "NAME_TEXT"}, "regclass": typeText, "inet": {pgtype.InetOID, "INET_TEXT"},
	"int": typeInt4, "integer": typeInt4, "int4": typeInt4, "bigint": typeInt8, "int8": typeInt8,
	"smallint": {pgtype.Int2OID, "INT2"}, "int2": {pgtype.Int2OID, "INT2"}, "oid": {pgtype.OIDOID, "INT_OID"},
	"real": {pgtype.Float4OID, "REAL4"}, "float4": {pgtype.Float4OID, "REAL4"}, "float8": typeFloat8, "float": typeFloat8,
	"double precision": typeFloat8, "numeric": typeNumeric, "decimal": typeNumeric,
	"boolean": typeBool, "bool": typeBool, "uuid": typeUUID, "bytea": typeBytea,
	"json": {pgtype.JSONOID, "JSON_TEXT"}, "jsonb": typeJSONB,
	"timestamptz": typeTimestamptz, "timestamp with time zone": typeTimestamptz,
	"timestamp": {pgtype.TimestampOID, "TIMESTAMP_TEXT"}, "timestamp without time zone": {pgtype.TimestampOID, "TIMESTAMP_TEXT"},
	"date": typeDate, "interval": typeText, "time": typeText,
}

// declared maps the SQLite names back. INTEGER is what a serial primary key
// needs to be called to become SQLite's row id.
var declared = func() map[string]typ {
	m := map[string]typ{"INTEGER": typeInt8}
	for _, t := range typeNames {
		m[t.decl] = t
	}
	m["TEXT"] = typeText
	return m
}()

// serials are the integer types that count by themselves.
var serials = map[string]bool{
	"serial": true, "bigserial": true, "smallserial": true, "serial4": true, "serial8": true, "serial2": true,
}

// typeAt reads a type name (with its modifiers, as varchar(20) or timestamp(3)
// with time zone) at the start of tokens. It returns how many tokens the name
// takes, 0 when there is none that the stand-in knows.
func typeAt(tokens []sqltoken.Token) (typ, int) {
	if len(tokens) == 0 || tokens[0].Name() == "" {
		return typ{}, 0
	}
	n, name := 1, tokens[0].Name()
	if len(tokens) > 2 && name == "pg_catalog" && tokens[1].Is(".") {
		name, n = tokens[2].Name(), 3
	}
	if n < len(tokens) && (name == "double" && tokens[n].Is("precision") || name == "character" && tokens[n].Is("varying")) {
		name += " " + tokens[n].Name()
		n++
	}
	t, known := typeNames[name]
	if serials[name] {
		t, known = typ{pgtype.Int8OID, "INTEGER"}, true
	}
	if !known {
		return typ{}, 0
	}
	if n < len(tokens) && tokens[n].Is("(") {
		if end := sqltoken.Close(tokens, n); end > 0 {
			n = end + 1
		}
	}
	if len(tokens) >= n+3 && tokens[n].IsAny("with", "without") && tokens[n+1].Is("time") && tokens[n+2].Is("zone") {
		if zoned, ok := typeNames[name+" "+strings.ToLower(tokens[n].Text)+" time zone"]; ok {
			t = zoned
		}
		n += 3
	}
	return t, n
}

// castType is what CAST must be told in SQLite, or "" when the value is kept in
// its text form and the cast can be left out.
func (t typ) castType() string {
	switch t.oid {
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.OIDOID:
		return "INTEGER"
	case pgtype.Float4OID, pgtype.Float8OID:
		return "REAL"
	case pgtype.NumericOID:
		return "NUMERIC"
	case pgtype.TextOID, pgtype.VarcharOID:
		return "TEXT"
	default:
		return ""
	}
}
