package faults

import (
	"bytes"
	"strconv"
)

// respReply reads what a server sends, RESP2 and RESP3, in any portions: it finds where each message ends and keeps of it what tells an answer
// from what comes unasked.
type respReply struct {
	kind byte   // the first byte of the message, attributes apart
	line []byte // its first line, cut at respKept
	verb []byte // of an array or a push: its first element if that is a bulk string, cut at respVerb
	tail []byte // its last bytes, at most 4

	begun   bool
	header  []byte
	content int   // bytes of a bulk string that are still to come, line end included
	first   bool  // the bulk string is the verb
	inside  bool  // the first element has begun
	stack   []int // elements that are still to come, by depth
}

const (
	respVerb  = 16
	respDepth = 64
)

// between says that no message has begun.
func (r *respReply) between() bool { return !r.begun }

// feed takes bytes until a message ends, and says how many it took. The fields can be looked at until it is called again.
func (r *respReply) feed(data []byte) (n int, event respEvent) {
	if !r.begun {
		if len(data) == 0 {
			return 0, respMore
		}
		*r = respReply{begun: true, stack: append(r.stack[:0], 1), line: r.line[:0], verb: r.verb[:0], tail: r.tail[:0], header: r.header[:0]}
	}
	event = respMore
	for n < len(data) && event == respMore {
		took, ok := r.step(data[n:])
		r.keep(data[n : n+took])
		n += took
		switch {
		case !ok:
			return n, respBroken
		case len(r.stack) == 0 && r.content == 0:
			r.begun, event = false, respEnd
		}
	}
	return n, event
}

// keep remembers the last bytes.
func (r *respReply) keep(data []byte) {
	r.tail = append(r.tail, data[max(0, len(data)-4):]...)
	if extra := len(r.tail) - 4; extra > 0 {
		r.tail = append(r.tail[:0], r.tail[extra:]...)
	}
}

// step takes at least one byte.
func (r *respReply) step(data []byte) (n int, ok bool) {
	if r.content > 0 {
		n = min(r.content, len(data))
		if r.first && r.content > 2 {
			text := data[:min(n, r.content-2)]
			r.verb = append(r.verb, text[:min(len(text), respVerb-len(r.verb))]...)
		}
		if r.content -= n; r.content == 0 {
			r.first = false
			r.close()
		}
		return n, true
	}
	end := bytes.IndexByte(data, '\n')
	if n = end + 1; end < 0 {
		n = len(data)
	}
	r.header = append(r.header, data[:min(n, max(0, respKept-len(r.header)))]...)
	if !respStarts(r.header[0]) {
		return n, false
	}
	if end < 0 {
		return n, true
	}
	ok = r.element(bytes.TrimRight(r.header, "\r\n"))
	r.header = r.header[:0]
	return n, ok
}

// respStarts says whether a message can begin with that byte.
func respStarts(b byte) bool { return bytes.IndexByte([]byte("+-:_#,($=!*~%>|"), b) >= 0 }

// element treats a complete first line of a value, which may be inside of others.
func (r *respReply) element(line []byte) bool {
	kind, second := line[0], r.kind != 0 && !r.inside
	r.inside = r.kind != 0
	if r.kind == 0 && kind != '|' && len(r.stack) == 1 {
		r.kind, r.line = kind, append(r.line, line...)
	}
	if kind != '|' { // an attribute stands before the value that it describes and is none itself
		r.stack[len(r.stack)-1]--
	}
	switch kind {
	case '$', '=', '!':
		number, err := strconv.Atoi(string(line[1:]))
		if err != nil || number < -1 || number > respBulk {
			return false
		}
		if number >= 0 {
			r.content, r.first = number+2, second && (r.kind == '*' || r.kind == '>')
			return true
		}
	case '*', '~', '>', '%', '|':
		number, err := strconv.Atoi(string(line[1:]))
		if err != nil || number < -1 || number > 1<<30 || len(r.stack) == respDepth {
			return false
		}
		if kind == '%' || kind == '|' {
			number *= 2
		}
		if number > 0 {
			r.stack = append(r.stack, number)
			return true
		}
	}
	r.close()
	return true
}

// close ends the values whose last element has come.
func (r *respReply) close() {
	for len(r.stack) > 0 && r.stack[len(r.stack)-1] == 0 {
		r.stack = r.stack[:len(r.stack)-1]
	}
}
