package probes

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The variables that only an attempt knows.
const (
	uniqueName   = "unique"    // a value that no other attempt has; the same in a whole chain
	captured     = "captured." // before the name under which an earlier answer's value is kept
	uniqueLength = 16
)

var (
	captureName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	attemptValues = regexp.MustCompile(`\$\{(unique|captured\.[A-Za-z0-9_-]+)\}`)
)

func checkCaptureName(name string) error {
	if captureName.MatchString(name) {
		return nil
	}
	return errors.New("expected a name of letters, digits, _ and -")
}

// ByAttempt returns lookup, but with an answer of its own for the variables that each attempt at a probe fills in itself: ${unique} and
// ${captured.NAME} stay as they are.
func ByAttempt(lookup func(name string) (string, error)) func(name string) (string, error) {
	return func(name string) (string, error) {
		if name == uniqueName || strings.HasPrefix(name, captured) {
			return "${" + name + "}", nil
		}
		return lookup(name)
	}
}

// Mentioned lists the names of the values in s that attempts fill in ("unique", "captured.id"), but for those in what follows by then.
func (s Spec) Mentioned() []string {
	s.Then, s.Capture = nil, nil
	return mentioned(s)
}

func mentioned(s Spec) []string {
	var names []string
	eachText(reflect.ValueOf(&s).Elem(), func(text string) string {
		for _, m := range attemptValues.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		return text
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// checkMentioned wants every value that s uses to be captured before it.
func checkMentioned(s Spec, known []string) error {
	for _, name := range mentioned(s) {
		if name == uniqueName || slices.Contains(known, name) {
			continue
		}
		have := "nothing is captured before it"
		if len(known) > 0 {
			have = "captured before it are " + strings.Join(known, ", ")
		}
		return fmt.Errorf("${%s}: %s", name, have)
	}
	return nil
}

// fill returns a copy of s in which the values that are known stand for their names.
func fill(s Spec, values map[string]string) Spec {
	out := s
	eachText(reflect.ValueOf(&out).Elem(), func(text string) string {
		return attemptValues.ReplaceAllStringFunc(text, func(m string) string {
			if value, ok := values[m[2:len(m)-1]]; ok {
				return value
			}
			return m
		})
	})
	return out
}

// eachText replaces every text in v by what change makes of it. Whatever v points to is copied first.
func eachText(v reflect.Value, change func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(change(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			eachText(v.Field(i), change)
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		inner := reflect.New(v.Elem().Type())
		inner.Elem().Set(v.Elem())
		eachText(inner.Elem(), change)
		if v.Kind() == reflect.Interface {
			inner = inner.Elem()
		}
		v.Set(inner)
	case reflect.Slice:
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		for i := range list.Len() {
			eachText(list.Index(i), change)
		}
		if !v.IsNil() {
			v.Set(list)
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		items := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, key := range v.MapKeys() {
			item := reflect.New(v.Type().Elem()).Elem()
			item.Set(v.MapIndex(key))
			eachText(item, change)
			items.SetMapIndex(key, item)
		}
		v.Set(items)
	}
}

// secretValues returns the captured values whose names say that nobody should see them.
func secretValues(values map[string]string) []string {
	var secrets []string
	for name, value := range values {
		if sensitive.MatchString(name) {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

// pick returns the value at the path as text: a text as it is, everything else as JSON. A body that is no JSON is itself the value at $.
func (p jsonPath) pick(body string) (string, error) {
	document, err := decodeJSON([]byte(body))
	if err != nil && len(p.steps) > 0 { // of the messages of a WebSocket the last one
		body = body[strings.LastIndexByte(strings.TrimRight(body, "\n"), '\n')+1:]
		document, err = decodeJSON([]byte(body))
	}
	if err != nil && len(p.steps) == 0 {
		return strings.TrimSpace(body), nil
	}
	if err != nil {
		return "", fmt.Errorf("expected %s, got %s", p.text, "a body that is not JSON: "+shortOr(body, "it is empty"))
	}
	value, err := p.find(document)
	if err == nil && value == nil {
		err = errors.New("null")
	}
	if err != nil {
		return "", fmt.Errorf("expected %s, got %w", p.text, err)
	}
	if text, ok := value.(string); ok {
		return text, nil
	}
	return render(value), nil
}
