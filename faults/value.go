package faults

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

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
