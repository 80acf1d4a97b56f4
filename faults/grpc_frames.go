package faults

import "golang.org/x/net/http2"

// upFrames treats the client's frames for a grpcTalk: calls that are the fault's are withheld, everything else passes.
type upFrames struct {
	h2Frames
	memory *h2Block

	raw     []byte // of the frame, or of the frames of a header block, while nothing of them has passed
	passed  bool   // a part of them has
	drop    bool   // the frame belongs to a withheld call
	collect bool   // the frame holds a part of a header block
	payload []byte // of that frame
	block   []byte // of the header block so far
	more    bool   // the block goes on in the next frame
	id      uint32 // its stream
	last    bool   // it ends the client's side of the stream
}

// waits says that a frame without payload still has to end.
func (u *upFrames) waits() bool { return u.open && u.left == 0 }

// rests says that nothing is withheld that would be missed.
func (u *upFrames) rests() bool { return u.between() && !u.more }

// release returns what was withheld and is to pass after all.
func (u *upFrames) release() []byte {
	raw := u.raw
	u.raw, u.passed = nil, u.passed || len(raw) > 0
	return raw
}

// take treats the bytes up to the next event and returns how many they are.
func (u *upFrames) take(g *grpcTalk, data []byte) int {
	n, e := u.step(data)
	switch part := data[:n]; {
	case u.drop:
	case g.on && !u.passed:
		u.raw = append(u.raw, part...)
	case n > 0:
		u.passed = true
		g.pass(Upstream, part)
	}
	if e == framed {
		u.begins(g)
		return n
	}
	if u.collect {
		u.payload = append(u.payload, data[:n]...)
	}
	if e == ended {
		u.finishes(g)
	}
	return n
}

// begins decides about a frame when its header is there.
func (u *upFrames) begins(g *grpcTalk) {
	if u.is(http2.FrameHeaders, http2.FrameContinuation) {
		u.collect, u.payload = true, nil
		if u.is(http2.FrameHeaders) {
			u.block, u.id, u.last = nil, u.stream(), u.has(http2.FlagHeadersEndStream)
		}
		if len(u.block)+u.length() > maxBlock {
			g.lose()
		}
		return
	}
	if u.is(http2.FrameSettings) && u.has(http2.FlagSettingsAck) && g.acknowledged() && !u.passed {
		u.drop, u.raw = true, nil // the server has not asked for it
		return
	}
	_, known := g.live[u.stream()]
	if g.withheld && !u.passed && !known && u.stream() != 0 && u.is(http2.FrameData, http2.FrameRSTStream, http2.FrameWindowUpdate) {
		u.drop, u.raw = true, nil // to the server the stream never began
		return
	}
	g.pass(Upstream, u.release())
}

// finishes notes what a complete frame means.
func (u *upFrames) finishes(g *grpcTalk) {
	switch {
	case u.collect:
		part, ok := u.fragment(u.payload)
		u.collect, u.payload = false, nil
		if !ok {
			g.lose()
			return
		}
		u.block = append(u.block, part...)
		if u.more = !u.has(http2.FlagHeadersEndHeaders); u.more {
			return // what is withheld stays so, and what passed has
		}
		u.headers(g)
	case u.is(http2.FrameData):
		if u.drop {
			g.credit += u.length()
		}
		if u.has(http2.FlagDataEndStream) {
			g.clientEnded(u.stream())
		}
	case u.is(http2.FrameRSTStream):
		delete(g.live, u.stream())
		g.clientEnded(u.stream())
	}
	u.raw, u.passed, u.drop = nil, false, false
}

// headers treats a complete header block: a new call, or the end of one.
func (u *upFrames) headers(g *grpcTalk) {
	fields, ok := u.memory.decode(u.block)
	u.block = nil
	if !ok {
		g.lose()
		return
	}
	fresh := u.id > g.last
	g.last = max(g.last, u.id)
	_, known := g.live[u.id]
	switch {
	case g.on && !u.passed && fresh && g.withholds(fields, len(u.raw)):
		g.withheld, g.apart = true, !g.plain
		if !u.last {
			g.ours[u.id] = true
		}
		g.due = append(g.due, unanswered{u.id, u.last})
	case g.withheld && !u.passed && !fresh && !known:
		if u.last {
			g.clientEnded(u.id)
		}
	default:
		if fresh {
			g.live[u.id] = sides{client: true, server: true}
		}
		if u.last {
			g.clientEnded(u.id)
		}
		if g.apart && !u.passed {
			g.pass(Upstream, headersFrames(u.id, literally(fields), u.last))
			return
		}
		g.pass(Upstream, u.release())
	}
}
