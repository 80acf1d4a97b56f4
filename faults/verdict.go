package faults

import (
	"crypto/tls"
	"encoding/binary"
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
	case alertOf(err) != nil:
		v.refused(alertOf(err))
	default:
		v.tell(": the handshake failed: " + err.Error())
	}
}

func (v *verdict) refused(alert error) { v.tell(": the service refused it: " + alert.Error()) }

// alertOf returns the alert of the other side that crypto/tls reports by err; nil: there is none.
func alertOf(err error) error {
	var said *net.OpError
	if errors.As(err, &said) && said.Op == "remote error" {
		return said.Err
	}
	return nil
}

// openAlert finds an alert that a service sends without encryption. OpenSSL does so when it refuses a certificate in TLS 1.3, where crypto/tls
// expects it encrypted.
func openAlert(records []byte) (tls.AlertError, bool) {
	for len(records) > recordHeader {
		n := recordHeader + int(binary.BigEndian.Uint16(records[3:]))
		if records[0] == fatalAlert[0] && n == len(fatalAlert) && len(records) >= n && records[5] == fatalAlert[5] {
			return tls.AlertError(records[6]), true
		}
		records = records[min(n, len(records)):]
	}
	return 0, false
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
	} else if alert, refused := openAlert(c.Data); refused && d == Upstream {
		v.refused(alert)
	}
	return d, c, ok
}
