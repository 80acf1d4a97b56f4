// Package faults is the catalogue of faults: what each is called, what it plays, which parameters it takes and how it
// acts on a dependency's connections. One file per kind.
//
// It opens no socket and starts no goroutine: it acts through the small interfaces that internal/proxy implements. It does
// not know when a fault comes on; that is decided by phases and the runner.
package faults

// Spec is one validated fault as an experiment asks for it: its kind and every parameter, defaults filled in.
type Spec struct {
	Kind   string         `json:"kind"`
	Params map[string]any `json:"params,omitempty"` // by parameter name: timeline.Duration, int64, float64, bool or string
}
