package traffic

import (
	"fmt"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	longest     = int64(10 * time.Minute / time.Microsecond) // what a histogram tells apart at most; longer counts as that
	digits      = 3                                          // of a latency, in microseconds
	maxSamples  = 60                                         // failures that are told one by one
	samplesEach = 3                                          // of the same step, kind and time
	maxSuspects = 50_000
	dying       = 100 * time.Millisecond // how long before its end is noticed a process may have lost its connections
)

// Tally adds up answers. It is for one goroutine; what it holds does not grow with the number of requests.
type Tally struct {
	steps    []string
	claim    time.Duration // of the service to be ready; only with claimed
	claimed  bool
	sum      []figures // of each step, after the claim
	early    []figures // of each step, before it
	lag      *hdr.Histogram
	unsent   int
	cut      int
	last     time.Duration // the last intended moment
	windows  []window      // by second of the intended moment
	samples  []sample
	told     map[string]int
	suspects []Answer // early ones whose connection broke: perhaps the process ended
	exits    []time.Duration
}

// figures are those of one step in one stage.
type figures struct {
	sent    int
	kinds   map[Kind]int
	latency *hdr.Histogram // from the intended moment, of what was answered as it should and of what hung
}

// window is one second of the load.
type window struct {
	sent, ok, errors int
	worst            time.Duration
}

// sample is a failure that is told by itself.
type sample struct {
	Answer
	early bool
}

// NewTally returns an empty tally of these steps.
func NewTally(steps []string) *Tally {
	t := &Tally{steps: steps, lag: histogram(), told: map[string]int{}}
	t.sum, t.early = make([]figures, len(steps)), make([]figures, len(steps))
	for i := range steps {
		t.sum[i], t.early[i] = newFigures(), newFigures()
	}
	return t
}

func histogram() *hdr.Histogram { return hdr.New(1, longest, digits) }

func newFigures() figures { return figures{kinds: map[Kind]int{}, latency: histogram()} }

// Claimed notes when the service claimed to be ready: requests before it are early ones.
func (t *Tally) Claimed(at time.Duration) {
	if !t.claimed {
		t.claim, t.claimed = at, true
	}
}

// Exited notes that the service's process ended.
func (t *Tally) Exited(at time.Duration) { t.exits = append(t.exits, at) }

// Unsent counts a request that the generator could not send.
func (t *Tally) Unsent(intended time.Duration) {
	t.unsent++
	t.last = max(t.last, intended)
}

// Add counts an answer.
func (t *Tally) Add(a Answer) {
	switch a.Kind {
	case Unsent:
		t.Unsent(a.Intended)
		return
	case Cut:
		t.cut++
		return
	}
	t.last = max(t.last, a.Intended)
	record(t.lag, a.Sent-a.Intended)
	early := !t.claimed || a.Intended < t.claim && a.Sent < t.claim
	if early && a.Kind.connectionLost() && len(t.suspects) < maxSuspects {
		if len(t.suspects) > maxSamples {
			a.Error = "" // told no more
		}
		t.suspects = append(t.suspects, a)
		return
	}
	t.count(a, early)
}

func (t *Tally) count(a Answer, early bool) {
	f := &t.sum[a.Step]
	if early {
		f = &t.early[a.Step]
	}
	f.sent++
	f.kinds[a.Kind]++
	took := a.Done - a.Intended
	if a.Kind == OK || a.Kind == Hang {
		record(f.latency, took)
	}
	failed := a.Kind != OK
	if early {
		failed = !a.Kind.clean()
	}
	t.window(a, took, failed)
	if failed {
		t.sample(a, early)
	}
}

func (t *Tally) window(a Answer, took time.Duration, failed bool) {
	at := int(a.Intended / time.Second)
	for len(t.windows) <= at {
		t.windows = append(t.windows, window{})
	}
	w := &t.windows[at]
	w.sent++
	if a.Kind == OK {
		w.ok++
	}
	if failed {
		w.errors++
	}
	if a.Kind == OK || a.Kind == Hang {
		w.worst = max(w.worst, took)
	}
}

func (t *Tally) sample(a Answer, early bool) {
	key := fmt.Sprint(a.Step, a.Kind, a.Code, early)
	if t.told[key]++; t.told[key] <= samplesEach && len(t.samples) < maxSamples {
		t.samples = append(t.samples, sample{a, early})
	}
}

// settle decides about the early requests whose connection broke: those that were open when the process ended are no answer of the service.
func (t *Tally) settle() {
	for _, a := range t.suspects {
		for _, exit := range t.exits {
			if a.Sent <= exit && a.Done >= exit-dying {
				a.Kind = Gone
				break
			}
		}
		t.count(a, true)
	}
	t.suspects = nil
}

func record(h *hdr.Histogram, d time.Duration) {
	us := min(max(1, d.Microseconds()), longest)
	_ = h.RecordValue(us) // within its bounds, so it always can
}
