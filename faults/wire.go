package faults

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// tlsWire is one side of a Talk as a net.Conn in memory, so that crypto/tls can be used without a goroutine: a Read takes what has come from that side
// and, when nothing has, lets more come or says that it would block.
type tlsWire struct {
	talk Talk
	to   Direction // what is written goes there: Downstream is the service

	in    []byte
	ended bool // the end of the stream has come
	mute  bool // nothing may be written any more

	// more waits until something has come from either side. nil: Read does not wait. An error ends the read.
	more func() error
}

// mostWaiting is how many bytes of one side may wait for the other one.
const mostWaiting = 256 << 10

var errFlooded = errors.New("too many bytes came while the other side was waited for")

// feed takes a chunk that came from the side.
func (w *tlsWire) feed(c Chunk) error {
	if c.Data == nil {
		w.ended = true
		return nil
	}
	if len(w.in)+len(c.Data) > mostWaiting {
		return errFlooded
	}
	w.in = append(w.in, c.Data...)
	return nil
}

// Read gives what has come. crypto/tls goes on after os.ErrDeadlineExceeded, which is a net.Error that is temporary, as soon as the handshake is done.
func (w *tlsWire) Read(p []byte) (int, error) {
	for len(w.in) == 0 {
		switch {
		case w.ended:
			return 0, io.EOF
		case w.more == nil:
			return 0, os.ErrDeadlineExceeded
		}
		if err := w.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.in)
	if w.in = w.in[n:]; len(w.in) == 0 {
		w.in = nil
	}
	return n, nil
}

// Write passes p to the side. It never fails: a Talk does not.
func (w *tlsWire) Write(p []byte) (int, error) {
	if !w.mute && len(p) > 0 {
		w.talk.Pass(w.to, Chunk{Data: slices.Clone(p), At: time.Now()})
	}
	return len(p), nil
}

// end passes the end of the stream to the side.
func (w *tlsWire) end(at time.Time) {
	if !w.mute {
		w.mute = true
		w.talk.Pass(w.to, Chunk{At: at})
	}
}

// Close does nothing: whoever has the Talk ends it.
func (w *tlsWire) Close() error { return nil }

// LocalAddr and RemoteAddr are of nowhere.
func (w *tlsWire) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr is as LocalAddr.
func (w *tlsWire) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline, SetReadDeadline and SetWriteDeadline do nothing: Write never waits, and more knows how long Read may.
func (w *tlsWire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is as SetDeadline.
func (w *tlsWire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is as SetDeadline.
func (w *tlsWire) SetWriteDeadline(time.Time) error { return nil }
