package startup

import (
	"slices"
	"sync"
	"time"
)

// The values of Snapshot.Status.
const (
	Starting = "starting"
	Ready    = "ready"
	Failed   = "failed"
)

// State is what the sequence tells the outside while it runs. It is safe for
// concurrent use; the zero value is a startup that has not begun.
type State struct {
	mu        sync.Mutex
	began     time.Time
	ended     time.Time
	status    string
	phase     string
	completed []string
	timings   map[string]float64
	err       string
}

// Snapshot is the state at one instant, as /health/startup serves it.
type Snapshot struct {
	// Status is starting, ready or failed.
	Status string `json:"status"`
	// Phase is the phase that runs, or the last one that did.
	Phase string `json:"phase"`
	// Completed lists the finished phases in the order in which they ran.
	Completed []string `json:"completed_phases"`
	// TimingsMS maps each finished phase to its milliseconds.
	TimingsMS map[string]float64 `json:"timings_ms"`
	// ElapsedMS counts from the begin of the sequence to its end, or to now.
	ElapsedMS float64 `json:"elapsed_ms"`
	// Error is empty unless Status is failed.
	Error string `json:"error,omitempty"`
}

// Snapshot copies the state.
func (s *State) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := Snapshot{
		Status: s.status, Phase: s.phase, Error: s.err,
		Completed: slices.Concat([]string{}, s.completed),
		TimingsMS: make(map[string]float64, len(s.timings)),
	}
	for name, ms := range s.timings {
		snap.TimingsMS[name] = ms
	}
	if snap.Status == "" {
		snap.Status = Starting
	}
	switch {
	case s.began.IsZero():
	case s.ended.IsZero():
		snap.ElapsedMS = milliseconds(time.Since(s.began))
	default:
		snap.ElapsedMS = milliseconds(s.ended.Sub(s.began))
	}
	return snap
}

func (s *State) begin(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.status, s.timings = at, Starting, map[string]float64{}
}

func (s *State) enter(phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phase
}

func (s *State) leave(phase string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.completed = append(s.completed, phase)
	s.timings[phase] = milliseconds(took)
}

func (s *State) complete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.ended = Ready, time.Now()
}

func (s *State) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.ended, s.err = Failed, time.Now(), err.Error()
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}
