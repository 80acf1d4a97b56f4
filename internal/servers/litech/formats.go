package litech

import (
	"database/sql/driver"
	"encoding/csv"
	"encoding/json"
	"strings"
)

type driverValue = driver.Value

// formats write a result.
var formats = map[string]func(*table) (string, error){
	"TabSeparated": func(t *table) (string, error) { return t.tabs(false), nil }, "TSV": func(t *table) (string, error) { return t.tabs(false), nil },
	"TabSeparatedWithNames": func(t *table) (string, error) { return t.tabs(true), nil }, "TSVWithNames": func(t *table) (string, error) { return t.tabs(true), nil },
	"CSV": func(t *table) (string, error) { return t.csv(false) }, "CSVWithNames": func(t *table) (string, error) { return t.csv(true) },
	"JSON": (*table).json, "JSONCompact": (*table).jsonCompact, "JSONEachRow": (*table).jsonEachRow,
	"Null": func(*table) (string, error) { return "", nil },
}

var contentTypes = map[string]string{
	"TabSeparated": "text/tab-separated-values; charset=UTF-8", "TSV": "text/tab-separated-values; charset=UTF-8",
	"TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8", "TSVWithNames": "text/tab-separated-values; charset=UTF-8",
	"CSV": "text/csv; charset=UTF-8; header=absent", "CSVWithNames": "text/csv; charset=UTF-8; header=present",
	"JSON": "application/json; charset=UTF-8", "JSONCompact": "application/json; charset=UTF-8", "JSONEachRow": "application/x-ndjson; charset=UTF-8",
	"Null": "text/plain; charset=UTF-8",
}

var tabEscape = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "'", `\'`)

func (t *table) tabs(names bool) string {
	var b strings.Builder
	line := func(fields []string) { b.WriteString(strings.Join(fields, "\t") + "\n") }
	if names {
		line(t.names)
	}
	for _, r := range t.rows {
		fields := make([]string, len(r))
		for i, v := range r {
			if fields[i] = `\N`; v != nil {
				fields[i] = tabEscape.Replace(valueText(v))
			}
		}
		line(fields)
	}
	return b.String()
}

func (t *table) csv(names bool) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if names {
		if err := w.Write(t.names); err != nil {
			return "", err
		}
	}
	for _, r := range t.rows {
		fields := make([]string, len(r))
		for i, v := range r {
			if fields[i] = `\N`; v != nil {
				fields[i] = valueText(v)
			}
		}
		if err := w.Write(fields); err != nil {
			return "", err
		}
	}
	w.Flush()
	return b.String(), w.Error()
}

// field is a value in JSON: ClickHouse puts 64-bit integers in quotes, because
// JavaScript's numbers can't hold them.
func (t *table) field(i int, v any) any {
	switch b := base(t.types[i]); {
	case v == nil:
		return nil
	case b == "UInt64" || b == "Int64", !isNumber(b):
		return valueText(v)
	}
	return v
}

func (t *table) object(r []any) (json.RawMessage, error) {
	// Columns in their order, which a Go map would lose.
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range r {
		key, err := json.Marshal(t.names[i])
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(t.field(i, v))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return json.RawMessage(b.String()), nil
}

func (t *table) jsonEachRow() (string, error) {
	var b strings.Builder
	for _, r := range t.rows {
		object, err := t.object(r)
		if err != nil {
			return "", err
		}
		b.Write(object)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func (t *table) json() (string, error) {
	data := make([]any, 0, len(t.rows))
	for _, r := range t.rows {
		object, err := t.object(r)
		if err != nil {
			return "", err
		}
		data = append(data, object)
	}
	return t.document(data)
}

func (t *table) jsonCompact() (string, error) {
	data := make([]any, 0, len(t.rows))
	for _, r := range t.rows {
		fields := make([]any, len(r))
		for i, v := range r {
			fields[i] = t.field(i, v)
		}
		data = append(data, fields)
	}
	return t.document(data)
}

func (t *table) document(data []any) (string, error) {
	type meta struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	document := struct {
		Meta []meta `json:"meta"`
		Data []any  `json:"data"`
		Rows int    `json:"rows"`
	}{Data: data, Rows: len(data)}
	for i, n := range t.names {
		document.Meta = append(document.Meta, meta{n, t.types[i]})
	}
	out, err := json.MarshalIndent(document, "", "\t")
	return string(out) + "\n", err
}
