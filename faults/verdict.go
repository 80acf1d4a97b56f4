package faults

import (
	"errors"
	"io"
	"net"
	"time"
)

// answerPatience is how long a bite waits for the service's answer to what was presented to it.
const answerPatience = time.Second

// verdict is a Talk that bites once for what was presented to the service, and says how the service took it: at its answer, or without one when
// that is late in coming or the fault is lifted before.
type verdict struct {
	Talk
	text  string
	bytes int
	due   time.Time // zero: nothing was presented yet, or it is told
	told  bool
}

func (v *verdict) presented() { v.due = time.Now().Add(answerPatience) }

// tell bites, unless it has, or nothing was presented.
func (v *verdict) tell(how string) {
	if !v.due.IsZero() {
		v.due, v.told = time.Time{}, true
		v.Bite(v.bytes, v.text+how)
	}
}

// failed tells why the TLS with the service ended: nil, or the end of the talk, is no reason.
func (v *verdict) failed(err error) {
	switch {
	case err == nil, v.told, errors.Is(err, errOver):
	case v.due.IsZero(): // it found nothing in common with the server; it must not look as if the fault had done nothing
		v.told = true
		v.Bite(v.bytes, "could not come to terms with the service: "+err.Error())
	case errors.Is(err, io.EOF):
		v.tell(": the service closed the connection")
	case isAlert(err):
		v.tell(": the service refused it: " + err.Error())
	default:
		v.tell(": the handshake failed: " + err.Error())
	}
}

// isAlert says whether err is what the other side said, in crypto/tls.
func isAlert(err error) bool {
	var said *net.OpError
	return errors.As(err, &said) && said.Op == "remote error"
}

// Next is that of the Talk, but does not let the bite wait for ever.
func (v *verdict) Next() (Direction, Chunk, bool) {
	if v.due.IsZero() {
		return v.Talk.Next()
	}
	d, c, due, ok := v.Talk.NextUntil(v.due)
	if due {
		v.tell("")
		return v.Talk.Next()
	}
	if !ok {
		v.tell("")
	}
	return d, c, ok
}
