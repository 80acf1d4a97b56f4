package faults

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// grpcTalk stands in an HTTP/2 connection between a client and the real server. It withholds calls and answers them between two frames of the
// server's. It is a Witness because headers are compressed with a memory of all that came before.
//
// The server's memory misses what withheld headers put into the client's. So with the first of them the client is told to do without (a
// SETTINGS_HEADER_TABLE_SIZE of 0); what it still sends with it is encoded again. Answers never use the memory, so that the one which the client has
// of the server's headers stays true.
type grpcTalk struct {
	code   string
	method *regexp.Regexp
	inTLS  bool   // the lift ends the connection in any case
	status []byte // the answer's header block

	talk    Talk // nil between two runs
	on      bool
	at      time.Time
	preface int  // bytes of the client's preface so far
	foreign bool // it is no HTTP/2
	blind   bool // the beginning was not seen, or what came cannot be understood
	over    bool // closed by the fault
	ended   [2]bool

	up       upFrames
	last     uint32           // the highest stream of the client
	live     map[uint32]sides // streams that the server knows
	apart    bool             // the client uses a memory of headers that the server does not have
	withheld bool             // there was a withheld call
	ours     map[uint32]bool  // withheld calls of which the client may still send something
	asked    bool             // the client was told to do without a memory
	plain    bool             // it does
	acks     []bool           // SETTINGS to the client that it has not acknowledged; true: those of the fault

	down    h2Frames
	held    []byte // of a frame of the server's that is not complete
	through bool   // a part of it has passed already
	block   bool   // a header block of the server's is not complete
	greeted bool   // the server's SETTINGS have passed
	due     []unanswered
	credit  int    // bytes of withheld DATA, to be given back to the connection's window
	out     []byte // frames to the client, for the next boundary
}

// sides says who may still send on a stream.
type sides struct{ client, server bool }

// unanswered is a withheld call.
type unanswered struct {
	stream uint32
	whole  bool // the client has sent all of it
}

func newGRPCTalk(s Spec, whole bool) *grpcTalk {
	return &grpcTalk{
		code: s.Text("code"), method: expression(s.Text("method")), inTLS: s.Bool("tls"), status: literally(grpcStatus(s.Text("code"), s.Text("message"))),
		blind: !whole, live: map[uint32]sides{}, ours: map[uint32]bool{}, up: upFrames{memory: newH2Block()},
	}
}

// Sees implements Witness.
func (g *grpcTalk) Sees(d Direction, data []byte) {
	switch {
	case g.blind || g.foreign:
		g.pass(d, data)
	case d == Upstream:
		g.fromService(data)
	default:
		g.fromDependency(data)
	}
}

// Run implements Conversation.
func (g *grpcTalk) Run(talk Talk) {
	g.talk, g.on = talk, true
	defer g.end()
	for !g.over {
		if g.blind {
			talk.Bite(0, "closed a connection whose beginning was not seen")
			g.close()
			return
		}
		d, c, ok := talk.Next()
		if !ok {
			return
		}
		g.at = c.At
		if c.Data == nil {
			g.ends(d)
			continue
		}
		g.Sees(d, c.Data)
		g.answer()
	}
}

// ends passes on the end of a direction, and what cannot become complete any more.
func (g *grpcTalk) ends(d Direction) {
	g.ended[d] = true
	if d == Upstream {
		g.pass(Upstream, g.up.release())
	} else {
		g.pass(Downstream, g.held)
		g.held = nil
	}
	g.talk.Pass(d, Chunk{At: g.at})
}

func (g *grpcTalk) pass(d Direction, data []byte) {
	if g.talk != nil && len(data) > 0 && !g.over && (d == Upstream || !g.ended[Downstream]) {
		g.talk.Pass(d, Chunk{Data: data, At: g.at})
	}
}

func (g *grpcTalk) close() {
	g.over = true
	g.talk.Close()
}

// lose gives the connection up: its headers cannot be followed any more.
func (g *grpcTalk) lose() {
	g.blind = true
	g.letGo()
}

// letGo passes on what is withheld of frames.
func (g *grpcTalk) letGo() {
	g.pass(Upstream, g.up.release())
	g.pass(Downstream, g.held)
	g.held = nil
}

// fromService takes what the client sends.
func (g *grpcTalk) fromService(data []byte) {
	if g.preface < len(http2.ClientPreface) {
		n := min(len(data), len(http2.ClientPreface)-g.preface)
		if string(data[:n]) != http2.ClientPreface[g.preface:g.preface+n] {
			g.foreign = true
			g.letGo()
			g.pass(Upstream, data)
			return
		}
		g.preface += n
		g.pass(Upstream, data[:n])
		data = data[n:]
	}
	for (len(data) > 0 || g.up.waits()) && !g.over {
		if g.blind {
			g.pass(Upstream, data)
			return
		}
		data = data[g.up.take(g, data):]
	}
}

// withholds says whether a call is the fault's, and tells of it. size is the number of its bytes.
func (g *grpcTalk) withholds(fields []hpack.HeaderField, size int) bool {
	grpc, path := false, ""
	for _, f := range fields {
		switch f.Name {
		case "content-type":
			kind, _, _ := strings.Cut(strings.ReplaceAll(f.Value, "+", ";"), ";")
			grpc = kind == "application/grpc"
		case ":path":
			path = f.Value
		}
	}
	if !grpc || !g.method.MatchString(path) {
		return false
	}
	g.talk.Bite(size, "answered "+shown(path)+" with "+g.code)
	return true
}

// clientEnded notes that the client has sent all of a stream.
func (g *grpcTalk) clientEnded(stream uint32) {
	g.halfClose(stream, Upstream)
	delete(g.ours, stream)
	for i := range g.due {
		if g.due[i].stream == stream {
			g.due[i].whole = true
		}
	}
}

// fromDependency takes what the server sends. While the fault is on frames pass whole, so that there is always a place for an answer.
func (g *grpcTalk) fromDependency(data []byte) {
	for (len(data) > 0 || g.down.open && g.down.left == 0) && !g.over {
		if g.foreign {
			g.pass(Downstream, data)
			return
		}
		n, e := g.down.step(data)
		g.tell(data[:n])
		data = data[n:]
		if e == framed && !g.greeted && !g.down.is(http2.FrameSettings) {
			g.foreign = true // a server that begins otherwise speaks no HTTP/2
			g.letGo()
		}
		if e == ended {
			g.tracks()
			if !g.block {
				g.pass(Downstream, g.held)
				g.held, g.through = nil, false
				g.greeted = true
				g.inject()
			}
		}
	}
}

// tell passes or holds a part of a frame of the server's.
func (g *grpcTalk) tell(data []byte) {
	if g.on && !g.through && len(g.held)+len(data) <= maxBlock {
		g.held = append(g.held, data...)
		return
	}
	g.through = true
	g.pass(Downstream, g.held)
	g.held = nil
	g.pass(Downstream, data)
}

// tracks notes what a complete frame of the server's means.
func (g *grpcTalk) tracks() {
	f := &g.down
	if f.is(http2.FrameHeaders, http2.FrameContinuation, http2.FramePushPromise) {
		g.block = !f.has(http2.FlagHeadersEndHeaders)
	}
	if f.is(http2.FrameSettings) && !f.has(http2.FlagSettingsAck) {
		g.acks = append(g.acks, false)
	}
	if f.is(http2.FrameRSTStream) {
		delete(g.live, f.stream())
	}
	if f.is(http2.FrameHeaders, http2.FrameData) && f.has(http2.FlagDataEndStream) {
		g.halfClose(f.stream(), Downstream)
	}
}

// acknowledged notes that the client follows the oldest SETTINGS that it had not acknowledged, and says whether they were the fault's.
func (g *grpcTalk) acknowledged() bool {
	if len(g.acks) == 0 {
		return false
	}
	mine := g.acks[0]
	g.acks = g.acks[1:]
	if mine {
		g.plain, g.apart = true, false
	}
	return mine
}

// halfClose notes that one side has sent all of a stream.
func (g *grpcTalk) halfClose(stream uint32, d Direction) {
	s, ok := g.live[stream]
	if !ok {
		return
	}
	if d == Upstream {
		s.client = false
	} else {
		s.server = false
	}
	if g.live[stream] = s; !s.client && !s.server {
		delete(g.live, stream)
	}
}

// answer makes the frames for what was withheld, and sends them if this is the place.
func (g *grpcTalk) answer() {
	if len(g.due) == 0 && g.credit == 0 {
		return
	}
	var out bytes.Buffer
	framer := http2.NewFramer(&out, nil)
	for _, u := range g.due {
		out.Write(headersFrames(u.stream, g.status, true))
		if !u.whole {
			_ = framer.WriteRSTStream(u.stream, http2.ErrCodeNo) // the rest need not be sent (RFC 9113, 8.1)
		}
	}
	if g.credit > 0 {
		_ = framer.WriteWindowUpdate(0, uint32(g.credit)) // #nosec G115 -- no more than the window of 31 bits
	}
	g.due, g.credit = nil, 0
	g.out = append(g.out, out.Bytes()...)
	g.inject()
}

// boundary says whether frames to the client may be put in here.
func (g *grpcTalk) boundary() bool {
	return g.greeted && !g.through && (g.down.between() || len(g.held) > 0)
}

func (g *grpcTalk) inject() {
	if !g.boundary() || g.talk == nil || len(g.out) == 0 {
		return
	}
	if !g.asked {
		var out bytes.Buffer
		_ = http2.NewFramer(&out, nil).WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0})
		g.asked, g.acks = true, append(g.acks, true)
		g.pass(Downstream, out.Bytes())
	}
	g.pass(Downstream, g.out)
	g.out = nil
}

// even says that the connection can be left as it is: nothing of the fault's is still to come from the client or to go to it.
func (g *grpcTalk) even() bool {
	return len(g.ours) == 0 && len(g.out) == 0 && !slices.Contains(g.acks, true)
}

// end leaves the connection when the fault is lifted: as it was, or with a GOAWAY.
func (g *grpcTalk) end() {
	defer func() { g.talk = nil }()
	g.on = false
	if g.over {
		return
	}
	g.answer()
	if g.even() && !g.up.drop && !g.inTLS {
		g.pass(Upstream, g.up.release())
		g.pass(Downstream, g.held)
		g.through, g.held = g.through || len(g.held) > 0, nil
		return
	}
	boundary := g.boundary()
	if boundary {
		var out bytes.Buffer
		_ = http2.NewFramer(&out, nil).WriteGoAway(g.last, http2.ErrCodeNo, nil)
		g.pass(Downstream, out.Bytes())
	}
	if !boundary || g.inTLS || len(g.live) == 0 || !g.up.rests() {
		g.close()
		return
	}
	g.pass(Downstream, g.held)
	g.through, g.held = len(g.held) > 0, nil
}
