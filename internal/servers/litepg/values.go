package litepg

import (
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	wire "github.com/jeroenrinzema/psql-wire"
)

// timeLayout keeps timestamps as text of one width in UTC, so that SQLite's text
// comparison orders them.
const timeLayout = "2006-01-02 15:04:05.000000+00"

var timeLayouts = []string{
	timeLayout, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02",
}

func parseTime(s string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, newError(invalidText, "invalid input syntax for a date or time: %q", s)
}

// bindValue turns a client's parameter into what SQLite keeps for that type.
func bindValue(p wire.Parameter, oid uint32) (driver.Value, error) {
	raw := p.Value()
	if raw == nil {
		return nil, nil
	}
	text := p.Format() == wire.TextFormat
	switch oid {
	case pgtype.JSONOID, pgtype.JSONBOID:
		// The binary form of jsonb begins with a version byte.
		if !text && oid == pgtype.JSONBOID && len(raw) > 0 {
			raw = raw[1:]
		}
		return string(raw), nil
	case 0, pgtype.UnknownOID:
		if text {
			return string(raw), nil
		}
		return append([]byte{}, raw...), nil
	}
	v, err := p.Scan(oid)
	if err != nil {
		return nil, newError(invalidText, "parameter of type %d: %s", oid, err)
	}
	return toSQLite(v, oid)
}

func toSQLite(v any, oid uint32) (driver.Value, error) {
	switch v := v.(type) {
	case nil, string, int64, float64:
		return v, nil
	case []byte:
		return append([]byte{}, v...), nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case float32:
		return float64(v), nil
	case time.Time:
		if oid == pgtype.DateOID {
			return v.Format(time.DateOnly), nil
		}
		return v.UTC().Format(timeLayout), nil
	case [16]byte:
		return formatUUID(v), nil
	case []any:
		return jsonArray(v)
	case driver.Valuer:
		inner, err := v.Value()
		if err != nil {
			return nil, fmt.Errorf("parameter of type %d: %w", oid, err)
		}
		if s, ok := inner.(string); ok && oid == pgtype.NumericOID {
			return numberOf(s), nil
		}
		return inner, nil
	default:
		return nil, newError(notSupported, "a parameter of type %d (%T)", oid, v)
	}
}

// jsonArray keeps an array as JSON, for json_each.
func jsonArray(array []any) (driver.Value, error) {
	out := make([]any, len(array))
	for i, v := range array {
		kept, err := toSQLite(v, 0)
		if err != nil {
			return nil, err
		}
		out[i] = kept
	}
	text, err := json.Marshal(out)
	return string(text), err
}

// numberOf is the number a decimal text stands for, as SQLite would compare it.
func numberOf(s string) driver.Value {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return s
}

func formatUUID(u [16]byte) string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// clientValue turns what SQLite gave into a value that the wire encoder accepts
// for this type. SQLite keeps any value in any column, so a value that does not
// fit the announced type is an error here and not a surprise at the client.
func clientValue(v driver.Value, oid uint32) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch oid {
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.OIDOID:
		return asInt(v)
	case pgtype.Float4OID, pgtype.Float8OID:
		return asFloat(v)
	case pgtype.BoolOID:
		return asBool(v)
	case pgtype.ByteaOID:
		return asBytes(v), nil
	case pgtype.TimestamptzOID, pgtype.TimestampOID, pgtype.DateOID:
		return parseTime(asText(v))
	case pgtype.UUIDOID:
		var u pgtype.UUID
		if err := u.Scan(asText(v)); err != nil {
			return nil, newError(invalidText, "invalid input syntax for type uuid: %q", asText(v))
		}
		return u, nil
	case pgtype.NumericOID:
		var n pgtype.Numeric
		if err := n.Scan(asText(v)); err != nil {
			return nil, newError(invalidText, "invalid input syntax for type numeric: %q", asText(v))
		}
		return n, nil
	default:
		return asText(v), nil
	}
}

func asText(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// asBytes reads the hexadecimal text form too, in which a literal stays here.
func asBytes(v driver.Value) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	if digits, found := strings.CutPrefix(s, `\x`); found {
		if b, err := hex.DecodeString(digits); err == nil {
			return b
		}
	}
	return []byte(s)
}

func asInt(v driver.Value) (any, error) {
	switch n := v.(type) {
	case int64:
		return n, nil
	case bool:
		return map[bool]int64{true: 1}[n], nil
	case float64:
		if n == float64(int64(n)) {
			return int64(n), nil
		}
	case string:
		if i, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64); err == nil {
			return i, nil
		}
	}
	return nil, newError(invalidText, "invalid input syntax for type integer: %q", asText(v))
}

func asFloat(v driver.Value) (any, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(asText(v)), 64)
	if err != nil {
		return nil, newError(invalidText, "invalid input syntax for type double precision: %q", asText(v))
	}
	return f, nil
}

func asBool(v driver.Value) (any, error) {
	switch strings.ToLower(asText(v)) {
	case "1", "t", "true", "yes", "on", "y":
		return true, nil
	case "0", "f", "false", "no", "off", "n":
		return false, nil
	}
	return nil, newError(invalidText, "invalid input syntax for type boolean: %q", asText(v))
}
