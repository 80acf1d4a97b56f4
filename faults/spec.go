// Package faults is the catalogue of faults: what each is called, what it plays, which parameters it takes and how it
// acts on a dependency's connections. One file per kind.
//
// It opens no socket and starts no goroutine: it acts through the small interfaces that internal/proxy implements. It does
// not know when a fault comes on; that is decided by phases and the runner.
package faults

import (
	"strings"
	"time"

	"github.com/chaos-startup/chaos/timeline"
)

// Spec is one validated fault as an experiment asks for it: its kind and every parameter, defaults filled in.
type Spec struct {
	Kind   string         `json:"kind"`
	Params map[string]any `json:"params,omitempty"` // by parameter name: timeline.Duration, int64, float64, bool or string
}

// String returns the fault as shortly as a file could say it: "refuse", "latency 3s", "latency{delay: 3s, jitter: 100ms}".
// Parameters that have their default are left out.
func (s Spec) String() string {
	k, ok := Lookup(s.Kind)
	if !ok {
		return s.Kind
	}
	var told []string
	var single string
	for i, p := range k.Params {
		v, ok := s.Params[p.Name]
		if !ok || v == p.Default {
			continue
		}
		told = append(told, p.Name+": "+write(v))
		if i == 0 {
			single = write(v)
		}
	}
	switch {
	case len(told) == 0:
		return s.Kind
	case len(told) == 1 && single != "":
		return s.Kind + " " + single
	}
	return s.Kind + "{" + strings.Join(told, ", ") + "}"
}

// Behaviour returns what the fault does. A Spec from Parse always has one; an unknown kind does nothing.
func (s Spec) Behaviour() Behaviour {
	k, ok := Lookup(s.Kind)
	if !ok {
		return Behaviour{}
	}
	return k.Behave(s)
}

// Duration returns a duration parameter; 0 when there is no such.
func (s Spec) Duration(name string) time.Duration {
	d, _ := s.value(name).(timeline.Duration)
	return d.D()
}

// Int returns a whole number; 0 when there is no such parameter.
func (s Spec) Int(name string) int64 {
	n, _ := s.value(name).(int64)
	return n
}

// Float returns a number; 0 when there is no such parameter.
func (s Spec) Float(name string) float64 {
	f, _ := s.value(name).(float64)
	return f
}

// Bool returns a switch; false when there is no such parameter.
func (s Spec) Bool(name string) bool {
	b, _ := s.value(name).(bool)
	return b
}

// Text returns a text or the value of an enum; empty when there is no such parameter.
func (s Spec) Text(name string) string {
	t, _ := s.value(name).(string)
	return t
}

// value returns a parameter, or its default where a Spec was written by hand.
func (s Spec) value(name string) any {
	if v, ok := s.Params[name]; ok {
		return v
	}
	k, _ := Lookup(s.Kind)
	p, _ := k.param(name)
	return p.Default
}
