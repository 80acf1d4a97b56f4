package experiments

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Title names a trial for people and for --only: `NAME [dep=postgres, phase=cache] #2`, the parts only when there are any; of a
// control: `control: SERVICE`, with how it is started differently in parentheses where there are several ways.
func (t Trial) Title() string {
	title := t.Experiment
	if t.Control {
		title = "control: " + t.Service.Name
		if t.Variant != "" {
			title += " (" + t.Variant + ")"
		}
	}
	if len(t.Cell) > 0 {
		title += " [" + cellText(t.Cell) + "]"
	}
	if t.Repeats > 1 {
		title += fmt.Sprintf(" #%d", t.Repeat)
	}
	return title
}

// variants words, for each start key of the file, how the service differs from the file's own. The texts are all different, masked,
// and empty where there is but one key.
func (f *File) variants() map[string]string {
	mask := Mask(f.Masked)
	out, taken := map[string]string{}, map[string]int{}
	var order []string
	for _, e := range f.Experiments {
		for _, c := range e.all() {
			t := f.trial(e.Name, c)
			if _, has := out[t.Start]; has {
				continue
			}
			out[t.Start] = mask(difference(f.Service, t.Service))
			order = append(order, t.Start)
		}
	}
	if len(order) < 2 {
		return nil
	}
	for _, key := range order {
		text := out[key]
		if taken[text]++; taken[text] > 1 { // secrets that differ look the same
			out[key] = strings.TrimSpace(fmt.Sprintf("%s variant %d", text, taken[text]))
		}
	}
	return out
}

// difference words what b changes of a: env by key, other fields by name, short values as they are.
func difference(a, b Service) string {
	var parts []string
	names := slices.Sorted(maps.Keys(b.Env))
	for _, name := range names {
		if old, has := a.Env[name]; !has || old != b.Env[name] {
			parts = append(parts, name+"="+shorten(b.Env[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Env)) {
		if _, has := b.Env[name]; !has {
			parts = append(parts, "no "+name)
		}
	}
	if !slices.Equal(a.Command, b.Command) {
		parts = append(parts, "command "+shorten(strings.Join(added(a.Command, b.Command), " ")))
	}
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for _, field := range shapes()[va.Type()].fields {
		if field.name == "env" || field.name == "command" {
			continue
		}
		x, y := va.FieldByIndex(field.index), vb.FieldByIndex(field.index)
		if reflect.DeepEqual(x.Interface(), y.Interface()) {
			continue
		}
		if y.Kind() == reflect.String {
			parts = append(parts, field.name+"="+shorten(y.String()))
			continue
		}
		parts = append(parts, field.name+" changed")
	}
	return strings.Join(parts, ", ")
}

// added returns the arguments of b that a lacks, each with the flag before it, or all of b when it only lacks some.
func added(a, b []string) []string {
	var out []string
	for i, w := range b {
		if slices.Contains(a, w) {
			continue
		}
		if i > 0 && strings.HasPrefix(b[i-1], "-") && slices.Contains(a, b[i-1]) && !strings.HasPrefix(w, "-") {
			out = append(out, b[i-1])
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return b
	}
	return out
}

func shorten(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}
