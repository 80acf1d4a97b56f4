package toxiapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"syscall"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// Toxic is a toxic of a proxy, as the API shows it.
type Toxic struct {
	Attributes map[string]any `json:"attributes"`
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"`

	given map[string]any // the attributes as they were given, by canonical name: an update is laid over them
	spec  faults.Spec
}

const (
	upstream   = "upstream"
	downstream = "downstream"
)

// toxicInput is the body of a request that makes or changes a toxic. nil: not given.
type toxicInput struct {
	Name       *string        `json:"name"`
	Type       *string        `json:"type"`
	Stream     *string        `json:"stream"`
	Toxicity   *float64       `json:"toxicity"`
	Attributes map[string]any `json:"attributes"`
}

// NewToxic checks the description of a toxic. An empty stream is downstream, an empty name the type and the stream, a nil toxicity 1. All
// mistakes are told at once; Param of each is the attribute, or type, stream or toxicity.
func NewToxic(name, typ, stream string, toxicity *float64, attributes map[string]any) (Toxic, []faults.Problem) {
	t, ok := lookupType(typ)
	if !ok {
		return Toxic{}, []faults.Problem{{Param: "type", Text: fmt.Sprintf("%s: there is no toxic %s; known are %s", invalidType, shown(typ), strings.Join(typeNames(), ", "))}}
	}
	var problems []faults.Problem
	if stream == "" {
		stream = downstream
	}
	if stream = strings.ToLower(stream); stream != upstream && stream != downstream {
		problems = append(problems, faults.Problem{Param: "stream", Text: invalidStream})
		stream = downstream
	}
	if name == "" {
		name = typ + "_" + stream
	}
	given, more := t.canonical(attributes)
	out := Toxic{Name: name, Type: typ, Stream: stream, Toxicity: 1, given: given}
	told, spec, still := t.parse(given, stream)
	problems = append(append(problems, more...), still...)
	if toxicity != nil {
		out.Toxicity = *toxicity
		if text := checkToxicity(*toxicity); text != "" {
			problems = append(problems, faults.Problem{Param: "toxicity", Text: text})
		}
	}
	if len(problems) > 0 {
		return Toxic{}, problems
	}
	out.Attributes, out.spec = told, spec
	return out, nil
}

func checkToxicity(f float64) string {
	if f >= 0 && f <= 1 {
		return ""
	}
	return fmt.Sprintf("toxicity must be from 0 to 1, got %s", shown(f))
}

// create makes a toxic of the body of a request.
func (in toxicInput) create() (Toxic, error) {
	if in.Stream != nil && *in.Stream == "" {
		return Toxic{}, wrong(invalidStream)
	}
	if in.Type != nil {
		if _, ok := lookupType(*in.Type); !ok {
			_, problems := NewToxic("", *in.Type, "", nil, nil)
			return Toxic{}, asAPI(problems)
		}
	}
	out, problems := NewToxic(text(in.Name), text(in.Type), text(in.Stream), in.Toxicity, in.Attributes)
	return out, asAPI(problems)
}

// update lays the attributes and the toxicity of a body over a toxic. Name, type and stream can't be changed: as in Toxiproxy they are not looked at.
func (in toxicInput) update(old Toxic) (Toxic, error) {
	t, _ := lookupType(old.Type)
	changed, problems := t.canonical(in.Attributes)
	if len(problems) > 0 {
		return Toxic{}, asAPI(problems)
	}
	given := maps.Clone(old.given)
	maps.Copy(given, changed)
	toxicity := in.Toxicity
	if toxicity == nil {
		toxicity = &old.Toxicity
	}
	out, problems := NewToxic(old.Name, old.Type, old.Stream, toxicity, given)
	return out, asAPI(problems)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// asAPI makes one error of all problems.
func asAPI(problems []faults.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.String())
	}
	return wrong(strings.Join(texts, "; "))
}

// beyondProxies says why a fault can't be played by a proxy alone; empty: it can.
func beyondProxies(spec faults.Spec) string {
	switch b := spec.Behaviour(); {
	case b.Refuse != 0 && b.Refuse != syscall.ECONNREFUSED:
		return fmt.Sprintf("%s.errno %s needs the connect interceptor, which only chaos run has, around a service that it starts: a closed port "+
			"answers with ECONNREFUSED alone", spec.Kind, spec.Text("errno"))
	case b.Resolve != nil:
		return spec.Kind + " is about names, which are asked before anybody connects to a proxy: only chaos run answers them, for a service that it starts"
	}
	return ""
}

// injection is the toxic as internal/proxy takes it.
func (t Toxic) injection() proxy.Injection {
	return proxy.Injection{ID: t.Name, Fault: t.spec, Toxicity: t.Toxicity}
}

// plays says whether the toxic does anything: noop does not, nor does one for no connection at all.
func (t Toxic) plays() bool { return t.spec.Kind != "" && t.Toxicity > 0 }

// decodeBody reads one JSON value. The texts are those of encoding/json, as in Toxiproxy, but for the names of our Go types.
func decodeBody(dec *json.Decoder, into any) error {
	err := dec.Decode(into)
	var mistyped *json.UnmarshalTypeError
	var tooLong *http.MaxBytesError
	switch {
	case err == nil && dec.More():
		return wrong(badBody + ": something follows the JSON value")
	case err == nil:
		return nil
	case errors.As(err, &tooLong):
		return fmt.Errorf("%s: %w", badBody, err)
	case errors.As(err, &mistyped):
		where := ""
		if mistyped.Field != "" {
			where = " into the field " + mistyped.Field
		}
		return wrong(fmt.Sprintf("%s: json: cannot unmarshal %s%s", badBody, mistyped.Value, where))
	}
	return wrong(badBody + ": " + err.Error())
}
