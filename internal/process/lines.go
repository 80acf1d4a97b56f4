package process

import (
	"bytes"
	"fmt"
	"io"
)

// Stream names one of the two output streams of a service.
type Stream string

// The two output streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// MaxLine is the longest line, in bytes, that is delivered whole. A longer
// one is delivered as its first MaxLine bytes and LineCut as soon as they are
// there; the rest of it is skipped.
const MaxLine = 64 << 10

// LineCut is the mark at the end of a line that was longer than MaxLine.
const LineCut = " ...[line cut at 64 KiB]"

// splitter makes lines of a stream of bytes that arrives in pieces.
type splitter struct {
	deliver func(string)
	partial []byte
	skip    bool // the current line was delivered cut; drop the rest of it
}

// feed takes the next bytes of the stream; b is not kept.
func (s *splitter) feed(b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			s.hold(b)
			return
		}
		switch {
		case s.skip:
			s.skip = false
		case len(s.partial) == 0 && end <= MaxLine:
			s.emit(b[:end])
		default:
			s.hold(b[:end])
			s.flush()
		}
		b = b[end+1:]
	}
}

// hold keeps a piece of an unfinished line, up to MaxLine bytes of it.
func (s *splitter) hold(b []byte) {
	if s.skip {
		return
	}
	room := MaxLine - len(s.partial)
	if len(b) <= room {
		s.partial = append(s.partial, b...)
		return
	}
	s.partial = append(s.partial, b[:room]...)
	s.deliver(string(s.partial) + LineCut)
	s.partial, s.skip = s.partial[:0], true
}

// flush delivers an unfinished line, and ends a skipped one.
func (s *splitter) flush() {
	if !s.skip && len(s.partial) > 0 {
		s.emit(s.partial)
	}
	s.partial, s.skip = s.partial[:0], false
}

// emit delivers one line without the carriage return of a CRLF ending.
func (s *splitter) emit(line []byte) {
	s.deliver(string(bytes.TrimSuffix(line, []byte{'\r'})))
}

// sink is where the raw output goes. The first failure is remembered and ends
// it: the service must not feel a full disk of the observer.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) write(b []byte) {
	if s.w == nil || s.err != nil {
		return
	}
	n, err := s.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.err = fmt.Errorf("keep the service's output (the rest of it is dropped): %w", err)
	}
}
