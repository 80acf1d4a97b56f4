package faults

import "time"

// maxHeld is how much of a request waits for its end, or for the answers before it, before the fault's answer closes the connection.
const maxHeld = 256 << 10

// httpTalk is a Conversation in HTTP/1: some requests are withheld and answered by the fault, the others pass. It is a Witness, so that it
// knows on a live connection which answers are still on their way and where the next request begins. It works through Talk alone: whoever
// has a connection in clear text, for example behind TLS, can run it.
type httpTalk struct {
	mine   func(head) bool                                   // whether the fault answers a request
	say    func(talk Talk, h head, size int, last bool) bool // answers it; true: the connection ends with it
	beyond func(d Direction, data []byte)                    // takes what comes behind an upgrade; nil: it passes

	talk     Talk // nil between two runs
	on       bool // requests are the fault's to answer
	at       time.Time
	up, down http1
	owed     []head // passed and not answered yet, oldest first
	early    int    // answers that were seen before their requests were
	upgraded head   // the request that ended HTTP on this connection

	passing bool   // the request that comes in now passes
	asked   head   // the request that is withheld
	ours    bool   // there is one
	ready   bool   // it can be answered once those before it are
	last    bool   // its answer ends the connection: not all of it was read
	dropped int    // bytes of it that are not in held
	held    []byte // what is withheld, or not decided yet
	later   []byte // what came behind it
	ended   [2]bool
	over    bool // the connection was closed by the fault
}

// newHTTPTalk makes one that passes everything. Without the beginning of the connection it waits for a chunk that begins with a request line.
func newHTTPTalk(whole bool) *httpTalk {
	t := &httpTalk{down: http1{answers: true}}
	if !whole {
		t.up.state, t.down.state = isUnsure, isUnsure
	}
	return t
}

// Sees implements Witness.
func (t *httpTalk) Sees(d Direction, data []byte) {
	if d == Upstream {
		t.fromService(data)
	} else {
		t.fromDependency(data)
	}
}

// Run implements Conversation.
func (t *httpTalk) Run(talk Talk) {
	t.begin(talk)
	defer t.end()
	for !t.over {
		d, c, ok := talk.Next()
		if !ok {
			return
		}
		t.takes(d, c)
	}
}

func (t *httpTalk) begin(talk Talk) { t.talk, t.on = talk, true }

// end passes on what is held, unless the connection was closed.
func (t *httpTalk) end() {
	t.on = false
	t.letGo()
	t.talk = nil
}

// takes treats one chunk.
func (t *httpTalk) takes(d Direction, c Chunk) {
	t.at = c.At
	if c.Data == nil {
		t.ends(d)
	} else {
		t.Sees(d, c.Data)
	}
	for t.ready && len(t.owed) == 0 && (t.down.between() || t.down.state >= isLost) {
		t.answer()
	}
}

// pass sends on what was taken; while the fault is off it has passed already.
func (t *httpTalk) pass(d Direction, data []byte) {
	if t.talk != nil && len(data) > 0 && !t.over {
		t.talk.Pass(d, Chunk{Data: data, At: t.at})
	}
}

func (t *httpTalk) flush() {
	t.pass(Upstream, t.held)
	t.held = nil
}

// fromService follows the requests.
func (t *httpTalk) fromService(data []byte) {
	for len(data) > 0 && !t.over {
		if t.up.state == isTunnel && t.beyond != nil {
			t.beyond(Upstream, data)
			return
		}
		if t.ready {
			t.keep(&t.later, data)
			return
		}
		n, e := t.up.step(data)
		t.part(data[:n])
		data = data[n:]
		if e&headed != 0 {
			t.decide()
		}
		if e&ended != 0 {
			t.ready, t.passing = t.ours, false
		}
	}
}

// part withholds or passes a part of the request that comes in.
func (t *httpTalk) part(data []byte) {
	switch {
	case t.up.state == isLost:
		t.flush()
		t.pass(Upstream, data)
	case !t.on || t.passing || t.up.state >= isTunnel:
		t.passing = t.up.state < isTunnel && (t.passing || !t.up.between())
		t.pass(Upstream, data)
	default:
		t.keep(&t.held, data)
		if t.dropped > 0 {
			t.ready, t.last = true, true
		}
	}
}

// keep remembers withheld bytes as long as there is room.
func (t *httpTalk) keep(where *[]byte, data []byte) {
	if t.dropped > 0 || t.ours && len(t.held)+len(t.later)+len(data) > maxHeld {
		t.dropped += len(data)
		return
	}
	*where = append(*where, data...)
}

// decide says whose a request is, now that its head is there.
func (t *httpTalk) decide() {
	h := t.up.parsed
	if t.on && !t.passing && t.mine != nil && t.mine(h) {
		t.asked, t.ours = h, true
		// Whoever waits for 100 Continue gets the answer at once, and may or may not send the body then: only a new connection is sound.
		t.last = h.waits && !t.up.between()
		t.ready = t.last
		return
	}
	t.owes(h)
	t.flush()
	t.passing = true
}

func (t *httpTalk) owes(h head) {
	if t.early > 0 {
		t.early--
		return
	}
	t.owed = append(t.owed, h)
}

// fromDependency follows the answers. They always pass.
func (t *httpTalk) fromDependency(data []byte) {
	for len(data) > 0 && !t.over {
		if t.down.state == isTunnel && t.beyond != nil {
			t.beyond(Downstream, data)
			return
		}
		if t.down.state == inHead || t.down.state == isUnsure {
			t.down.method = ""
			if len(t.owed) > 0 {
				t.down.method = t.owed[0].method
			}
		}
		n, e := t.down.step(data)
		t.pass(Downstream, data[:n])
		data = data[n:]
		switch {
		case t.down.state == isLost && t.up.state != isLost:
			t.up.state = isLost
			t.letGo()
		case t.down.state == isTunnel && t.up.state != isTunnel:
			if len(t.owed) > 0 {
				t.upgraded = t.owed[0]
			}
			t.up.state, t.owed = isTunnel, nil
			t.letGo()
		case e&ended != 0 && t.down.final:
			t.answered()
		}
	}
}

// answered takes one request off those that are owed an answer.
func (t *httpTalk) answered() {
	if len(t.owed) == 0 {
		t.early++
		return
	}
	if t.owed = t.owed[1:]; len(t.owed) == 0 {
		t.owed = nil
	}
}

// ends treats the end of a direction.
func (t *httpTalk) ends(d Direction) {
	t.ended[d] = true
	switch {
	case d == Downstream && t.ready, d == Upstream && t.ours && !t.ready:
		t.close() // nobody can be answered any more
	case d == Downstream:
		if t.down.state == inRest {
			t.down.state = inHead
			t.answered()
		}
		t.talk.Pass(Downstream, Chunk{At: t.at})
	case !t.ready:
		t.flush()
		t.talk.Pass(Upstream, Chunk{At: t.at})
	}
}

func (t *httpTalk) close() {
	t.over, t.ready = true, false
	t.talk.Close()
}

// answer gives the fault's answer to the withheld request and goes on with what came behind it.
func (t *httpTalk) answer() {
	if t.ended[Downstream] {
		t.close()
		return
	}
	h, size, later := t.asked, len(t.held)+t.dropped, t.later
	last := t.last || h.close || t.dropped > 0
	t.ours, t.ready, t.held, t.later = false, false, nil, nil
	if t.say(t.talk, h, size, last) {
		t.close()
		return
	}
	t.fromService(later)
	if t.ended[Upstream] && !t.ready {
		t.ends(Upstream)
	}
}

// letGo passes on what is withheld: the fault is lifted, or HTTP is over.
func (t *httpTalk) letGo() {
	if t.over || t.talk == nil {
		return
	}
	if t.dropped > 0 {
		t.close() // a part of the request is lost
		return
	}
	waited := t.ready
	if t.ours {
		t.owes(t.asked)
	}
	later := t.later
	t.ours, t.ready, t.last, t.later = false, false, false, nil
	t.passing = t.up.state < isTunnel && !t.up.between()
	t.flush()
	t.fromService(later)
	if waited && t.ended[Upstream] {
		t.talk.Pass(Upstream, Chunk{At: t.at})
	}
}
