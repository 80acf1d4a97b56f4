package timeline

import (
	"slices"
	"sync"
	"time"
)

// Recorder is an append-only list of events, safe for concurrent use.
type Recorder struct {
	*record
	replica int
}

// record is what the recorders of one trial share.
type record struct {
	mu     sync.Mutex
	zero   time.Time
	events []Event
}

// NewRecorder returns an empty recorder whose clock reads 0 at zero. Until SetZero is called, zero is the moment of this call.
func NewRecorder() *Recorder { return &Recorder{record: &record{zero: time.Now()}} }

// Of returns a recorder into the same list whose events are of one replica. Its Events are those and what concerns all replicas.
func (r *Recorder) Of(replica int) *Recorder { return &Recorder{record: r.record, replica: replica} }

// SetZero makes t the zero of the clock: the exec of the service. Call it before the first Add.
func (r *Recorder) SetZero(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.zero = t
}

// Now returns the milliseconds since zero.
func (r *Recorder) Now() float64 { return r.At(time.Now()) }

// At returns t in milliseconds since zero, never less than 0.
func (r *Recorder) At(t time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(t)
}

func (r *Recorder) at(t time.Time) float64 {
	return max(0, float64(t.Sub(r.zero).Microseconds())/1000)
}

// Add appends e with the present time and returns its id.
func (r *Recorder) Add(e Event) int { return r.AddAt(time.Now(), e) }

// AddAt appends e as seen at t and returns its id. The order of the list is the order of the calls.
func (r *Recorder) AddAt(t time.Time, e Event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.ID, e.MS = len(r.events), r.at(t)
	if e.Replica == 0 {
		e.Replica = r.replica
	}
	r.events = append(r.events, e)
	return e.ID
}

// Events returns a copy of what was recorded so far.
func (r *Recorder) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replica == 0 {
		return slices.Clone(r.events)
	}
	var own []Event
	for _, e := range r.events {
		if e.Replica == 0 || e.Replica == r.replica {
			own = append(own, e)
		}
	}
	return own
}
