package litech

import (
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// refused marks a function that exists in ClickHouse and not here.
const refused = "\x01refused "

type scalar = func(args []driver.Value) (driver.Value, error)

func text(args []driver.Value) string {
	if len(args) == 0 || args[0] == nil {
		return ""
	}
	return valueText(args[0])
}

func valueText(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

func toInt(args []driver.Value) (driver.Value, error) {
	s := text(args)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("cannot parse %q as a number", s)
	}
	return int64(f), nil
}

func toFloat(args []driver.Value) (driver.Value, error) { return strconv.ParseFloat(text(args), 64) }

// functions are those of ClickHouse that SQLite lacks.
var functions = map[string]scalar{
	"version":  func([]driver.Value) (driver.Value, error) { return version, nil },
	"hostName": func([]driver.Value) (driver.Value, error) { return os.Hostname() },
	"timezone": func([]driver.Value) (driver.Value, error) { return "UTC", nil },
	"now": func([]driver.Value) (driver.Value, error) {
		return time.Now().UTC().Format(time.DateTime), nil
	},
	"today": func([]driver.Value) (driver.Value, error) { return time.Now().UTC().Format(time.DateOnly), nil },
	"toString": func(args []driver.Value) (driver.Value, error) {
		return text(args), nil
	},
	"toDateTime": toDateTime,
	"toDate": func(args []driver.Value) (driver.Value, error) {
		v, err := toDateTime(args)
		day, _, _ := strings.Cut(valueText(v), " ")
		return day, err
	},
	"toUnixTimestamp": func(args []driver.Value) (driver.Value, error) {
		t, err := time.Parse(time.DateTime, text(args))
		return t.Unix(), err
	},
	"generateUUIDv4": func([]driver.Value) (driver.Value, error) {
		var u [16]byte
		_, err := rand.Read(u[:])
		u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), err
	},
	"toUInt8": toInt, "toUInt16": toInt, "toUInt32": toInt, "toUInt64": toInt,
	"toInt8": toInt, "toInt16": toInt, "toInt32": toInt, "toInt64": toInt,
	"toFloat32": toFloat, "toFloat64": toFloat,
	"sleep": refuse("the function sleep"), "sleepEachRow": refuse("the function sleepEachRow"),
}

func refuse(what string) scalar {
	return func([]driver.Value) (driver.Value, error) { return nil, errors.New(refused + what) }
}

func toDateTime(args []driver.Value) (driver.Value, error) {
	s := text(args)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Unix(n, 0).UTC().Format(time.DateTime), nil
	}
	if len(s) == len(time.DateOnly) {
		return s + " 00:00:00", nil
	}
	return s, nil
}
