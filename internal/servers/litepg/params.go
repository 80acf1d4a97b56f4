package litepg

import (
	"strconv"

	"github.com/chaos-startup/chaos/internal/servers/sqltoken"
	"github.com/jackc/pgx/v5/pgtype"
)

// paramTypes decides the type of every parameter of a statement: what the client
// said, else a cast beside it, else the column it is compared with or stored in.
// What cannot be told stays 0, "unspecified": drivers then send the text form of
// what the program gave them.
func paramTypes(tokens []tok, declaredByClient []uint32, columns map[string]typ, insertInto []typ) []uint32 {
	types := make([]uint32, paramCount(tokens))
	copy(types, declaredByClient)
	set := func(param tok, t typ) {
		if i := paramIndex(param); i >= 0 && i < len(types) && types[i] == 0 {
			types[i] = t.oid
		}
	}
	castParams(tokens, set)
	insertParams(tokens, insertInto, set)
	comparedParams(tokens, columns, set)
	return types
}

func paramIndex(t tok) int {
	if t.Kind != sqltoken.Param {
		return -1
	}
	n, err := strconv.Atoi(t.Text[1:])
	if err != nil || n < 1 || n > 65535 {
		return -1
	}
	return n - 1
}

func paramCount(tokens []tok) int {
	count := 0
	for _, t := range tokens {
		count = max(count, paramIndex(t)+1)
	}
	return count
}

func castParams(tokens []tok, set func(tok, typ)) {
	for i, t := range tokens {
		if t.Kind != sqltoken.Param || i+1 >= len(tokens) {
			continue
		}
		cast := tokens[i+1].Is("::") || tokens[i+1].Is("as") && i >= 2 && tokens[i-2].Is("cast")
		if to, n := typeAt(tokens[i+2:]); cast && n > 0 {
			if i+2+n < len(tokens) && tokens[i+2+n].Is("[") {
				to = arrayOf(to)
			}
			set(t, to)
		}
		if i > 0 && tokens[i-1].IsAny("limit", "offset") {
			set(t, typeInt8)
		}
	}
	if n := len(tokens); n > 1 && tokens[n-2].IsAny("limit", "offset") {
		set(tokens[n-1], typeInt8)
	}
}

// insertParams gives the parameters of VALUES lists the types of their columns.
func insertParams(tokens []tok, columns []typ, set func(tok, typ)) {
	if len(columns) == 0 {
		return
	}
	from := sqltoken.IndexTop(tokens, 0, "values")
	for from >= 0 && from+1 < len(tokens) && tokens[from+1].Is("(") {
		end := sqltoken.Close(tokens, from+1)
		if end < 0 {
			return
		}
		for i, item := range sqltoken.SplitTop(tokens[from+2:end], ",") {
			if i < len(columns) && len(item) == 1 {
				set(item[0], columns[i])
			}
		}
		from = end + 1
		if from >= len(tokens) || !tokens[from].Is(",") {
			return
		}
	}
}

var comparisons = []string{"=", "<>", "!=", "<", ">", "<=", ">=", "like", "ilike", "+", "-", "*", "/", "between"}

// comparedParams looks at column = $1, $1 = column, column BETWEEN $1 AND $2 and
// column IN ($1, $2).
func comparedParams(tokens []tok, columns map[string]typ, set func(tok, typ)) {
	for i, t := range tokens {
		of, known := columns[t.Name()]
		if !known {
			continue
		}
		rest := tokens[i+1:]
		if len(rest) > 0 && rest[0].Is("not") {
			rest = rest[1:]
		}
		switch {
		case len(rest) > 3 && rest[0].IsAny("=", "<>", "!=") && rest[1].IsAny("any", "all", "some"):
			set(rest[3], arrayOf(of))
		case len(rest) > 1 && rest[0].IsAny(comparisons...):
			set(rest[1], of)
			if rest[0].Is("between") && len(rest) > 3 {
				set(rest[3], of)
			}
		case len(rest) > 1 && rest[0].Is("in") && rest[1].Is("("):
			if end := sqltoken.Close(rest, 1); end > 0 {
				for _, p := range rest[2:end] {
					set(p, of)
				}
			}
		}
		// A qualified name, t.c, has its operator before the qualifier.
		start := operandStart(tokens[:i+1])
		if start > 1 && tokens[start-1].IsAny(comparisons...) {
			set(tokens[start-2], of)
		}
	}
}

// arrayOf is the type of an array; such a value can be a parameter and nothing
// else.
func arrayOf(t typ) typ {
	oid, known := map[uint32]uint32{
		pgtype.Int8OID: pgtype.Int8ArrayOID, pgtype.Int4OID: pgtype.Int4ArrayOID, pgtype.Int2OID: pgtype.Int2ArrayOID,
		pgtype.UUIDOID: pgtype.UUIDArrayOID, pgtype.Float8OID: pgtype.Float8ArrayOID, pgtype.BoolOID: pgtype.BoolArrayOID,
	}[t.oid]
	if !known {
		oid = pgtype.TextArrayOID
	}
	return typ{oid: oid, decl: "TEXT"}
}

// literalType is the type PostgreSQL gives to a literal.
func literalType(t tok) (typ, bool) {
	switch t.Kind {
	case sqltoken.String:
		return typeText, true
	case sqltoken.Number:
		n, err := strconv.ParseInt(t.Text, 10, 64)
		switch {
		case err != nil:
			return typeNumeric, true
		case n > 1<<31-1:
			return typeInt8, true
		}
		return typeInt4, true
	case sqltoken.Word:
		switch t.Name() {
		case "true", "false":
			return typeBool, true
		case "null":
			return typeText, true
		}
	}
	return typ{}, false
}

// functionTypes are the result types of functions that start-up code calls. The
// empty entry means: that of the first argument.
var functionTypes = map[string]typ{
	"count": typeInt8, "row_number": typeInt8, "rank": typeInt8, "dense_rank": typeInt8, "length": typeInt4, "char_length": typeInt4,
	"avg": typeFloat8, "round": typeFloat8, "now": typeTimestamptz, "clock_timestamp": typeTimestamptz,
	"transaction_timestamp": typeTimestamptz, "statement_timestamp": typeTimestamptz, "pg_interval": typeTimestamptz,
	"gen_random_uuid": typeUUID, "uuid_generate_v4": typeUUID, "exists": typeBool, "pg_try_advisory_lock": typeBool, "pg_advisory_unlock": typeBool,
	"pg_try_advisory_xact_lock": typeBool, "pg_backend_pid": typeInt4, "pg_is_in_recovery": typeBool,
	"random": typeInt8, "hashtext": typeInt4,
	"max": {}, "min": {}, "coalesce": {}, "nullif": {}, "abs": {}, "sum": {}, "greatest": {}, "least": {},
}

// sumType is what adding many of a type gives.
func sumType(t typ) typ {
	switch t.oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return typeInt8
	}
	return t
}
