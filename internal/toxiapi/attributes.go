package toxiapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/timeline"
)

// canonical returns the given attributes by their proper names, as Go values; problems name those that the type does not have.
func (t toxicType) canonical(given map[string]any) (map[string]any, []faults.Problem) {
	out := map[string]any{}
	var problems []faults.Problem
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name] == nil {
			continue // clients that have no value say null
		}
		a, ok := t.attribute(name)
		_, twice := out[a.name]
		switch {
		case ok && twice:
			problems = append(problems, faults.Problem{Param: name, Text: fmt.Sprintf("%s.%s is given twice, as %s too", t.name, a.name, name)})
		case ok:
			out[a.name] = goValue(given[name])
		case name == directionParam && t.directed:
			problems = append(problems, faults.Problem{Param: name,
				Text: fmt.Sprintf("%s.direction is the stream of a toxic: say stream: upstream or downstream, and add two toxics for both", t.name)})
		case len(t.attributes) == 0:
			problems = append(problems, faults.Problem{Param: name, Text: fmt.Sprintf("%s takes no attributes, got %q", t.name, name)})
		default:
			problems = append(problems, faults.Problem{Param: name, Text: fmt.Sprintf("%s has no attribute %q; it takes %s", t.name, name, t.attributeNames())})
		}
	}
	return out, problems
}

// goValue turns a number of JSON into what faults.Parse reads.
func goValue(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil {
		return f
	}
	return n.String()
}

// parse checks canonical attributes and makes the fault of them. told are the attributes as the API shows them.
func (t toxicType) parse(given map[string]any, stream string) (told map[string]any, spec faults.Spec, problems []faults.Problem) {
	told = map[string]any{}
	if t.fault == "" {
		return told, faults.Spec{}, nil
	}
	params, values := maps.Clone(t.fixed), map[string]any{}
	if params == nil {
		params = map[string]any{}
	}
	for _, a := range t.attributes {
		raw, ok := given[a.name]
		if !ok && !a.stock {
			continue
		}
		v, problem := a.read(t.name, raw, ok)
		if problem != "" {
			problems = append(problems, faults.Problem{Param: a.name, Text: problem})
			continue
		}
		values[a.name], params[a.param.Name] = v, a.within(v)
	}
	if len(problems) > 0 {
		return nil, faults.Spec{}, problems
	}
	if spec, problems = t.specOf(params, values, stream); len(problems) > 0 {
		return nil, faults.Spec{}, problems
	}
	for _, a := range t.attributes {
		switch _, ok := given[a.name]; {
		case a.stock:
			told[a.name] = a.tell(values[a.name])
		case ok || t.stockless():
			told[a.name] = a.tell(spec.Params[a.param.Name])
		}
	}
	return told, spec, nil
}

// specOf makes the fault. Times of Toxiproxy's attributes may be longer than those of a file.
func (t toxicType) specOf(params, values map[string]any, stream string) (faults.Spec, []faults.Problem) {
	kind := t.fault
	if rate, ok := values["rate"].(int64); ok && kind == "bandwidth" && rate == 0 {
		kind, params = "stall", map[string]any{"bytes": int64(0)} // what Toxiproxy does: nothing passes, and nothing is lost
	}
	if t.directed {
		params[directionParam] = stream
	}
	spec, problems := faults.Parse(kind, params)
	if len(problems) > 0 {
		return faults.Spec{}, problems
	}
	if text := beyondProxies(spec); text != "" {
		return faults.Spec{}, []faults.Problem{{Text: text}}
	}
	for _, a := range t.attributes {
		if d, ok := values[a.name].(timeline.Duration); ok && a.stock {
			spec.Params[a.param.Name] = d
		}
	}
	return spec, nil
}

// stockless says whether the type is ours alone: then every attribute is shown, its default too.
func (t toxicType) stockless() bool {
	return !slices.ContainsFunc(t.attributes, func(a attribute) bool { return a.stock })
}

// forever is longer than anybody waits, and short enough to be added up.
const forever = 10 * 365 * 24 * time.Hour

// read converts the value of an attribute for faults.Parse. What Toxiproxy has is checked here, in its names and units.
func (a attribute) read(toxic string, raw any, given bool) (v any, problem string) {
	if !given {
		raw = int64(0)
	}
	v = raw
	if a.param.Type == faults.TypeDuration {
		v = durationOf(raw, a.unit)
	}
	if !a.stock {
		return v, ""
	}
	switch n := v.(type) {
	case timeline.Duration:
		if least := a.param.Min.(timeline.Duration); n < least {
			return nil, a.tooLittle(toxic, a.tell(least), raw)
		}
		return min(n, timeline.Duration(forever)), ""
	case int, int64, float64:
		whole, ok := wholeOf(n)
		if !ok {
			break
		}
		if least := a.least(toxic); whole < least {
			return nil, a.tooLittle(toxic, least, raw)
		}
		return whole, ""
	}
	return nil, fmt.Sprintf("%s.%s: expected %s, got %s", toxic, a.name, a.expects(), shown(raw))
}

// least is the smallest number that Toxiproxy's attribute takes.
func (a attribute) least(toxic string) int64 {
	if toxic == "bandwidth" {
		return 0 // specOf knows what it means
	}
	return a.param.Min.(int64)
}

// within brings one of Toxiproxy's values into the range of the fault's parameter: it has no upper limits, and clients write large numbers that
// mean for ever.
func (a attribute) within(v any) any {
	if !a.stock {
		return v
	}
	switch n := v.(type) {
	case timeline.Duration:
		return min(n, a.param.Max.(timeline.Duration))
	case int64:
		return min(n, a.param.Max.(int64))
	}
	return v
}

func (a attribute) tooLittle(toxic string, least, got any) string {
	return fmt.Sprintf("%s.%s must be at least %v%s, got %s", toxic, a.name, least, a.unitName(), shown(got))
}

func (a attribute) unitName() string {
	switch {
	case a.param.Type == faults.TypeDuration && a.unit == time.Microsecond:
		return " us"
	case a.param.Type == faults.TypeDuration:
		return " ms"
	case a.param.Unit != "":
		return " " + a.param.Unit
	}
	return ""
}

func (a attribute) expects() string {
	if a.param.Type != faults.TypeDuration {
		return "a whole number"
	}
	if a.unit == time.Microsecond {
		return "a number of microseconds or a duration such as 3ms"
	}
	return "a number of milliseconds or a duration such as 3s"
}

// tell writes a parameter as the API shows it: times of Toxiproxy's attributes as numbers, ours as in a file.
func (a attribute) tell(v any) any {
	d, ok := v.(timeline.Duration)
	if !ok || !a.stock {
		return v
	}
	if d.D()%a.unit == 0 {
		return int64(d.D() / a.unit)
	}
	return float64(d) / float64(a.unit)
}

// durationOf reads a plain number in unit. Anything else is left to faults.Parse, which reads "3s".
func durationOf(raw any, unit time.Duration) any {
	var n float64
	switch v := raw.(type) {
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case float64:
		n = v
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return timeline.Duration(d)
		}
		return raw
	default:
		return raw
	}
	n *= float64(unit)
	if math.IsNaN(n) || math.Abs(n) >= math.MaxInt64 {
		return timeline.Duration(math.Copysign(math.MaxInt64/2, n)) // beyond forever, or negative
	}
	return timeline.Duration(n)
}

func wholeOf(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) <= 1<<53
	}
	return 0, false
}

// shown writes what was given, shortened.
func shown(v any) string {
	switch t := v.(type) {
	case nil:
		return "nothing"
	case string:
		const most = 60
		if len(t) > most {
			t = t[:most] + "..."
		}
		return strconv.Quote(t)
	case bool, int, int64:
		return fmt.Sprint(t)
	case float64:
		return strconv.FormatFloat(t, 'g', -1, 64)
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	}
	return fmt.Sprintf("a %T", v)
}
