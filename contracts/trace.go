package contracts

import (
	"github.com/chaos-startup/chaos/timeline"
)

// trace is a timeline indexed for judging: who ran when, which claims to be ready stood how long, when each fault was on.
// All indices are positions in ev; -1 means that the thing never happened.
type trace struct {
	spec   Spec
	ev     []timeline.Event
	end    int // observation ended here: the first End, Stop or Kill, or len(ev)
	stop   int // from here on the service was made to stop: the first Stop or Kill, or len(ev)
	runs   []run
	claims []claim
	faults [][]span // by index of Spec.Faults
	proofs []proof
}

// run is one incarnation of the service: ev[first:next].
type run struct {
	first, next int
	started     bool // its Exec is in the timeline
	exit        int  // it ended by itself, before any Stop or Kill
}

// claim is a stretch in which the service said that it was ready.
type claim struct {
	at       int
	lost     int // taken back, or the service was gone; -1: it stands when observation ends
	degraded bool
}

// newTrace indexes events. It accepts any list, also one that no runner would write.
func newTrace(spec Spec, events []timeline.Event) *trace {
	t := &trace{spec: spec, ev: events, end: len(events), stop: len(events)}
	for i, e := range events {
		switch e.Kind {
		case timeline.Stop, timeline.Kill:
			t.stop, t.end = min(t.stop, i), min(t.end, i)
		case timeline.End:
			t.end = min(t.end, i)
		}
	}
	t.indexRuns()
	t.indexClaims()
	t.indexFaults()
	t.indexProofs()
	return t
}

func (t *trace) indexRuns() {
	cur := run{exit: -1}
	for i, e := range t.ev {
		switch {
		case e.Kind == timeline.Exec && cur.started:
			cur.next = i
			t.runs = append(t.runs, cur)
			cur = run{first: i, started: true, exit: -1}
		case e.Kind == timeline.Exec:
			cur.started = true
		case e.Kind == timeline.Exit && i < t.stop && cur.exit < 0:
			cur.exit = i
		}
	}
	cur.next = len(t.ev)
	t.runs = append(t.runs, cur)
}

func (t *trace) indexClaims() {
	open := -1
	shut := func(i int) {
		if open >= 0 {
			t.claims[open].lost, open = i, -1
		}
	}
	for i, e := range t.ev[:t.stop] {
		switch {
		case e.Kind == timeline.Exit || e.Kind == timeline.Exec:
			shut(i)
		case i >= t.end:
		case e.Kind == timeline.ReadyLost:
			shut(i)
		case e.Kind == timeline.ReadyClaim && open >= 0:
			t.claims[open].degraded = e.Degraded
		case e.Kind == timeline.ReadyClaim:
			open = len(t.claims)
			t.claims = append(t.claims, claim{at: i, lost: -1, degraded: e.Degraded})
		}
	}
}

// standing returns the claim that stands when observation ends, or nil.
func (t *trace) standing() *claim {
	if n := len(t.claims); n > 0 && t.claims[n-1].lost < 0 {
		return &t.claims[n-1]
	}
	return nil
}

// started reports whether the service was ever started.
func (t *trace) started() bool { return t.runs[0].started }

// lastRun is the incarnation that observation ended with.
func (t *trace) lastRun() run { return t.runs[len(t.runs)-1] }

// runAt returns the incarnation that ev[i] belongs to.
func (t *trace) runAt(i int) run {
	for _, r := range t.runs {
		if i < r.next {
			return r
		}
	}
	return t.lastRun()
}

// first returns the position of the first event of kind in ev[from:to], or -1.
func (t *trace) first(kind timeline.Kind, from, to int) int {
	for i := max(from, 0); i < min(to, len(t.ev)); i++ {
		if t.ev[i].Kind == kind {
			return i
		}
	}
	return -1
}

// all returns the positions of the events of kind in ev[from:to].
func (t *trace) all(kind timeline.Kind, from, to int) []int {
	var found []int
	for i := max(from, 0); i < min(to, len(t.ev)); i++ {
		if t.ev[i].Kind == kind {
			found = append(found, i)
		}
	}
	return found
}

// ms returns the time of ev[i]; 0 for -1.
func (t *trace) ms(i int) float64 {
	if i < 0 || i >= len(t.ev) {
		return 0
	}
	return t.ev[i].MS
}

// endMS is when observation ended.
func (t *trace) endMS() float64 {
	if t.end < len(t.ev) {
		return t.ev[t.end].MS
	}
	return t.ms(len(t.ev) - 1)
}

// ids turns positions into the ids that reasons cite, leaving out -1.
func (t *trace) ids(at ...int) []int {
	var ids []int
	for _, i := range at {
		if i >= 0 && i < len(t.ev) {
			ids = append(ids, t.ev[i].ID)
		}
	}
	return ids
}

// tail returns the positions of the last n log lines in ev[from:to].
func (t *trace) tail(n, from, to int) []int {
	logs := t.all(timeline.Log, from, to)
	return logs[max(0, len(logs)-n):]
}
