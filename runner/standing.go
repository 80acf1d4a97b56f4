package runner

import (
	"time"

	"github.com/chaos-startup/chaos/contracts"
	"github.com/chaos-startup/chaos/internal/process"
)

// A service that claims to be ready and dies of what it does next is not ready: its claim must stand as long as it took to come, within
// these bounds. So a loaded machine, where everything takes longer, gives it longer, and a quick service costs no time.
const (
	standAtLeast = 5 * time.Millisecond
	standAtMost  = 100 * time.Millisecond
)

// A service that was not idle when that was over has not shown yet what it does next. It must be seen idle, or have had its share of the
// processors, which on a loaded machine takes longer by the clock than by its own time.
const (
	share   = 50 * time.Millisecond // of a processor, for one that is never idle
	starved = 10 * time.Second      // one that gets no processor for so long shows nothing any more
)

// mustStand is how much longer the claim must stand.
func (t *trial) mustStand() time.Duration {
	since := t.claims.since()
	took := since.Sub(t.process.Started())
	return time.Until(since.Add(min(max(took, standAtLeast), standAtMost)))
}

// standing is what was seen of a claim that has stood as long as it must.
type standing struct {
	since  time.Time
	worked time.Duration // what the service had had of the processors then
}

// longer is how much longer its claim must stand because it is not idle; 0: no longer. Idle is who is so twice: work may pass from a thread
// that was not looked at yet to one that was.
func (s *standing) longer(p *process.Process) time.Duration {
	busy := p.Busy()
	if !busy {
		busy = p.Busy()
	}
	if !busy {
		return 0
	}
	worked := p.Worked()
	if s.since.IsZero() {
		s.since, s.worked = time.Now(), worked
	}
	if worked-s.worked >= share || time.Since(s.since) >= starved {
		return 0
	}
	return standAtLeast
}

// owed is how much longer a service that claims to be ready is watched because it may still do what is expected of it.
func (t *trial) owed() time.Duration {
	until, owed := contracts.Owed(t.spec, t.events())
	if !owed {
		return 0
	}
	const more = 2 // ms: what is judged is not quite so exact
	return time.Duration((until + more - t.recorder.Now()) * float64(time.Millisecond))
}

// shown says why a ready service has shown all that it will show.
func (t *trial) shown(owed bool) string {
	var on bool
	t.gate.Do(func() { on = t.injector.anyArmed() })
	switch {
	case owed:
		return "it claims to be ready, and did not end in the time that it is given for that"
	case t.claims.failing():
		return "it claims to be ready, and a proof still failed after the " + proofWindow.String() + " that are waited for it"
	case on:
		return "it is ready, and the faults that are on last until the end"
	}
	return "it is ready and every fault is over"
}
