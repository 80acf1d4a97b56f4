package litepg

import (
	"crypto/rand"
	"database/sql/driver"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite"
)

type scalar = func(args []driver.Value) (driver.Value, error)

// functions are what SQLite calls on behalf of this session. They are registered
// on a driver of the session's own, so they know whose they are and nothing of
// it is global to the process.
func (s *session) functions() map[string]scalar {
	lock := func(exclusiveToTx, wait bool) scalar {
		return func(args []driver.Value) (driver.Value, error) {
			got, err := s.server.locks.acquire(s, lockKey(s.database, args), exclusiveToTx, wait)
			if wait {
				return "", err
			}
			return boolInt(got), err
		}
	}
	text := func(v string) scalar {
		return func([]driver.Value) (driver.Value, error) { return v, nil }
	}
	return map[string]scalar{
		"version":           text(VersionFunction),
		"current_database":  text(s.database),
		"current_user":      text(s.user),
		"current_schema":    text("public"),
		"pg_backend_pid":    func([]driver.Value) (driver.Value, error) { return int64(s.pid), nil },
		"pg_is_in_recovery": func([]driver.Value) (driver.Value, error) { return int64(0), nil },
		"now":               s.now, "transaction_timestamp": s.now,
		"clock_timestamp": clock, "statement_timestamp": clock,
		"gen_random_uuid": randomUUID, "uuid_generate_v4": randomUUID,
		"pg_interval":               addInterval,
		"concat":                    concat,
		"hashtext":                  hashText,
		"current_setting":           s.currentSetting,
		"set_config":                s.setConfig,
		"pg_sleep":                  missing("pg_sleep"),
		"pg_notify":                 missing("pg_notify"),
		"nextval":                   missing("nextval"),
		"pg_advisory_lock":          lock(false, true),
		"pg_try_advisory_lock":      lock(false, false),
		"pg_advisory_xact_lock":     lock(true, true),
		"pg_try_advisory_xact_lock": lock(true, false),
		"pg_advisory_unlock": func(args []driver.Value) (driver.Value, error) {
			return boolInt(s.server.locks.release(s, lockKey(s.database, args))), nil
		},
		"pg_advisory_unlock_all": func([]driver.Value) (driver.Value, error) {
			s.server.locks.releaseAll(s, false)
			return "", nil
		},
	}
}

// newDriver is a SQLite driver with this session's functions.
func (s *session) newDriver() (*sqlite.Driver, error) {
	d := &sqlite.Driver{}
	for name, f := range s.functions() {
		err := d.RegisterScalarFunction(name, -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return f(args)
		})
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

func missing(name string) scalar {
	return func([]driver.Value) (driver.Value, error) {
		return nil, raise(notSupported, "%s() is not supported by this stand-in (%s)", name, Name)
	}
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// now is the time of the transaction's begin, as in PostgreSQL.
func (s *session) now([]driver.Value) (driver.Value, error) {
	if s.tx != idle && !s.begun.IsZero() {
		return s.begun.UTC().Format(timeLayout), nil
	}
	return clock(nil)
}

func clock([]driver.Value) (driver.Value, error) {
	return time.Now().UTC().Format(timeLayout), nil
}

func randomUUID([]driver.Value) (driver.Value, error) {
	var u [16]byte
	if _, err := rand.Read(u[:]); err != nil {
		return nil, err
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return formatUUID(u), nil
}

func concat(args []driver.Value) (driver.Value, error) {
	var b strings.Builder
	for _, a := range args {
		if a != nil {
			b.WriteString(asText(a))
		}
	}
	return b.String(), nil
}

func hashText(args []driver.Value) (driver.Value, error) {
	if len(args) != 1 || args[0] == nil {
		return nil, nil
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(asText(args[0])))
	return int64(int32(h.Sum32())), nil // #nosec G115 -- a hash: PostgreSQL's is signed too
}

func (s *session) currentSetting(args []driver.Value) (driver.Value, error) {
	if len(args) == 0 {
		return nil, raise(undefinedFunc, "current_setting() wants a name")
	}
	v, ok := s.setting(strings.ToLower(asText(args[0])))
	if !ok {
		return nil, raise(undefinedObject, "unrecognized configuration parameter %q", asText(args[0]))
	}
	return v, nil
}

func (s *session) setConfig(args []driver.Value) (driver.Value, error) {
	if len(args) < 2 {
		return nil, raise(undefinedFunc, "set_config() wants a name and a value")
	}
	s.settings[strings.ToLower(asText(args[0]))] = asText(args[1])
	return args[1], nil
}

// addInterval is timestamp +- interval 'n unit ...'.
func addInterval(args []driver.Value) (driver.Value, error) {
	if len(args) != 3 || args[0] == nil {
		return nil, nil
	}
	t, err := parseTime(asText(args[0]))
	if err != nil {
		return nil, raise(invalidText, "invalid input syntax for type timestamp: %q", asText(args[0]))
	}
	sign := 1
	if asText(args[1]) == "-" {
		sign = -1
	}
	fields := strings.Fields(asText(args[2]))
	if len(fields)%2 != 0 {
		return nil, raise(notSupported, "the interval %q: this stand-in (%s) knows 'number unit' pairs", asText(args[2]), Name)
	}
	for i := 0; i < len(fields); i += 2 {
		n, err := strconv.ParseFloat(fields[i], 64)
		unit, known := intervalUnits[strings.TrimSuffix(fields[i+1], "s")]
		if err != nil || !known {
			return nil, raise(invalidText, "invalid input syntax for type interval: %q", asText(args[2]))
		}
		t = unit(t, n*float64(sign))
	}
	return t.Format(timeLayout), nil
}

func span(d time.Duration) func(time.Time, float64) time.Time {
	return func(t time.Time, n float64) time.Time { return t.Add(time.Duration(n * float64(d))) }
}

var intervalUnits = map[string]func(time.Time, float64) time.Time{
	"millisecond": span(time.Millisecond), "second": span(time.Second), "minute": span(time.Minute), "hour": span(time.Hour),
	"sec": span(time.Second), "min": span(time.Minute), "day": span(24 * time.Hour), "week": span(7 * 24 * time.Hour),
	"month": func(t time.Time, n float64) time.Time { return t.AddDate(0, int(n), 0) },
	"year":  func(t time.Time, n float64) time.Time { return t.AddDate(int(n), 0, 0) },
}
