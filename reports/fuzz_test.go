package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"testing"
)

// FuzzRead: whatever a file holds, Read answers; and what it accepts can be judged and written in every format.
func FuzzRead(f *testing.F) {
	r := handmade()
	for _, t := range r.Trials {
		short := New("v1", "x.yaml", 1, r.Started)
		short.Trials = []Trial{t}
		var out bytes.Buffer
		if err := WriteJSON(&out, short); err != nil {
			f.Fatal(err)
		}
		f.Add(out.Bytes())
	}
	f.Add([]byte(`{"schema":"chaos.report/v1","journal":true}` + "\n{}\n{"))
	f.Add([]byte(`{"schema":"chaos.report/v1","trials":[{"timeline":[{"id":-5,"kind":"exec"},{"id":-5,"ms":-1e308,"kind":"exit"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		r.Judge()
		_ = r.ExitCode()
		for _, format := range Builtin() {
			var out bytes.Buffer
			if err := format.Write(&out, r); err != nil {
				var unsupported *json.UnsupportedValueError // a sum of times beyond what a float holds
				if !errors.As(err, &unsupported) {
					t.Fatalf("%s: %v", format.Name, err)
				}
				continue
			}
			switch format.Name {
			case "json":
				if !json.Valid(out.Bytes()) {
					t.Fatalf("not JSON: %s", out.Bytes())
				}
			case "junit":
				mustParse(t, out.Bytes())
			}
		}
	})
}

func mustParse(t *testing.T, data []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(data))
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, data)
		}
	}
}
