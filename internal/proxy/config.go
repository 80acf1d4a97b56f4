package proxy

import (
	"net/netip"
	"regexp"
	"syscall"
	"time"

	"github.com/chaos-startup/chaos/faults"
)

// Config says what a proxy stands before and which faults it holds ready.
type Config struct {
	Name     string // of the dependency, for messages and seeds
	Listen   string // host:port; port 0 takes a free one; "" is 127.0.0.1:0
	Upstream string // host:port of the real dependency
	// Aliases are further addresses to listen on, with the proxy's own port and with Upstream's.
	Aliases     []netip.Addr
	Both        bool // listen on [::1] with the same port too, if there is IPv6
	Intercepted bool // connects are decided by Connect before they happen; the accept side is only the safety net
	Injections  []Injection
	Seed        uint64
	Watches     []Watch
	Budget      *Budget // of descriptors, shared with other proxies; nil: none
	Polite      bool    // connections to a dependency that can't be reached, and those that Disable or Close end, are closed as in Toxiproxy, not reset

	// Gate reads all that the service has said up to now and applies its phases; it may call Arm and Lift of any proxy. It is called
	// without locks before a connection is admitted and before a chunk is passed on, while SetGated(true) is in force. nil: none.
	Gate func()
	// On is told what happened. It must be quick and is called from many goroutines, without locks. nil: nobody.
	On func(Event)
}

// Injection is one fault, dormant until Arm.
type Injection struct {
	ID          string // unique in the proxy
	Fault       faults.Spec
	Connections int     // only the first that many connections that are under it; 0: all
	Toxicity    float64 // seeded share of connections; 0 or 1: all
}

// Watch runs Do when bytes match, before the chunk that completes the match is passed on. Matches may span chunks, up to 4 KiB.
type Watch struct {
	Upstream bool // bytes that the service sends; else what it is answered
	Pattern  *regexp.Regexp
	Do       func()
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of event.
const (
	Accepted      EventKind = "accepted"       // a connection came in; sent before it is admitted
	Closed        EventKind = "closed"         // it ended: Text says how, BytesUp, BytesDown
	Bite          EventKind = "bite"           // Fault met its first connection or bytes since it was armed
	Denied        EventKind = "denied"         // Fault answered a request by itself: Text; at most one for each connection in DenialGap
	UpstreamError EventKind = "upstream_error" // the dependency, which is Text, could not be reached: Err
	Panic         EventKind = "panic"          // a link failed inside chaos: Err; its connection was reset
	Shortage      EventKind = "shortage"       // chaos itself has no descriptors for a connection: Err; it waits until there are
	ShortageOver  EventKind = "shortage_over"  // there are some again, a quarter of Config.Budget; only with one
)

// DenialGap is within what time several requests that a fault answers on one connection are told of as one: a driver's handshake is several.
const DenialGap = 20 * time.Millisecond

// Event is something that happened to a proxy. Connection counts accepted connections from 1; 0 is a refused one.
type Event struct {
	Kind       EventKind
	Fault      string
	Connection int
	At         time.Time
	Text       string
	Err        error
	BytesUp    int64
	BytesDown  int64
}

// Decision is what a connect(2) should meet: an errno (0: let it in), late by Delay, but not beyond Lifted.
type Decision struct {
	Errno  syscall.Errno
	Via    netip.AddrPort // where it must be sent instead, to be left unanswered until the lift; zero: where it wants to go
	Delay  time.Duration
	Lifted <-chan struct{} // closed when the fault behind Delay is lifted; nil without Delay
}

// Stats are the figures of a proxy so far. Attempts and Refused count calls of Connect only.
type Stats struct {
	Attempts, Refused  int
	Accepted           int
	Open               int   // accepted, and the service has not closed its side
	Unreached          int   // accepted, and the dependency could not be reached
	BytesUp, BytesDown int64 // delivered
	Moves              int64 // how often a direction of a connection went from the kernel's way into its chain
	InChain            int   // directions that are in one now
	Faults             []FaultStats

	ReceivedUp, ReceivedDown int64 // read: faults lose, hold and make up the difference to what was delivered
}

// FaultStats are the figures of one injection.
type FaultStats struct {
	ID             string
	ConnectionsHit int
	BytesHit       int64
}

// Fault returns the figures of the injection id; zero figures if there is none.
func (s Stats) Fault(id string) FaultStats {
	for _, f := range s.Faults {
		if f.ID == id {
			return f
		}
	}
	return FaultStats{ID: id}
}
