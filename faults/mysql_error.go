package faults

import (
	"math/rand/v2"
)

// mysqlError is a MySQL or MariaDB server that is up and lets nobody in.
func mysqlError() Kind {
	return Kind{
		Name:      "mysql_error",
		Protocols: []string{"mysql"},
		Doc: "A MySQL or MariaDB server that is up and says no before a session begins, with the bytes of MariaDB 10.11. 1040 (too many connections) and 1129 (host blocked) " +
			"come in place of the greeting, and so without an SQLSTATE. 1045 (access denied), 1049 (unknown database) and 1053 (shutdown in progress) " +
			"answer the client's login: the greeting is the server's own, without its offer of TLS, so that the login can be read, and the login never reaches it. " +
			"Open connections go on, but 1053 closes them without a word: that is what MariaDB does at its shutdown, where it never sent " +
			"1053 when it was tried. Logins that the server never sees count for it as interrupted ones (max_connect_errors), unless they come from 127.0.0.1. " +
			"A connection that was encrypted before the fault came on passes untouched.",
		Client:  "An ERR packet with the number and the server's words where the greeting or the answer to the login would be, then the end of the stream.",
		Example: "{on: mysql, during: database, for: 3s, fault: {mysql_error: 1040}}",
		Params: []Param{
			{Name: "code", Type: TypeEnum, Default: "1040", Enum: []string{"1040", "1045", "1049", "1053", "1129"}, Doc: "The error number."},
			{Name: "message", Type: TypeString, Default: "", Doc: "The message; empty: what the server says under that number."},
		},
		Behave: func(s Spec) Behaviour {
			e := mysqlErrors[s.Text("code")]
			if m := s.Text("message"); m != "" {
				e.message, e.said = m, true
			}
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation { return &mysqlConversation{error: e, open: !whole} }}
		},
	}
}

// mysqlErr is one error; %u is the user, %d the database, %p whether there was a password.
type mysqlErr struct {
	code    uint16
	state   string // SQLSTATE; empty: it comes in place of the greeting, before the client said that it knows states
	message string
	said    bool // the message is the user's
	ends    bool // open connections end
}

var mysqlErrors = map[string]mysqlErr{
	"1040": {code: 1040, message: "Too many connections"},
	"1129": {code: 1129, message: "Host '127.0.0.1' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'"},
	"1045": {code: 1045, state: "28000", message: "Access denied for user '%u'@'localhost' (using password: %p)"},
	"1049": {code: 1049, state: "42000", message: "Unknown database '%d'"},
	"1053": {code: 1053, state: "08S01", message: "Server shutdown in progress", ends: true},
}

// packet returns the ERR packet.
func (e mysqlErr) packet(sequence byte, message string) []byte {
	body := []byte{0xff, byte(e.code), byte(e.code >> 8)} // #nosec G115 -- little endian
	if e.state != "" {
		body = append(append(body, '#'), e.state...)
	}
	body = append(body, message...)
	return append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), sequence}, body...) // #nosec G115 -- little endian
}

// mysqlConversation is mysql_error on one connection.
type mysqlConversation struct {
	error mysqlErr
	open  bool   // the login is over, or cannot be followed: everything passes
	down  []byte // the greeting, as far as it came
	up    []byte // the login, as far as it came
	sent  bool   // part of the greeting is with the client already
	greet bool   // the whole of it is
}

// mysqlMost is the longest greeting or login that is waited for.
const mysqlMost = 64 << 10

// Sees implements Witness.
func (c *mysqlConversation) Sees(d Direction, data []byte) {
	switch {
	case c.open:
	case d == Upstream:
		c.open = true // what the server answers now is the end of the login
		c.up, c.down = nil, nil
	case !c.greet:
		c.sent = true
		c.down = append(c.down, data...)
		if _, rest, ok := mysqlPacket(c.down); ok || len(rest) > mysqlMost {
			c.greet, c.down = true, nil
		}
	}
}

// Run implements Conversation.
func (c *mysqlConversation) Run(talk Talk) {
	if c.open && c.error.ends {
		talk.Bite(0, "closed an open connection for its shutdown")
		talk.Close()
		return
	}
	if !c.open && c.error.state == "" && !c.sent {
		c.end(talk, 0, c.error.message)
		return
	}
	for {
		d, chunk, ok := talk.Next()
		if !ok {
			c.release(talk)
			return
		}
		switch {
		case chunk.Data == nil:
			c.release(talk)
			talk.Pass(d, chunk)
		case c.open || c.error.state == "":
			talk.Pass(d, chunk)
			c.Sees(d, chunk.Data)
		case d == Downstream:
			c.greeted(talk, chunk)
		case c.loggedIn(talk, chunk):
			return
		}
	}
}

// release passes on what is held: the fault was lifted in the middle of a packet, or the stream ends there.
func (c *mysqlConversation) release(talk Talk) {
	if !c.sent && len(c.down) > 0 {
		talk.Pass(Downstream, Chunk{Data: append([]byte(nil), c.down...), At: talk.Began()})
		c.sent = true
	}
	if len(c.up) > 0 {
		talk.Pass(Upstream, Chunk{Data: c.up, At: talk.Began()})
		c.up, c.open = nil, true
	}
}

// greeted passes the server's greeting without its offer of TLS. A greeting of which the client has a part already passes as it is.
func (c *mysqlConversation) greeted(talk Talk, chunk Chunk) {
	if c.sent || c.greet {
		talk.Pass(Downstream, chunk)
		c.Sees(Downstream, chunk.Data)
		return
	}
	c.down = append(c.down, chunk.Data...)
	packet, _, ok := mysqlPacket(c.down)
	switch {
	case ok:
		withoutTLS(packet)
	case len(c.down) <= mysqlMost && mysqlSize(c.down) <= mysqlMost:
		return
	default:
		c.open = true // no greeting of this protocol
	}
	talk.Pass(Downstream, Chunk{Data: c.down, At: chunk.At})
	c.down, c.sent, c.greet = nil, true, true
}

// loggedIn answers the client's login and says whether the connection has ended.
func (c *mysqlConversation) loggedIn(talk Talk, chunk Chunk) bool {
	c.up = append(c.up, chunk.Data...)
	packet, _, ok := mysqlPacket(c.up)
	switch {
	case !ok && len(c.up) <= mysqlMost && mysqlSize(c.up) <= mysqlMost:
		return false
	case ok && c.up[3] == 1:
		if login, ok := readMySQLLogin(packet); ok {
			message := c.error.message
			if !c.error.said {
				message = pgFill(message, map[string]string{"%u": login.user, "%d": login.database, "%p": login.password})
			}
			c.end(talk, len(c.up), message)
			return true
		}
	}
	c.release(talk) // a request for TLS, or nothing of this protocol
	c.open = true
	return false
}

func (c *mysqlConversation) end(talk Talk, bytes int, message string) {
	sequence := byte(0)
	if c.error.state != "" {
		sequence = 2
	}
	talk.Pass(Downstream, Chunk{Data: c.error.packet(sequence, message), At: talk.Began()})
	talk.Bite(bytes, "refused a login with "+message)
	talk.Close()
}
