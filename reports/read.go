package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Read reads a report, or the journal of a run that was killed: then it holds every trial that was judged, and Interrupted is set.
// It believes no verdict: call Judge to make them anew. Its errors say what the input is instead.
func Read(in io.Reader) (*Report, error) {
	dec := json.NewDecoder(in)
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, notJSON(err)
	}
	var head struct {
		Schema  *string `json:"schema"`
		Journal bool    `json:"journal"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Schema == nil {
		return nil, fmt.Errorf("read report: this JSON has no field `schema`, so it is no report: expected a file written by chaos run --json")
	}
	if *head.Schema != Schema {
		return nil, fmt.Errorf("read report: its schema is %q and this chaos reads %q: use the version of chaos that wrote it", *head.Schema, Schema)
	}
	var r Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("read report: it is not what schema %s promises: %w", Schema, err)
	}
	if head.Journal {
		return &r, r.readJournal(dec)
	}
	if err := dec.Decode(&raw); !errors.Is(err, io.EOF) {
		return nil, errors.New("read report: there is more after the end of the report: it was damaged or two were joined")
	}
	return &r, nil
}

func notJSON(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("read report: it is empty: expected a file written by chaos run --json")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("read report: it ends in the middle: it was cut off; see whether the .part file of that run is left")
	case errors.As(err, &syntax):
		return fmt.Errorf("read report: it is not JSON (at byte %d: %w): expected a file written by chaos run --json", syntax.Offset, err)
	}
	return fmt.Errorf("read report: %w", err)
}

// readJournal adds the trials of a journal. The last one may be cut off by what killed the run; it is left out.
func (r *Report) readJournal(dec *json.Decoder) error {
	r.Interrupted = true
	for {
		var t Trial
		err := dec.Decode(&t)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read journal: trial %d: %w", len(r.Trials)+1, err)
		}
		r.Trials = append(r.Trials, t)
	}
}
