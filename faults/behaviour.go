package faults

import (
	"math/rand/v2"
	"syscall"
	"time"
)

// Behaviour is what one fault does to the connections of its dependency while it is on. Every field is independent; the zero value does
// nothing. A kind of fault is a Behaviour made from its parameters: internal/proxy carries it out and knows no kinds.
type Behaviour struct {
	Refuse syscall.Errno // new connections are refused with this errno; 0: they are let in
	Accept Accept        // what a connection meets that is accepted while the fault is on
	Open   Open          // what happens to open connections at the instant when it comes on
	After  time.Duration // how late resets of Accept and Open come
	Lift   Lift          // what happens to the connections that met it when it goes off
	Cycle  Cycle         // the fault is on and off by turns; zero: always on

	// Connect is how long connect(2) itself is held before it is let in; nil: not at all. It needs the connect interceptor; without it
	// the proxy's own dial is late instead.
	Connect func(random *rand.Rand) time.Duration
	// Filter makes what the bytes of one direction of one connection pass while the fault is on; nil, or a nil result: they pass untouched.
	// It is called once for each connection and direction.
	Filter    func(direction Direction, random *rand.Rand) Filter
	BitesEnd  bool // the end of a stream that passes Filter counts as a bite; else only bytes do
	BytesPass bool // Filter lets most bytes pass untouched: they are no bite, but what it says by Bite, and its Close and Reset, are
	// Converse makes what takes part in the protocol of one connection; nil: the fault does not speak. It is called once for each connection.
	// whole says that it will be there from the connection's first byte on.
	Converse func(random *rand.Rand, whole bool) Conversation

	// Hang leaves the SYN of new connections unanswered. After the lift they connect when their kernel asks again.
	Hang bool
	// Late is how long an accepted connection is left alone before it reaches the dependency; nil: not at all.
	Late func(random *rand.Rand) time.Duration
	// Cap lets that many connections be open at a time; the fault is for those beyond. 0: it is for all.
	Cap int

	// Resolve is what the names of the dependency are answered; nil: the truth. It is carried out by internal/resolver and touches no connection.
	Resolve *Resolution
}

// Accept is what a newly accepted connection meets.
type Accept int

// The ways to treat a newly accepted connection.
const (
	LetIn       Accept = iota // it reaches the dependency
	CloseIt                   // FIN at once
	ResetIt                   // RST, late by After
	LeaveSilent               // it stays open, is never answered and does not reach the dependency
)

// Open is what happens to connections that are open when a fault comes on.
type Open int

// The ways to treat open connections.
const (
	LeaveOpen Open = iota
	ResetOpen      // RST, also on idle ones, late by After
)

// Lift is what happens, when a fault goes off, to the connections that were open at any moment while it was on.
type Lift int

// The ways to leave connections behind.
const (
	GoOn      Lift = iota // they work again; what a Filter held is passed on
	StayDead              // they stay silent for ever: the host died
	CloseThem             // FIN
	ResetThem             // RST
)

// Cycle makes a fault come and go while it is on: first Down (it acts), then Up (it does not), and so on.
type Cycle struct{ Up, Down time.Duration }

// Direction of traffic, in Toxiproxy's words: Upstream is what the service sends, Downstream what the dependency answers.
type Direction int

// The directions. Both is only for parameters; a Filter works in one.
const (
	Downstream Direction = iota
	Upstream
	Both
)

// Covers says whether a parameter d includes the direction one.
func (d Direction) Covers(one Direction) bool { return d == Both || d == one }

// Filter treats the chunks of one direction of one connection while its fault is on.
type Filter interface {
	// Run takes chunks with link.Next and passes them with link.Pass until Next or Wait says false: the fault was lifted or the
	// connection is gone. Chunks it still holds then must be passed (or dropped, if that is the fault). It may be run again
	// when the fault comes on again.
	Run(link Link)
	// Buffer is how many chunks may wait before the filter without holding up the reader, so that their arrival times are true. 0: none.
	Buffer() int
}

// Chunk is a piece of the byte stream and the moment when it was read from the socket. A nil Data is the end of the stream (half-close).
type Chunk struct {
	Data []byte
	At   time.Time
}

// Link is one direction of one connection, as a Filter sees it. Its methods are for the filter's goroutine only.
type Link interface {
	// Next waits for a chunk. It returns false when the fault was lifted or the connection is gone. The end of the stream comes once, as a
	// Chunk with nil Data; a filter passes it on like any other, or holds it back.
	Next() (Chunk, bool)
	// NextUntil is Next with a time limit: due is true when it was reached first.
	NextUntil(t time.Time) (c Chunk, due, ok bool)
	// Pass sends a chunk on. After the end of the stream was passed, nothing may follow.
	Pass(c Chunk)
	// Wait sleeps until t. It returns false when the fault was lifted or the connection is gone before.
	Wait(t time.Time) bool
	// Began is when the fault came on for this connection: armed, or accepted if that was later.
	Began() time.Time
	// Open is how many connections of the dependency are open now, this one included.
	Open() int
	// Bite says that the fault has now done something, where not every byte that it takes is a bite (see Behaviour.BytesPass): bytes is how many
	// were withheld or changed, text completes "FAULT bites: ".
	Bite(bytes int, text string)
	// Close ends the whole connection in order (FIN to both sides); Reset ends it with RST.
	Close()
	Reset()
}
