package faults

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chaos-startup/chaos/timeline"
)

// Param describes one parameter of a kind. Default, Min and Max hold the Go type of Type.
type Param struct {
	Name     string
	Type     ParamType
	Default  any
	Min, Max any            // both included; nil: no limit. For duration, int and float
	Enum     []string       // the only values of an enum
	Pattern  *regexp.Regexp // what a string must match; nil: any string
	Expects  string         // what a string that matches Pattern is; it completes "expected "
	Unit     string         // of a number, for example "KB/s"; empty for durations, which carry their own
	Doc      string         // one sentence
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
	if p.Expects != "" {
		return p.Expects
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
		v = p.readText(value)
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

// readText accepts texts that match. A code that looks like a number is one to a YAML decoder.
func (p Param) readText(value any) any {
	s, ok := value.(string)
	if !ok && (p.Pattern != nil || p.Type == TypeEnum) {
		if n, whole := readInt(value).(int64); whole && n > 0 {
			s, ok = strconv.FormatInt(n, 10), true
		}
	}
	if !ok || p.Pattern != nil && !p.Pattern.MatchString(s) {
		return nil
	}
	return s
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
