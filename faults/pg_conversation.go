package faults

import (
	"bytes"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pgConversation is postgres_error on one connection.
type pgConversation struct {
	pgPlan
	*pgSession
	token string // with which the names of statements begin that cannot be parsed

	lifted  bool
	ended   bool
	last    string // why the session ends behind what is passed now
	struck  int
	pending map[string]*pgStrike // whose errors are to come, by the name that will be in them
	commits int                  // pending ones that are COMMIT
	held    []byte               // a CommandComplete that may have to be withheld
	doomed  pgDoomed
	begin   pgBeginning
	talk    Talk // during Run
}

// Sees implements Witness.
func (c *pgConversation) Sees(d Direction, data []byte) {
	c.saw(d, data, c.watchUp, c.watchDown)
}

// Run implements Conversation.
func (c *pgConversation) Run(talk Talk) {
	c.talk, c.lifted, c.begin.exempt = talk, false, false
	defer func() { c.talk = nil }()
	if c.at == "session" {
		c.endSession()
	}
	for !c.ended {
		d, chunk, ok := talk.Next()
		if !ok {
			break
		}
		c.take(d, chunk)
	}
	if !c.ended {
		c.lift()
	}
}

// lift ends what was begun: what is held is passed on, and what was struck is still answered.
func (c *pgConversation) lift() {
	c.lifted = true
	if c.begin.refuse != nil {
		c.begin.refuse()
		return
	}
	c.pass(Upstream, c.up.flush())
	if !c.owes() {
		c.pass(Downstream, c.down.flush()) // else its end may be an answer that is awaited
	}
	settler, settles := c.talk.(Settler)
	for settles && !c.ended && c.owes() {
		d, chunk, ok := settler.Settle()
		if !ok {
			return // it goes on in the next run
		}
		c.take(d, chunk)
	}
	c.pass(Downstream, append(c.held, c.down.flush()...))
	c.held = nil
	if !c.ended && c.up.drop && c.up.rest > 0 {
		c.talk.Reset() // half of a statement would reach the server
		c.ended = true
	}
}

// owes says whether something was begun that is not ended.
func (c *pgConversation) owes() bool {
	return len(c.pending) > 0 || c.up.drop && c.up.rest > 0
}

func (c *pgConversation) frames(d Direction) *pgFrames {
	if d == Upstream {
		return &c.up
	}
	return &c.down
}

// take treats one chunk.
func (c *pgConversation) take(d Direction, chunk Chunk) {
	if chunk.Data == nil {
		if d == Downstream {
			c.pass(d, c.held)
			c.held = nil
		}
		c.pass(d, c.frames(d).flush())
		c.talk.Pass(d, chunk)
		return
	}
	chunk.Data = c.treat(d, chunk.Data)
	if len(chunk.Data) > 0 && !c.ended {
		c.talk.Pass(d, chunk)
	}
	switch {
	case c.last != "" && !c.ended:
		c.fatal(nil, 0, c.last)
	case c.at == "session" && !c.lifted:
		c.endSession()
	}
}

// treat returns what is to be passed of a chunk.
func (c *pgConversation) treat(d Direction, data []byte) (out []byte) {
	for len(data) > 0 && !c.ended {
		switch {
		case c.phase == pgForeign:
			return append(out, data...)
		case c.phase == pgLost:
			c.saw(d, data, c.watchUp, c.watchDown)
			return append(out, data...)
		case d == Downstream && c.phase == pgAsked:
			out = append(out, data[0])
			data = c.answered(data)
		case d == Downstream && c.phase == pgFresh, d == Upstream && c.phase == pgAsked:
			c.phase = pgForeign
		case d == Downstream && c.phase == pgOurs:
			return nil // nobody asked the server
		case d == Upstream:
			n := c.step(data)
			out = append(out, c.up.feed(data[:n], c.decideUp)...)
			data = data[n:]
			c.checked(c.up.lost)
		default:
			out = append(out, c.down.feed(data, c.decideDown)...)
			c.checked(c.down.lost)
			data = nil
		}
	}
	return out
}

// pass passes bytes on, if there are any.
func (c *pgConversation) pass(d Direction, data []byte) {
	if len(data) > 0 && !c.ended {
		c.talk.Pass(d, Chunk{Data: data, At: c.talk.Began()})
	}
}

// watchUp follows a message of the client that passes.
func (c *pgConversation) watchUp(h pgHead) ([]byte, bool) {
	if h.kind == 0 {
		c.first(h)
		return nil, true
	}
	c.sent(h.kind)
	c.doomed.note(h, c.pgPlan)
	return nil, true
}

// watchDown follows a message of the server that passes.
func (c *pgConversation) watchDown(h pgHead) ([]byte, bool) {
	c.got(h)
	return nil, true
}

// decideUp says what reaches the server instead of a message of the client.
func (c *pgConversation) decideUp(h pgHead) ([]byte, bool) {
	switch {
	case c.phase == pgOurs:
		return c.authenticate(h)
	case h.kind == 0 && !h.seen && !c.lifted && c.at != "statement":
		return c.meet(h)
	case h.kind == 0 || c.at != "statement" || c.lifted || h.seen:
		return c.watchUp(h)
	}
	_, _ = c.watchUp(h)
	k, message := c.doomed.strike(h, c.pgPlan)
	if k == nil {
		return nil, true
	}
	name := c.token + strconv.Itoa(c.struck)
	c.struck++
	k.from, k.bytes, k.group = h.kind, h.size, c.syncs
	if h.kind == 'Q' {
		k.group--
	}
	if c.pending == nil {
		c.pending = map[string]*pgStrike{}
	}
	c.pending[name] = k
	switch {
	case k.commit:
		c.commits++
		return encodePG(&pgproto3.Query{String: `ROLLBACK; SELECT "` + name + `"`}), false
	case h.kind == 'Q':
		return encodePG(&pgproto3.Query{String: name}), false
	}
	return encodePG(&pgproto3.Parse{Name: message, Query: name}), false
}

// decideDown says what reaches the client instead of a message of the server.
func (c *pgConversation) decideDown(h pgHead) ([]byte, bool) {
	defer c.got(h)
	if c.last != "" {
		return nil, false
	}
	if len(c.pending) == 0 {
		return nil, true
	}
	held := c.held
	c.held = nil
	switch {
	case h.kind == 'E' && !h.seen:
		if name, k := c.pendingIn(h.data); k != nil {
			return c.answer(name, k, held), false
		}
	case h.kind == 'C' && !h.seen && c.commits > 0 && h.whole() && string(h.data) == "ROLLBACK\x00":
		c.held = append(append([]byte(nil), held...), encodePG(&pgproto3.CommandComplete{CommandTag: []byte("ROLLBACK")})...)
		return nil, false
	case h.kind == 'Z':
		c.forget()
	}
	return held, true
}

// pendingIn finds the strike whose name an error has in its text.
func (c *pgConversation) pendingIn(data []byte) (string, *pgStrike) {
	at := bytes.Index(data, []byte(c.token))
	if at < 0 {
		return "", nil
	}
	end := at + len(c.token)
	for end < len(data) && '0' <= data[end] && data[end] <= '9' {
		end++
	}
	name := string(data[at:end])
	return name, c.pending[name]
}

// answer is what the client gets for a struck statement. held is the CommandComplete of the ROLLBACK that a COMMIT became.
func (c *pgConversation) answer(name string, k *pgStrike, held []byte) []byte {
	c.drop(name, k)
	c.readies, c.unsure = k.group, false // a Sync that COPY swallowed was counted in vain
	if c.status == 'E' {
		if k.commit {
			return held // the transaction was aborted already: that is what COMMIT says then
		}
		return pgAborted(k.from)
	}
	if pgSessionCodes[c.code] {
		c.last = "ended a session at a statement with " + c.code
		return k.error.ending(c.code)
	}
	c.talk.Bite(k.bytes, "failed a statement with "+c.code)
	return k.error.encode("ERROR", c.code, k.position)
}

func (c *pgConversation) drop(name string, k *pgStrike) {
	delete(c.pending, name)
	if k.commit {
		c.commits--
	}
}

// forget drops the strikes that the server skipped, as something before them failed for real. The ReadyForQuery of their group is here.
func (c *pgConversation) forget() {
	for name, k := range c.pending {
		if k.group <= c.readies && !c.unsure {
			c.drop(name, k)
		}
	}
}

// fatal says the last word of a session.
func (c *pgConversation) fatal(message []byte, bytes int, text string) {
	c.pass(Downstream, message)
	c.talk.Bite(bytes, text)
	c.talk.Close()
	c.ended = true
}

// pgAborted is what a server says in a transaction that has failed.
func pgAborted(from byte) []byte {
	e := pgError{message: "current transaction is aborted, commands ignored until end of transaction block", file: "postgres.c"}
	switch from {
	case 'P':
		e.line, e.routine = 1439, "exec_parse_message"
	case 'B':
		e.line, e.routine = 1691, "exec_bind_message"
	default: // a portal does not outlive the failure, so that no Execute comes this far
		e.line, e.routine = 1081, "exec_simple_query"
	}
	return e.encode("ERROR", "25P02", 0)
}
