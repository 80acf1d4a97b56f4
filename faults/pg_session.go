package faults

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// pgSession follows one connection to PostgreSQL from its first byte on: where messages begin, whether it is encrypted, and what the
// last ReadyForQuery said. It changes nothing.
type pgSession struct {
	up, down pgFrames
	phase    pgPhase
	lost     pgFinder
	status   byte // of the last ReadyForQuery: I, T or E; 0: none yet
	syncs    int  // how many messages were sent that a ReadyForQuery answers
	readies  int  // how many came. Behind COPY there may be fewer: a Sync inside it is not answered
	unsure   bool // some may have been on their way when the place was found: those came too early
}

// pgPhase is how far the session has come.
type pgPhase int

const (
	pgFresh   pgPhase = iota // the client's first message, or the next after a refused encryption, is to come
	pgAsked                  // the client asked for encryption; the server's one byte is to come
	pgOurs                   // the fault itself authenticates
	pgBegun                  // typed messages both ways
	pgForeign                // encrypted, a CancelRequest, or not this protocol: nothing can be said
	pgLost                   // it was open before anybody listened
)

// The codes that stand where a protocol version could.
const (
	pgCancelCode = 80877102
	pgSSLCode    = 80877103
	pgGSSCode    = 80877104
)

func newPGSession(whole bool) *pgSession {
	s := &pgSession{}
	s.up = pgFrames{untyped: true, limit: pgUpLimit, valid: func(b byte) bool { return strings.IndexByte("QPBDECHSXFdcfp", b) >= 0 }}
	s.down = pgFrames{limit: pgDownLimit, valid: func(b byte) bool { return strings.IndexByte("RKSZTDCENAGHW123tnsIVvcd", b) >= 0 }}
	if !whole {
		s.phase, s.up.untyped = pgLost, false
	}
	return s
}

// pgStatementHead is how much of a statement is looked at.
const pgStatementHead = 64 << 10

// pgUpLimit: statements are matched, names of statements and portals are looked up, the rest streams past.
func pgUpLimit(kind byte) int {
	switch kind {
	case 'Q', 'P':
		return pgStatementHead
	case 'B', 'E', 'C', 'p':
		return 2 << 10
	}
	return 5
}

// pgDownLimit: errors are searched, states and command tags read.
func pgDownLimit(kind byte) int {
	switch kind {
	case 'E':
		return 16 << 10
	case 'Z', 'C':
		return 64
	}
	return 5
}

// first is told of the client's message that begins the session, when it is passed on.
func (s *pgSession) first(h pgHead) {
	switch binary.BigEndian.Uint32(h.data) {
	case pgSSLCode, pgGSSCode:
		s.phase = pgAsked
	case pgCancelCode:
		s.phase = pgForeign
	default:
		s.phase, s.up.untyped = pgBegun, false
	}
}

// sent is told of each message of the client that is passed on.
func (s *pgSession) sent(kind byte) {
	if kind == 'Q' || kind == 'S' || kind == 'F' {
		s.syncs++
	}
}

// got is told of each message of the server.
func (s *pgSession) got(h pgHead) {
	if h.kind == 'Z' && len(h.data) == 1 {
		if s.status != 0 {
			s.readies++ // the first one answers nothing
		}
		s.status = h.data[0]
	}
}

// idle says that nothing is under way and the server waits for the client, as far as that can be known.
func (s *pgSession) idle() bool {
	return s.phase == pgBegun && s.status != 0 && s.syncs <= s.readies && s.up.atBorder() && s.down.atBorder()
}

// answered takes the server's one byte about encryption and returns the rest.
func (s *pgSession) answered(data []byte) []byte {
	s.phase = pgForeign
	if data[0] == 'N' {
		s.phase = pgFresh
	}
	return data[1:]
}

// saw follows bytes that pass untouched.
func (s *pgSession) saw(d Direction, data []byte, up, down pgDecide) {
	if s.phase == pgLost && s.lost.found(d, data, s) {
		s.phase, s.status, s.unsure = pgBegun, s.lost.status, true
		return
	}
	for len(data) > 0 {
		switch {
		case s.phase == pgForeign || s.phase == pgLost || s.phase == pgOurs:
			return
		case d == Downstream && s.phase == pgAsked:
			data = s.answered(data)
			continue
		case d == Downstream && s.phase == pgFresh, d == Upstream && s.phase == pgAsked:
			s.phase = pgForeign
			return
		case d == Upstream:
			n := s.step(data)
			s.up.show(data[:n], up)
			data = data[n:]
			s.checked(s.up.lost)
		default:
			s.down.show(data, down)
			s.checked(s.down.lost)
			return
		}
	}
}

// step is how much of data may be taken at once: until the session has begun, each message decides what the next byte means.
func (s *pgSession) step(data []byte) int {
	if s.phase != pgFresh {
		return len(data)
	}
	return min(len(data), max(1, s.up.want()-len(s.up.held)))
}

// checked leaves a session alone in which something is not understood.
func (s *pgSession) checked(lost bool) {
	if lost {
		s.phase = pgForeign
	}
}

// pgFinder finds the way back into a session that was open before anybody listened: the client sends whole messages, in one chunk, that end
// with something to be answered, and is answered by whole messages that end with as many ReadyForQuery. Nothing else will do.
type pgFinder struct {
	open   int // answers that are to come; 0: nothing was asked in a way that helps
	down   pgFrames
	status byte
}

// found looks at a chunk and says whether both directions are at a border now.
func (l *pgFinder) found(d Direction, data []byte, s *pgSession) bool {
	if d == Upstream {
		l.ask(data, s)
		return false
	}
	if l.open == 0 {
		return false
	}
	l.down.show(data, func(h pgHead) ([]byte, bool) {
		if h.kind == 'Z' && len(h.data) == 1 {
			l.open--
			l.status = h.data[0]
		}
		if h.kind == 'G' || h.kind == 'W' {
			l.open = -1 // COPY: the client's next messages are not counted
		}
		return nil, true
	})
	if l.down.lost || l.open < 0 {
		l.open = 0
		return false
	}
	return l.open == 0 && l.down.atBorder()
}

// ask looks at what the client sends.
func (l *pgFinder) ask(data []byte, s *pgSession) {
	busy := l.open > 0
	l.open = 0
	if busy {
		return // the answers of both would be mixed
	}
	f := pgFrames{limit: s.up.limit, valid: s.up.valid}
	asked, last := 0, byte(0)
	f.show(data, func(h pgHead) ([]byte, bool) {
		last = h.kind
		if h.kind == 'Q' || h.kind == 'S' {
			asked++
		}
		return nil, true
	})
	if f.atBorder() && (last == 'S' || last == 'Q' && bytes.HasSuffix(data, []byte{0})) {
		l.open, l.down = asked, pgFrames{limit: s.down.limit, valid: s.down.valid}
	}
}
