package faults

import "time"

// Conversation is a fault's part in the protocol of one connection, in both directions: the dependency that is up and says no. Its methods are
// never called at the same time, and none after the connection has ended. It holds no reference to the Talk between two runs.
type Conversation interface {
	// Run treats what comes from both sides until Next, NextUntil or Wait says false: the fault was lifted or the connection is gone. What it still
	// holds then must be passed on (or dropped, if that is the fault). It may be run again when the fault comes on again.
	Run(talk Talk)
}

// Witness is a Conversation that must know where messages begin, also those of before the fault came on.
type Witness interface {
	Conversation
	// Sees is shown the bytes that pass while the fault is off, in the order of their direction. It must neither keep nor change data, nor
	// wait for anything.
	Sees(d Direction, data []byte)
}

// Talk is both directions of one connection, as a Conversation sees them. Upstream is what the service sends and what reaches the dependency,
// Downstream what the dependency answers and what reaches the service. Its methods are for the goroutine of Run only.
type Talk interface {
	// Next waits for a chunk from either side. It returns false when the fault was lifted or the connection is gone. The end of a
	// direction comes once, as a Chunk with nil Data. Taking a chunk is no bite: see Bite.
	Next() (Direction, Chunk, bool)
	// NextUntil is Next with a time limit: due is true when it was reached first.
	NextUntil(t time.Time) (d Direction, c Chunk, due, ok bool)
	// Pass sends a chunk on its way: d Upstream to the dependency, d Downstream to the service, whoever it came from. After the end of a
	// direction was passed, nothing may follow in it.
	Pass(d Direction, c Chunk)
	// Wait sleeps until t. It returns false when the fault was lifted or the connection is gone before.
	Wait(t time.Time) bool
	// Began is when the fault came on for this connection: armed, or accepted if that was later.
	Began() time.Time
	// Bite says that the fault has now done something to the service that it could notice: bytes is how many of the service's or the
	// dependency's bytes were withheld or changed, text completes "FAULT bites: ".
	Bite(bytes int, text string)
	// Close ends the whole connection in order behind what was passed (FIN to both sides); Reset ends it with RST. Run must return after it.
	Close()
	Reset()
}

// Settler is a Talk that can be heard out: a Conversation that has begun an answer when the fault is lifted ends it.
type Settler interface {
	// Settle is Next after Next said false because of the lift. It returns false when the connection is gone, and when the fault is on again: then
	// Run is called again, and has to end what is still open.
	Settle() (Direction, Chunk, bool)
}
