package faults

import "bytes"

// maxHead is how long the head of an HTTP message may be. Servers refuse longer ones; here they end the understanding.
const maxHead = 64 << 10

// http1 follows one direction of an HTTP/1 connection and says where its messages begin and end. It keeps nothing but the head that it is in.
type http1 struct {
	answers bool   // responses; else requests
	method  string // of the request that the next response is for
	state   http1State
	head    []byte // the head so far; with the event headed: the whole of it
	left    int64  // bytes of the body, or of the chunk, that are to come
	parsed  head
	final   bool // the head was not of an interim response
}

type http1State int

const (
	inHead   http1State = iota // also between two messages
	inBody                     // of a length
	inSize                     // the line before a chunk
	inChunk                    // a chunk and its CRLF
	inTrails                   // the lines behind the last chunk
	inRest                     // a body that ends with the connection
	isTunnel                   // HTTP is over: an upgrade, or CONNECT
	isLost                     // it is no HTTP/1
	isUnsure                   // its beginning was not seen
)

// event is what step came to.
type event int

// The events. headed and ended come together when there is no body.
const (
	headed event = 1 << iota // the head is complete
	ended                    // the message is
)

// between says that no message has begun.
func (p *http1) between() bool { return p.state == inHead && len(p.head) == 0 }

// step takes bytes up to the next event. It always takes all when there is none.
func (p *http1) step(data []byte) (n int, e event) {
	for n < len(data) && e == 0 {
		var used int
		switch p.state {
		case inHead:
			used, e = p.inHead(data[n:])
		case inBody, inChunk:
			used, e = p.counted(data[n:])
		case inSize, inTrails:
			used, e = p.line(data[n:])
		case isUnsure:
			if p.answers && bytes.HasPrefix(data, []byte("HTTP/1.")) || !p.answers && beginsRequest(data) {
				p.state = inHead
				continue
			}
			return len(data), 0
		default:
			return len(data), 0
		}
		n += used
	}
	return n, e
}

// inHead collects a head. Empty lines before it are let through: old clients send one behind a body.
func (p *http1) inHead(data []byte) (n int, e event) {
	if len(p.head) == 0 {
		for n < len(data) && (data[n] == '\r' || data[n] == '\n') {
			n++
		}
		if n == len(data) {
			return n, 0
		}
	}
	seen := max(0, len(p.head)-3)
	before := len(p.head)
	p.head = append(p.head, data[n:min(len(data), n+maxHead+1)]...)
	end := headEnd(p.head, seen)
	if end < 0 {
		if len(p.head) > maxHead || !plausible(p.head, p.answers) {
			p.state, p.head = isLost, nil
		}
		return len(data), 0
	}
	p.head = p.head[:end]
	n += end - before
	var ok bool
	if p.parsed, ok = parseHead(p.head, p.answers); !ok {
		p.state, p.head = isLost, nil
		return len(data), 0
	}
	return n, p.enter()
}

// enter goes from a complete head to what follows it.
func (p *http1) enter() event {
	p.head = p.head[:0]
	if cap(p.head) > 4096 {
		p.head = nil
	}
	h := p.parsed
	p.final = !p.answers || h.status >= 200 || h.status == 101
	p.state = inHead
	switch {
	case p.answers && (h.status == 101 || p.method == "CONNECT" && h.status/100 == 2):
		p.state = isTunnel
	case p.answers && (h.status/100 == 1 || p.method == "HEAD" || h.status == 204 || h.status == 304):
	case h.chunked:
		p.state, p.left = inSize, 0
		return headed
	case h.length > 0:
		p.state, p.left = inBody, h.length
		return headed
	case p.answers && h.length < 0:
		p.state = inRest
		return headed
	}
	return headed | ended
}

// counted passes over bytes whose number is known.
func (p *http1) counted(data []byte) (n int, e event) {
	n = int(min(int64(len(data)), p.left))
	p.left -= int64(n)
	switch {
	case p.left > 0:
	case p.state == inChunk:
		p.state = inSize
	default:
		p.state = inHead
		return n, ended
	}
	return n, 0
}

// line reads the size before a chunk, or a line behind the last one.
func (p *http1) line(data []byte) (n int, e event) {
	n = bytes.IndexByte(data, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(data)
	}
	p.head = append(p.head, data[:min(n, maxHead+1)]...)
	if !whole && len(p.head) <= maxHead {
		return n, 0
	}
	line := bytes.TrimRight(p.head, "\r\n")
	p.head = p.head[:0]
	if p.state == inTrails {
		if len(line) == 0 {
			p.state = inHead
			return n, ended
		}
		return n, 0
	}
	size, ok := chunkSize(line)
	switch {
	case !ok || !whole:
		p.state, p.head = isLost, nil
		return len(data), 0
	case size == 0:
		p.state = inTrails
	default:
		p.state, p.left = inChunk, size+2
	}
	return n, 0
}

// headEnd returns where a head ends, looking from from on; -1: not yet. A bare LF ends a line too, as servers have it.
func headEnd(head []byte, from int) int {
	for i := from; i < len(head); i++ {
		if head[i] != '\n' {
			continue
		}
		if i+1 < len(head) && head[i+1] == '\n' {
			return i + 2
		}
		if i+2 < len(head) && head[i+1] == '\r' && head[i+2] == '\n' {
			return i + 3
		}
	}
	return -1
}
