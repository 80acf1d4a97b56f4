package experiments

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Render returns a deep copy of v in which every ${name} of every string is replaced by what lookup answers, and $${ by ${. Values are not
// read again. The error joins every name that lookup refuses, with the place of the string in v.
func Render[T any](v T, lookup func(name string) (string, error)) (T, error) {
	r := renderer{lookup: lookup}
	in := reflect.ValueOf(&v).Elem()
	out := reflect.New(in.Type()).Elem()
	r.value(in, out, in.Type().Name())
	result, _ := out.Interface().(T) // fails only for a nil interface, which is its own copy
	return result, errors.Join(r.errs...)
}

// Values makes a lookup for Render out of a map. Its error names the nearest known name.
func Values(values map[string]string) func(name string) (string, error) {
	return func(name string) (string, error) {
		if v, ok := values[name]; ok {
			return v, nil
		}
		suggest := didYouMean(name, sortedKeys(values))
		if suggest == "" {
			suggest = "known are " + strings.Join(sortedKeys(values), ", ")
		}
		return "", fmt.Errorf("unknown variable ${%s}: %s", name, suggest)
	}
}

type renderer struct {
	lookup func(string) (string, error)
	errs   []error
}

// value copies in to out, which is zero and settable. Unexported fields are shared with the original.
func (r *renderer) value(in, out reflect.Value, path string) {
	switch in.Kind() {
	case reflect.String:
		out.SetString(r.text(in.String(), path))
	case reflect.Struct:
		out.Set(in)
		for i := range in.NumField() {
			if f := in.Type().Field(i); f.IsExported() {
				field := reflect.New(f.Type).Elem()
				r.value(in.Field(i), field, path+"."+f.Name)
				out.Field(i).Set(field)
			}
		}
	case reflect.Pointer:
		if !in.IsNil() {
			out.Set(reflect.New(in.Type().Elem()))
			r.value(in.Elem(), out.Elem(), path)
		}
	case reflect.Interface:
		if !in.IsNil() {
			inner := reflect.New(in.Elem().Type()).Elem()
			r.value(in.Elem(), inner, path)
			out.Set(inner)
		}
	case reflect.Slice:
		if !in.IsNil() {
			out.Set(reflect.MakeSlice(in.Type(), in.Len(), in.Len()))
			for i := range in.Len() {
				r.value(in.Index(i), out.Index(i), fmt.Sprintf("%s[%d]", path, i))
			}
		}
	case reflect.Map:
		if !in.IsNil() {
			out.Set(reflect.MakeMapWithSize(in.Type(), in.Len()))
			for _, key := range in.MapKeys() {
				item := reflect.New(in.Type().Elem()).Elem()
				r.value(in.MapIndex(key), item, fmt.Sprintf("%s[%v]", path, key))
				out.SetMapIndex(key, item)
			}
		}
	default:
		out.Set(in)
	}
}

func (r *renderer) text(text, path string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	pieces, closed := split(text)
	if !closed {
		r.fail(path, fmt.Errorf("a ${ has no }: write $${ for a literal ${"))
		return text
	}
	var b strings.Builder
	for _, p := range pieces {
		if !p.variable {
			b.WriteString(unescape(p.text))
			continue
		}
		value, err := r.lookup(p.text)
		if err != nil {
			r.fail(path, err)
		}
		b.WriteString(value)
	}
	return b.String()
}

func (r *renderer) fail(path string, err error) {
	if path = strings.TrimPrefix(path, "."); path != "" {
		err = fmt.Errorf("render %s: %w", path, err)
	} else {
		err = fmt.Errorf("render: %w", err)
	}
	r.errs = append(r.errs, err)
}
