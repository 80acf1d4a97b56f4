package faults

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// pgBeginning is how a session begins that the fault answers itself.
type pgBeginning struct {
	exempt bool   // it began while the fault was on, which is for older ones
	nonce  string // of our side of the SCRAM exchange
	salt   string // base64
	asked  bool   // the client was sent the salt
	refuse func() // ends the session; nil: it is not ours
	random *rand.Rand
}

// meet answers the message with which a client begins. The real server never sees it.
func (c *pgConversation) meet(h pgHead) ([]byte, bool) {
	switch code := binary.BigEndian.Uint32(h.data); {
	case code == pgSSLCode || code == pgGSSCode:
		c.pass(Downstream, []byte{'N'})
		return nil, false
	case code>>16 != 3:
		return c.watchUp(h) // a CancelRequest, or what the server knows best to answer
	}
	e, severe := c.error, c.code
	if c.at == "session" {
		refusal, ok := pgRefusal(c.code)
		if !ok {
			c.begin.exempt = true
			return c.watchUp(h)
		}
		e, severe = refusal, "57P03"
	}
	if c.at == "session" || !c.said {
		user, database := pgWho(h.data[4:])
		e.message = pgFill(e.message, map[string]string{"%u": user, "%d": database})
	}
	var before []byte
	if e.authenticated {
		before = encodePG(&pgproto3.AuthenticationOk{})
	}
	size := h.size
	c.begin.refuse = func() {
		c.fatal(append(before, e.encode("FATAL", severe, 0)...), size, "refused a session with "+severe)
	}
	if severe == "28P01" {
		c.askPassword()
	} else {
		c.begin.refuse()
	}
	return nil, false
}

// pgWho reads the names of a StartupMessage. Names are cut as the server does; the database is called as the user if it has no name.
func pgWho(data []byte) (user, database string) {
	for len(data) > 1 {
		key, rest, ok := pgText(data)
		value, rest, ok2 := pgText(rest)
		if !ok || !ok2 {
			break
		}
		switch key {
		case "user":
			user = value
		case "database":
			database = value
		}
		data = rest
	}
	if database == "" {
		database = user
	}
	const longest = 63 // NAMEDATALEN
	return user[:min(len(user), longest)], database[:min(len(database), longest)]
}

// askPassword begins the SCRAM exchange that every password fails.
func (c *pgConversation) askPassword() {
	c.begin.nonce, c.begin.salt = c.begin.text(18), c.begin.text(16)
	c.phase, c.up.untyped = pgOurs, false
	c.pass(Downstream, encodePG(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}))
	c.talk.Bite(0, "asked for a password that it will refuse")
}

// text returns n random bytes in base64.
func (b *pgBeginning) text(n int) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(b.random.UintN(256)) // #nosec G115 -- below 256
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// authenticate goes one step on: the client's nonce is answered, its proof refused.
func (c *pgConversation) authenticate(h pgHead) ([]byte, bool) {
	var first pgproto3.SASLInitialResponse
	if !c.begin.asked && h.kind == 'p' && h.whole() && first.Decode(h.data) == nil && first.AuthMechanism == "SCRAM-SHA-256" {
		if _, nonce, ok := strings.Cut(string(first.Data), ",r="); ok && nonce != "" {
			nonce, _, _ = strings.Cut(nonce, ",")
			c.begin.asked = true
			c.pass(Downstream, encodePG(&pgproto3.AuthenticationSASLContinue{
				Data: []byte("r=" + nonce + c.begin.nonce + ",s=" + c.begin.salt + ",i=4096")}))
			return nil, false
		}
	}
	c.begin.refuse()
	return nil, false
}

// endSession ends a session that was open before the fault came on, as soon as something can be said.
func (c *pgConversation) endSession() {
	if c.ended || c.phase != pgBegun || c.begin.exempt || !c.down.atBorder() {
		return
	}
	switch {
	case c.code == "57P05" && !(c.idle() && c.status == 'I'), c.code == "25P03" && !(c.idle() && c.status != 'I'):
		return
	case c.status == 0:
		// A server that is shut down says nothing to a client that is not authenticated yet.
		c.fatal(nil, 0, "ended a session that was about to begin")
		return
	}
	c.fatal(c.error.ending(c.code), 0, "ended a session with "+c.code)
}
