package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the report in its own schema: the head indented, then one trial per line. It never holds more than one trial as
// text, so that a report of thousands of trials needs little memory.
func WriteJSON(w io.Writer, r *Report) error {
	head := *r
	head.Trials = []Trial{}
	if head.Experiments == nil {
		head.Experiments = []Experiment{}
	}
	data, err := encode(head, "  ")
	if err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	data, cut := bytes.CutSuffix(data, []byte("]\n}")) // of "trials": [], the last field
	if !cut {
		return fmt.Errorf("write report as JSON: trials is not the last field of Report")
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	for i, t := range r.Trials {
		line, err := encode(t, "")
		if err != nil {
			return fmt.Errorf("write trial %q as JSON: %w", t.Title, err)
		}
		sep := ",\n    "
		if i == 0 {
			sep = "\n    "
		}
		if _, err := w.Write(append([]byte(sep), line...)); err != nil {
			return fmt.Errorf("write trial %q as JSON: %w", t.Title, err)
		}
	}
	end := "\n  ]\n}\n"
	if len(r.Trials) == 0 {
		end = "]\n}\n"
	}
	if _, err := io.WriteString(w, end); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	return nil
}

// encode is json.Marshal without the escapes for HTML, so that log lines can be found in the file as they were written.
func encode(v any, indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
