package probes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

// jsonPath is the way to one value: $ followed by .name, ["any name"] and [index] in any number. It always names at most one
// value: wildcards, filters and descents are refused.
type jsonPath struct {
	text  string
	steps []jsonStep
}

// jsonStep is one step: a field by name, or an element of a list by index if name is nil.
type jsonStep struct {
	name  *string
	index int
}

func parseJSONPath(text string) (jsonPath, error) {
	path := jsonPath{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return path, fmt.Errorf("json path %q: expected a $ at its begin, for example $.status", text)
	}
	for rest != "" {
		step, after, err := parseJSONStep(rest)
		if err != nil {
			return path, fmt.Errorf("json path %q, character %d: %w", text, len(text)-len(rest)+1, err)
		}
		path.steps, rest = append(path.steps, step), after
	}
	return path, nil
}

var errJSONStep = errors.New(`expected .name, ["any name"] or [0]; wildcards and filters are not known`)

func parseJSONStep(text string) (step jsonStep, rest string, err error) {
	if name, ok := strings.CutPrefix(text, "."); ok {
		end := strings.IndexAny(name, ".[")
		if end < 0 {
			end = len(name)
		}
		if name[:end] == "" || strings.ContainsAny(name[:end], "*?@()]'\" ") {
			return step, "", errJSONStep
		}
		key := name[:end]
		return jsonStep{name: &key}, name[end:], nil
	}
	inner, ok := strings.CutPrefix(text, "[")
	if !ok || inner == "" {
		return step, "", errJSONStep
	}
	if quote := inner[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(inner[1:], quote)
		if end < 0 || !strings.HasPrefix(inner[end+2:], "]") {
			return step, "", errJSONStep
		}
		key := inner[1 : end+1]
		return jsonStep{name: &key}, inner[end+3:], nil
	}
	digits, rest, ok := strings.Cut(inner, "]")
	index, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil {
		return step, "", errJSONStep
	}
	return jsonStep{index: int(index)}, rest, nil // #nosec G115 -- ParseUint was asked for 31 bits
}

// find returns the value at the path, or an error that says where the way ends.
func (p jsonPath) find(value any) (any, error) {
	at := "$"
	for _, s := range p.steps {
		if s.name == nil {
			list, ok := value.([]any)
			if !ok {
				return nil, fmt.Errorf("%s, which is no list", jsonText(at, value))
			}
			if s.index >= len(list) {
				return nil, fmt.Errorf("%s with %d elements", at, len(list))
			}
			value, at = list[s.index], fmt.Sprintf("%s[%d]", at, s.index)
			continue
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s, which is no object", jsonText(at, value))
		}
		if value, ok = object[*s.name]; !ok {
			return nil, fmt.Errorf("%s without a field %s", jsonText(at, object), *s.name)
		}
		at += "." + *s.name
	}
	return value, nil
}

func jsonText(at string, value any) string { return at + " = " + shortOr(render(value), "nothing") }

// check finds the value at the path in body and compares it with want; a nil want is any value but null.
func (p jsonPath) check(what string, body []byte, want any) error {
	wanted := p.text + " to exist"
	if want != nil {
		wanted = p.text + " = " + render(want)
	}
	document, err := decodeJSON(body)
	if err != nil {
		return expected(what, wanted, "a body that is not JSON: "+shortOr(string(body), "it is empty"))
	}
	got, err := p.find(document)
	if err != nil {
		return expected(what, wanted, err.Error())
	}
	if want == nil && got != nil || want != nil && sameJSON(want, got) {
		return nil
	}
	return expected(what, wanted, short(render(got)))
}

// decodeJSON reads exactly one JSON value; numbers stay as they are written.
func decodeJSON(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

// render writes a value as JSON.
func render(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// sameJSON compares what a file says with what JSON says. Numbers are compared by value, and a text equals also the number or
// boolean that is spelled the same: what came out of a ${variable} is always a text.
func sameJSON(want, got any) bool {
	normal, err := decodeJSON([]byte(render(want)))
	if err != nil {
		return false
	}
	if text, ok := normal.(string); ok {
		switch got.(type) {
		case json.Number, bool:
			return text == render(got)
		}
	}
	return equalJSON(normal, got)
}

func equalJSON(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a.String(), b.String())
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalJSON(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k := range a {
			if v, ok := b[k]; !ok || !equalJSON(a[k], v) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// sameNumber compares two decimal numbers by value. Absurd exponents are compared as text: as a value they would fill the memory.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, okX := decimal(a)
	y, okY := decimal(b)
	return okX && okY && x.Cmp(y) == 0
}

func decimal(s string) (*big.Rat, bool) {
	if _, exponent, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > 400 || n < -400 {
			return nil, false
		}
	}
	if len(s) > 400 || strings.ContainsAny(s, "/_xXpPbBoO") {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}
