package traffic

import "time"

// Kind says what became of a request.
type Kind string

// The kinds. Unsent and Cut say nothing about the service.
const (
	OK          Kind = "ok"          // answered as the step says
	Refused     Kind = "refused"     // nobody listens: ECONNREFUSED
	Unavailable Kind = "unavailable" // HTTP 503, or gRPC's UNAVAILABLE
	Status      Kind = "status"      // another status than the step says
	Wrong       Kind = "wrong"       // answered, but not what the step says
	Hang        Kind = "hang"        // no whole answer within the step's timeout
	Reset       Kind = "reset"       // the connection was reset
	Closed      Kind = "closed"      // the connection ended before the answer did
	Dropped     Kind = "dropped"     // an accepted WebSocket ended, or said something else, before the expected messages came
	Failed      Kind = "failed"      // in any other way
	Gone        Kind = "gone"        // cut off because the service's process ended
	Unsent      Kind = "unsent"      // the generator could not send it
	Cut         Kind = "cut"         // the trial was over before the answer came
)

// failures are the kinds that count as errors, in the order of reports.
var failures = []Kind{Status, Unavailable, Hang, Reset, Closed, Dropped, Wrong, Refused, Gone, Failed}

// Answer is what became of one request. Times are offsets from the beginning of the load.
type Answer struct {
	Step                 int // index of its step
	Kind                 Kind
	Intended, Sent, Done time.Duration
	Code                 int    // HTTP status, if there was one
	Error                string // what was expected and what came
}

// clean tells whether a client that came too early was told so properly: that it must come again, at once and in an orderly way.
func (k Kind) clean() bool { return k == OK || k == Refused || k == Unavailable || k == Gone }

// connectionLost tells whether the end of the service's process may be the cause.
func (k Kind) connectionLost() bool { return k == Reset || k == Closed || k == Dropped || k == Failed }
