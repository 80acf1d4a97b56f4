package toxiapi

import (
	"errors"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/internal/proxy"
)

// Incident is something that happened to a proxy and that is no answer to anybody's request.
type Incident struct {
	Kind            IncidentKind
	Proxy, Upstream string
	Err             error // nil: an end
	Times           int   // how often, since the last one of that kind
}

// IncidentKind says what an Incident is about.
type IncidentKind string

// The kinds of incident.
const (
	Unreachable  IncidentKind = "unreachable"   // connections ended because the upstream could not be reached
	Shortage     IncidentKind = "shortage"      // connections wait because chaos has no descriptors for them
	ShortageOver IncidentKind = "shortage_over" // it has some again
	Failure      IncidentKind = "failure"       // a link failed inside chaos, and its connection was reset
)

// tellEach is how often an unreachable upstream is told of at most.
const tellEach = time.Second

// reporter tells of the incidents of one proxy: the first unreachable upstream at once, others together.
type reporter struct {
	tell func(Incident)
	name string

	mu       sync.Mutex
	waits    *time.Timer // until something may be told again; nil: at once
	untold   Incident
	finished bool
}

// on takes what the proxy says.
func (r *reporter) on(e proxy.Event) {
	switch e.Kind {
	case proxy.UpstreamError:
		r.unreachable(Incident{Kind: Unreachable, Proxy: r.name, Upstream: e.Text, Err: innermost(e.Err), Times: 1})
	case proxy.Shortage:
		r.tell(Incident{Kind: Shortage, Proxy: r.name, Err: e.Err, Times: 1})
	case proxy.ShortageOver:
		r.tell(Incident{Kind: ShortageOver, Proxy: r.name, Times: 1})
	case proxy.Panic:
		r.tell(Incident{Kind: Failure, Proxy: r.name, Err: e.Err, Times: 1})
	}
}

// innermost is what the kernel said, without whom it concerns.
func innermost(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

func (r *reporter) unreachable(i Incident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waits != nil || r.finished {
		i.Times += r.untold.Times
		r.untold = i
		return
	}
	r.waits = time.AfterFunc(tellEach, r.again)
	r.tell(i)
}

// again tells what has gathered.
func (r *reporter) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waits = nil
	if !r.finished && r.gathered() {
		r.waits = time.AfterFunc(tellEach, r.again)
	}
}

// gathered tells what has gathered and says whether there was something. Locked.
func (r *reporter) gathered() bool {
	i := r.untold
	if i.Times == 0 {
		return false
	}
	r.untold = Incident{}
	r.tell(i)
	return true
}

// finish tells the rest, when the proxy has ended.
func (r *reporter) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waits != nil {
		r.waits.Stop()
	}
	r.finished = true
	r.gathered()
}
