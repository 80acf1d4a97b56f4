package contracts

import (
	"cmp"
	"slices"

	"github.com/chaos-startup/chaos/timeline"
)

// attempt is one try to reach a dependency, as the timeline shows it. Times are ms since exec.
type attempt struct {
	at     int     // the event that shows it
	begin  float64 // when it began
	end    float64 // when it was over: when it was refused, or its connection closed; observed is false while nobody knows
	over   bool    // end is known
	lasted bool    // it was accepted, so that its length is known and not nothing by definition
	failed bool
}

// delaysOnly are the faults under which whoever waits is served: a connection that is answered and then closed did not fail.
var delaysOnly = map[string]bool{
	"latency": true, "bandwidth": true, "slicer": true, "slow_close": true, "brownout": true, "loss": true,
}

// tries returns the attempts on dep in one incarnation in the order in which they began, and how each ended. Connects that were let in and
// never arrived are left out: nothing is known of them.
func (t *trace) tries(dep string, r run) []attempt {
	var out []attempt
	accepted, closed := t.connections(dep)
	intercepted := t.first(timeline.Connect, 0, t.end) >= 0
	next := 0
	for i := r.first; i < min(r.next, t.end); i++ {
		e := t.ev[i]
		switch {
		case e.Dependency != dep:
		case e.Kind == timeline.Accept && !intercepted:
			out = append(out, t.acceptedTry(dep, i, i, closed))
		case e.Kind == timeline.Connect && (e.Result == "refused" || e.Result == "astray"):
			out = append(out, attempt{at: i, begin: e.MS, end: e.MS, over: true, failed: true})
		case e.Kind == timeline.Connect && e.Result == "unanswered":
			out = append(out, attempt{at: i, begin: e.MS, failed: true})
		case e.Kind == timeline.Connect:
			for next < len(accepted) && t.ms(accepted[next])+1 < e.MS {
				next++
			}
			if next < len(accepted) {
				out = append(out, t.acceptedTry(dep, i, accepted[next], closed))
				next++
			}
		}
	}
	slices.SortStableFunc(out, func(a, b attempt) int { return cmp.Compare(a.begin, b.begin) })
	return out
}

// connections returns the positions of what dep's proxy accepted, in the order in which it did, and of the end of each connection by number.
func (t *trace) connections(dep string) (accepted []int, closed map[int]int) {
	closed = map[int]int{}
	for i, e := range t.ev {
		switch {
		case e.Dependency != dep:
		case e.Kind == timeline.Accept:
			accepted = append(accepted, i)
		case e.Kind == timeline.Close && e.Connection > 0:
			closed[e.Connection] = i
		}
	}
	slices.SortStableFunc(accepted, func(a, b int) int { return cmp.Compare(t.ev[a].Connection, t.ev[b].Connection) })
	return accepted, closed
}

// acceptedTry is an attempt that arrived: it failed when it was never answered, or when its connection ended while a fault did more than
// delay it.
func (t *trace) acceptedTry(dep string, at, accept int, closed map[int]int) attempt {
	a := attempt{at: at, begin: t.ms(at), lasted: true}
	c, known := closed[t.ev[accept].Connection]
	if !known {
		return a
	}
	answered := t.ev[c].Count["bytes_down"] > 0
	a.over = c < t.end
	if a.over {
		a.end = t.ms(c)
	}
	switch {
	case !answered && a.over:
		a.failed = true
	case !answered:
		a.failed = t.faultOn(dep, a.begin, a.begin+armingMS)
	case a.over:
		a.failed = t.harmed(dep, a.begin) && t.harmed(dep, a.end)
	}
	return a
}

// harmed reports whether a fault that does more than delay was on dep at a time.
func (t *trace) harmed(dep string, ms float64) bool {
	for f, spans := range t.faults {
		if t.spec.Faults[f].On != dep || delaysOnly[t.spec.Faults[f].Kind] {
			continue
		}
		for _, s := range spans {
			if t.ms(s.armed) <= ms+armingMS && (s.lift < 0 || t.ms(s.lift) >= ms) {
				return true
			}
		}
	}
	return false
}

// series is a run of attempts that failed one after the other, the first of them under a fault.
type series struct {
	tries     []attempt
	succeeded float64 // when the attempt that did not fail began; 0: none did
	run       run
}

func (s series) first() float64 { return s.tries[0].begin }
func (s series) last() float64  { return s.tries[len(s.tries)-1].begin }

// seriesOf returns what dep was tried in vain in one incarnation.
func (t *trace) seriesOf(dep string, r run) []series {
	var out []series
	cur := series{run: r}
	flush := func() {
		if len(cur.tries) > 0 {
			out = append(out, cur)
		}
		cur = series{run: r}
	}
	for _, a := range t.tries(dep, r) {
		switch {
		case a.failed && (len(cur.tries) > 0 || t.faultOn(dep, a.begin, a.begin+armingMS)):
			cur.tries = append(cur.tries, a)
		case !a.failed && len(cur.tries) > 0:
			cur.succeeded = a.begin
			flush()
		}
	}
	flush()
	return out
}

// round is what was tried at once or in quick succession: one intended attempt and what it was multiplied by.
type round struct {
	begin, end float64
	tries      []attempt
}

// rounds groups the attempts of s: those that were under way together, and bursts that come again and again.
func (s series) rounds() []round {
	var out []round
	for _, a := range s.tries {
		end := a.begin
		if a.over {
			end = a.end
		}
		if n := len(out); n > 0 && a.begin < out[n-1].end {
			out[n-1].end = max(out[n-1].end, end)
			out[n-1].tries = append(out[n-1].tries, a)
			continue
		}
		out = append(out, round{begin: a.begin, end: end, tries: []attempt{a}})
	}
	size := burstSize(pausesOf(out, 0))
	if size < 2 {
		return out
	}
	var bursts []round
	for i := 0; i < len(out); i += size {
		b := out[i]
		for _, more := range out[i+1 : min(i+size, len(out))] {
			b.end = max(b.end, more.end)
			b.tries = append(slices.Clone(b.tries), more.tries...)
		}
		bursts = append(bursts, b)
	}
	return bursts
}

// pausesOf returns how long nothing was tried between rounds, and before the success, if there was one.
func pausesOf(rounds []round, succeeded float64) []float64 {
	var out []float64
	for i := 1; i < len(rounds); i++ {
		out = append(out, max(0, rounds[i].begin-rounds[i-1].end))
	}
	if n := len(rounds); n > 0 && succeeded > 0 {
		out = append(out, max(0, succeeded-rounds[n-1].end))
	}
	return out
}

// parallel returns the largest number of attempts that were certainly under way at one time, and the largest number that came within
// momentMS of each other and were over so fast that nobody can say whether they overlapped.
func (s series) parallel(t *trace, dep string) (certain, together int) {
	certain = 1
	for i, a := range s.tries {
		n, close := 1, 1
		for _, b := range s.tries[:i] {
			end := b.end
			if !b.over {
				end = min(t.endMS(), t.liftAfter(dep, b.begin))
			}
			switch {
			case b.lasted && end > a.begin:
				n++
				close++
			case a.begin-b.begin <= momentMS:
				close++
			}
		}
		certain, together = max(certain, n), max(together, close)
	}
	return certain, max(together, certain)
}

// momentMS is the time within which attempts that last no time may have been made at once or one after the other.
const momentMS = 5

// liftAfter returns when the last fault on dep was lifted after ms; the end of observation if none was.
func (t *trace) liftAfter(dep string, ms float64) float64 {
	at := 0.0
	for f, spans := range t.faults {
		for _, s := range spans {
			if t.spec.Faults[f].On == dep && s.lift >= 0 && t.ms(s.lift) >= ms {
				at = max(at, t.ms(s.lift))
			}
		}
	}
	if at == 0 {
		return t.endMS()
	}
	return at
}

// armingMS is how much later than the attempt which it waited for a fault may be noted.
const armingMS = 2
