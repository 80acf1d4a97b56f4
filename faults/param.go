package faults

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// Param describes one parameter of a kind. Default, Min and Max hold the Go type of Type.
type Param struct {
	Name     string
	Type     ParamType
	Default  any
	Min, Max any      // both included; nil: no limit. For duration, int and float
	Enum     []string // the only values of an enum
	Unit     string   // of a number, for example "KB/s"; empty for durations, which carry their own
	Doc      string   // one sentence
}

// ParamType is the type of a parameter.
type ParamType string

// The types of parameters, and the Go types that hold them in Spec.Params.
const (
	TypeDuration ParamType = "duration" // timeline.Duration
	TypeInt      ParamType = "int"      // int64
	TypeFloat    ParamType = "float"    // float64
	TypeBool     ParamType = "bool"     // bool
	TypeString   ParamType = "string"   // string
	TypeEnum     ParamType = "enum"     // string, one of Enum
)

// expects says what a value of the parameter looks like.
func (p Param) expects() string {
	switch p.Type {
	case TypeDuration:
		return "a duration such as 3s"
	case TypeInt:
		return "a whole number"
	case TypeFloat:
		return "a number"
	case TypeBool:
		return "true or false"
	case TypeEnum:
		return "one of " + strings.Join(p.Enum, ", ")
	}
	return "a text"
}

// read converts a value decoded from YAML. mistake is empty when it worked; else it completes "latency.delay: " or, for a value of
// the right type that is out of range, "latency.delay ".
func (p Param) read(value any) (v any, mistake, suggest string) {
	switch p.Type {
	case TypeDuration:
		v, suggest = readDuration(value)
	case TypeInt:
		v = readInt(value)
	case TypeFloat:
		v = readFloat(value)
	case TypeBool:
		v = readBool(value)
	case TypeString, TypeEnum:
		if s, ok := value.(string); ok {
			v = s
		}
	}
	if v == nil {
		return nil, fmt.Sprintf(": expected %s, got %s", p.expects(), show(value)), suggest
	}
	if s, ok := v.(string); ok && p.Type == TypeEnum && !slices.Contains(p.Enum, s) {
		return nil, fmt.Sprintf(": expected %s, got %s", p.expects(), show(value)), nearest(s, p.Enum)
	}
	if !p.inRange(v) {
		return nil, fmt.Sprintf(" must be %s, got %s", p.Range(), write(v)), ""
	}
	return v, "", ""
}

// Range says which values are allowed, for example "from 0s to 1h"; empty when there is no limit.
func (p Param) Range() string {
	switch {
	case p.Min != nil && p.Max != nil:
		return "from " + write(p.Min) + " to " + write(p.Max)
	case p.Min != nil:
		return "at least " + write(p.Min)
	case p.Max != nil:
		return "at most " + write(p.Max)
	}
	return ""
}

// inRange compares a value of the right type with the limits.
func (p Param) inRange(v any) bool {
	less := func(a, b any) bool {
		switch a := a.(type) {
		case timeline.Duration:
			return a < b.(timeline.Duration)
		case int64:
			return a < b.(int64)
		case float64:
			return a < b.(float64)
		}
		return false
	}
	return (p.Min == nil || !less(v, p.Min)) && (p.Max == nil || !less(p.Max, v))
}

// readDuration accepts durations with a unit, and 0, which needs none.
func readDuration(value any) (v any, suggest string) {
	switch t := value.(type) {
	case timeline.Duration:
		return t, ""
	case time.Duration:
		return timeline.Duration(t), ""
	case string:
		if d, err := time.ParseDuration(strings.TrimSpace(t)); err == nil {
			return timeline.Duration(d), ""
		}
	}
	n, ok := readFloat(value).(float64)
	switch {
	case !ok || n < 0:
		return nil, ""
	case n == 0:
		return timeline.Duration(0), ""
	case n >= 50: // nobody means 50 s of delay and says 50; Toxiproxy's own unit is the millisecond
		return nil, strconv.FormatFloat(n, 'f', -1, 64) + "ms"
	}
	return nil, strconv.FormatFloat(n, 'f', -1, 64) + "s"
}

// readInt accepts whole numbers, also as text: a ${variable} is text.
func readInt(value any) any {
	switch t := value.(type) {
	case int:
		return int64(t)
	case int64:
		return t
	case uint64:
		if t <= math.MaxInt64 {
			return int64(t)
		}
	case float64:
		if t == math.Trunc(t) && math.Abs(t) <= 1<<53 {
			return int64(t)
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64); err == nil {
			return n
		}
	}
	return nil
}

// readFloat accepts finite numbers, also as text.
func readFloat(value any) any {
	var f float64
	switch t := value.(type) {
	case int:
		f = float64(t)
	case int64:
		f = float64(t)
	case uint64:
		f = float64(t)
	case float64:
		f = t
	case string:
		var err error
		if f, err = strconv.ParseFloat(strings.TrimSpace(t), 64); err != nil {
			return nil
		}
	default:
		return nil
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

// readBool accepts true and false, also as text.
func readBool(value any) any {
	switch t := value.(type) {
	case bool:
		return t
	case string:
		switch strings.TrimSpace(t) {
		case "true":
			return true
		case "false":
			return false
		}
	}
	return nil
}

// show writes a value that was not understood, shortened.
func show(value any) string {
	switch t := value.(type) {
	case nil:
		return "nothing"
	case string:
		const most = 60
		if len(t) > most {
			t = t[:most] + "..."
		}
		return strconv.Quote(t)
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(t)
	}
	return fmt.Sprintf("a %T", value)
}

// write writes a value as a file would say it: 1h instead of 1h0m0s.
func write(v any) string {
	d, ok := v.(timeline.Duration)
	if !ok {
		return fmt.Sprint(v)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
