package faults

import "encoding/binary"

// pgFrames cuts one direction of a PostgreSQL session into messages. It keeps no more of a message than its head, whose size limit says; the rest
// streams past. What it was only shown (see show) is never passed on a second time.
type pgFrames struct {
	untyped bool           // the next message has no type byte: it begins the session
	limit   func(byte) int // how much of a message of that type is looked at, its type and length included
	valid   func(byte) bool

	held []byte // the head of the message that comes, as far as it is here
	sent int    // how much of held is on the other side already
	rest int    // bytes to come of the message that was decided last
	drop bool   // they are withheld
	lost bool   // this is not what it should be: everything passes untouched
}

// pgLargest is the largest message that a server takes; more is no message.
const pgLargest = 1 << 30

// pgHead is one message, as far as it was looked at. data is only valid during the call that gives it.
type pgHead struct {
	kind byte   // 0: begins the session
	data []byte // behind type and length
	size int    // of the whole message, type and length included
	seen bool   // a part of it is on the other side already: it can't be withheld any more
}

// whole says whether data is all of the message.
func (h pgHead) whole() bool {
	n := 5
	if h.kind == 0 {
		n = 4
	}
	return len(h.data)+n == h.size
}

// pgDecide says what is passed in place of a message; keep: before it.
type pgDecide func(pgHead) (put []byte, keep bool)

// atBorder says whether a message may be put in here.
func (f *pgFrames) atBorder() bool { return !f.lost && f.rest == 0 && len(f.held) == 0 }

// show takes bytes that are on the other side already.
func (f *pgFrames) show(data []byte, decide pgDecide) { f.take(data, true, decide) }

// feed takes bytes and returns what is to be passed on.
func (f *pgFrames) feed(data []byte, decide pgDecide) []byte { return f.take(data, false, decide) }

func (f *pgFrames) take(data []byte, shown bool, decide pgDecide) (out []byte) {
	for len(data) > 0 && !f.lost {
		if f.rest > 0 {
			n := min(f.rest, len(data))
			if !shown && !f.drop {
				out = append(out, data[:n]...)
			}
			f.rest -= n
			data = data[n:]
			continue
		}
		n := min(f.want()-len(f.held), len(data))
		f.held = append(f.held, data[:n]...)
		data = data[n:]
		if shown {
			f.sent = len(f.held)
		}
		if f.refused() {
			break
		}
		if len(f.held) == f.want() {
			out = append(out, f.decided(decide)...)
		}
	}
	if !f.lost {
		return out
	}
	out = append(out, f.unsent()...)
	f.held, f.sent = nil, 0
	if !shown {
		out = append(out, data...)
	}
	return out
}

// prefix is the size of what stands before the data of a message.
func (f *pgFrames) prefix() int {
	if f.untyped {
		return 4
	}
	return 5
}

// size is that of the whole message; its prefix is here.
func (f *pgFrames) size() int {
	p := f.prefix()
	return int(binary.BigEndian.Uint32(f.held[p-4:p])) + p - 4
}

// want is how much of the message must be here before something is decided, or more is known.
func (f *pgFrames) want() int {
	p := f.prefix()
	if len(f.held) < p {
		return p
	}
	if f.untyped {
		return f.size()
	}
	return min(f.size(), max(p, f.limit(f.held[0])))
}

// refused says whether the bytes are no message, and is lost then.
func (f *pgFrames) refused() bool {
	p := f.prefix()
	if !f.untyped && len(f.held) > 0 && !f.valid(f.held[0]) {
		f.lost = true
	}
	if len(f.held) >= p {
		least, most := p, pgLargest
		if f.untyped {
			least, most = 8, pgLargestStart
		}
		f.lost = f.lost || f.size() < least || f.size() > most
	}
	return f.lost
}

// pgLargestStart is the largest message that a server lets begin a session.
const pgLargestStart = 10000

// decided asks for the message whose head is here and returns what of it is to be passed.
func (f *pgFrames) decided(decide pgDecide) []byte {
	h := pgHead{data: f.held[f.prefix():], size: f.size(), seen: f.sent > 0}
	if !f.untyped {
		h.kind = f.held[0]
	}
	held, unsent := len(f.held), f.unsent()
	f.held, f.sent = nil, 0
	f.rest, f.drop = h.size-held, false
	put, keep := decide(h)
	if keep || h.seen {
		return append(put, unsent...)
	}
	f.drop = true
	return put
}

// unsent is what of the head is not on the other side.
func (f *pgFrames) unsent() []byte { return f.held[f.sent:] }

// flush gives the head away, as it is passed on undecided: the fault was lifted, or the stream ends.
func (f *pgFrames) flush() []byte {
	out := append([]byte(nil), f.unsent()...)
	f.sent = len(f.held)
	return out
}

// pgText cuts a text that ends with NUL from data; ok is false when its end is not there.
func pgText(data []byte) (text string, rest []byte, ok bool) {
	for i, b := range data {
		if b == 0 {
			return string(data[:i]), data[i+1:], true
		}
	}
	return string(data), nil, false
}
