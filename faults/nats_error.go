package faults

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"strconv"
)

// natsError is a NATS server that is up and says no.
func natsError() Kind {
	return Kind{
		Name: "nats_error",
		Doc: "A NATS server that is up and says no, and closes the connection. Authorization Violation, Authentication Timeout, Maximum Account Active " +
			"Connections Exceeded and Secure Connection - TLS Required are the answer to CONNECT; Maximum Connections Exceeded comes right behind the server's " +
			"INFO; open connections go on. User Authentication Expired, User Authentication Revoked, Account Authentication Expired, Stale Connection " +
			"and Slow Consumer strike open connections, between two messages: whose credentials have expired meets an Authorization Violation when it " +
			"connects again, and the others are told as soon as they are connected. (The servers of today close a slow consumer, and a client that does not begin with TLS, without a word.) The " +
			"server's own INFO passes. A connection under TLS passes untouched.",
		Client:    "-ERR and the end of the connection. nats.go: `nats: Authorization Violation` from Connect; open connections get `nats: stale connection` and connect again.",
		Example:   "{on: nats, during: services, fault: {nats_error: Authorization Violation}}",
		Protocols: []string{"nats"},
		Params: []Param{
			{Name: "error", Type: TypeEnum, Default: "Authorization Violation", Enum: natsNames(), Doc: "What the server says."},
		},
		Behave: func(s Spec) Behaviour {
			f := natsRefusals()[0]
			for _, r := range natsRefusals() {
				if r.name == s.Text("error") {
					f = r
				}
			}
			return Behaviour{Converse: func(_ *rand.Rand, whole bool) Conversation { return newNatsTalk(f, whole) }}
		},
	}
}

// natsRefusal is one thing that a server says, and when.
type natsRefusal struct {
	name, text string // text: where the server writes it in another way
	again      string // what those meet who connect while the fault is on; empty: the same
	when       natsMoment
}

type natsMoment int

const (
	natsAtConnect natsMoment = iota // the answer to CONNECT
	natsAtOnce                      // behind INFO
	natsOpen                        // on open connections
)

func natsRefusals() []natsRefusal {
	const denied = "Authorization Violation"
	return []natsRefusal{
		{name: denied},
		{name: "Authentication Timeout"},
		{name: "Maximum Connections Exceeded", text: "maximum connections exceeded", when: natsAtOnce},
		{name: "Maximum Account Active Connections Exceeded", text: "maximum account active connections exceeded"},
		{name: "Secure Connection - TLS Required"},
		{name: "User Authentication Expired", again: denied, when: natsOpen},
		{name: "User Authentication Revoked", again: denied, when: natsOpen},
		{name: "Account Authentication Expired", again: denied, when: natsOpen},
		{name: "Stale Connection", when: natsOpen},
		{name: "Slow Consumer", when: natsOpen},
	}
}

func natsNames() []string {
	var names []string
	for _, r := range natsRefusals() {
		names = append(names, r.name)
	}
	return names
}

// natsTalk follows a connection until its time has come.
type natsTalk struct {
	refusal natsRefusal
	talk    Talk // nil: the fault is off
	chunk   Chunk

	client    []byte // the line of the client that has begun, until CONNECT
	begun     bool   // some of it has passed
	connected bool
	blind     bool // TLS, or no NATS: everything passes
	server    natsReply
	lost      bool // where the server's messages begin is not known
	ready     bool // it is connected, and the server has answered
}

func newNatsTalk(r natsRefusal, whole bool) *natsTalk {
	return &natsTalk{refusal: r, lost: !whole, connected: !whole, ready: !whole}
}

// Sees follows the connection while the fault is off.
func (n *natsTalk) Sees(d Direction, data []byte) {
	if d == Upstream {
		n.asks(data)
		return
	}
	n.answers(data)
}

// Run says no while the fault is on.
func (n *natsTalk) Run(talk Talk) {
	n.talk = talk
	defer func() { n.talk = nil }()
	struck := n.ready // it was open before
	for {
		if n.due(struck) {
			n.refuse(n.refusal.name)
			return
		}
		d, c, ok := talk.Next()
		if !ok {
			n.letGo()
			return
		}
		n.chunk = c
		if c.Data == nil {
			if d == Upstream {
				n.letGo()
			}
			talk.Pass(d, c)
			continue
		}
		if d == Upstream && n.asks(c.Data) || d == Downstream && n.answers(c.Data) {
			n.refuse(cmp.Or(n.refusal.again, n.refusal.name))
			return
		}
	}
}

// letGo passes the line that is held.
func (n *natsTalk) letGo() {
	if !n.begun {
		n.pass(Upstream, n.client)
	}
	n.begun = len(n.client) > 0
}

// due says whether it is time to speak without having been asked.
func (n *natsTalk) due(struck bool) bool {
	if n.blind || n.lost || !n.server.between() {
		return false
	}
	switch n.refusal.when {
	case natsAtOnce:
		return n.server.count > 0 && !n.connected
	case natsOpen:
		return n.ready && (struck || n.refusal.again == "")
	}
	return false
}

func (n *natsTalk) refuse(name string) {
	text := name
	if n.refusal.name == name {
		text = cmp.Or(n.refusal.text, name)
	}
	n.talk.Bite(len(n.client), "answers "+name)
	n.talk.Pass(Downstream, Chunk{Data: []byte("-ERR '" + text + "'\r\n"), At: n.chunk.At})
	n.talk.Close()
}

func (n *natsTalk) pass(d Direction, data []byte) {
	if n.talk != nil && len(data) > 0 {
		n.talk.Pass(d, Chunk{Data: bytes.Clone(data), At: n.chunk.At})
	}
}

// asks treats what the client sends, and says whether it is a CONNECT that must be refused.
func (n *natsTalk) asks(data []byte) (refused bool) {
	const longest = 1 << 20 // the server's own limit for a line is far below
	for len(data) > 0 && !n.connected && !n.blind {
		end := bytes.IndexByte(data, '\n') + 1
		line := data[:end]
		if end == 0 {
			line = data
		}
		n.client, data = append(n.client, line...), data[len(line):]
		if n.talk == nil {
			n.begun = true
		}
		if n.begun {
			n.pass(Upstream, line)
		}
		n.blind = n.client[0] == 0x16 || len(n.client) > longest
		if end == 0 && !n.blind {
			return false
		}
		n.connected = len(n.client) > 7 && bytes.EqualFold(n.client[:7], []byte("CONNECT"))
		asked := n.refusal.when == natsAtConnect || n.refusal.when == natsOpen && n.refusal.again != ""
		if n.connected && n.talk != nil && asked && !n.begun {
			return true
		}
		if !n.begun {
			n.pass(Upstream, n.client)
		}
		n.client, n.begun = nil, false
	}
	if n.blind {
		n.letGo()
		n.client = nil
	}
	n.pass(Upstream, data)
	return false
}

// answers treats what the server sends. It is true when a connection whose messages were not known has come to the beginning of one.
func (n *natsTalk) answers(data []byte) (found bool) {
	if n.lost {
		if n.talk != nil && n.refusal.when == natsOpen && natsBegins(data) {
			return true
		}
		n.pass(Downstream, data)
		return false
	}
	for rest := data; len(rest) > 0 && !n.blind; {
		took, ok := n.server.feed(rest)
		n.blind = !ok
		rest = rest[took:]
		if n.server.between() && n.connected {
			n.ready = true
			if n.talk != nil && n.refusal.when == natsOpen && n.refusal.again == "" {
				n.pass(Downstream, data[:len(data)-len(rest)])
				return true // what follows is lost with the connection
			}
		}
	}
	n.pass(Downstream, data)
	return false
}

// natsBegins says whether a chunk begins with a message.
func natsBegins(data []byte) bool {
	for _, verb := range []string{"MSG ", "HMSG ", "PING\r\n", "PONG\r\n", "+OK\r\n", "INFO {"} {
		if bytes.HasPrefix(data, []byte(verb)) {
			return true
		}
	}
	return false
}

// natsReply finds where the server's messages end, in any portions.
type natsReply struct {
	line    []byte
	inside  bool // a message has begun
	payload int  // bytes that are still to come
	count   int  // messages that are complete
}

func (r *natsReply) between() bool { return !r.inside }

// feed takes bytes up to the end of a message.
func (r *natsReply) feed(data []byte) (n int, ok bool) {
	const kept = 8 << 10 // a line with a payload is shorter; INFO may be longer
	r.inside = true
	if r.payload == 0 {
		end := bytes.IndexByte(data, '\n')
		if n = end + 1; end < 0 {
			n = len(data)
		}
		r.line = append(r.line, data[:min(n, kept-min(kept, len(r.line)))]...)
		if end < 0 {
			return n, true
		}
		if r.payload, ok = natsPayload(r.line); !ok {
			return n, false
		}
		r.line = r.line[:0]
	}
	took := min(r.payload, len(data)-n)
	if r.payload -= took; r.payload == 0 {
		r.inside = false
		r.count++
	}
	return n + took, true
}

// natsPayload returns how many bytes follow a line, the line end included.
func natsPayload(line []byte) (n int, ok bool) {
	words := bytes.Fields(line)
	if len(words) == 0 {
		return 0, true
	}
	switch string(bytes.ToUpper(words[0])) {
	case "MSG", "HMSG":
		size, err := strconv.Atoi(string(words[len(words)-1]))
		if err != nil || size < 0 || size > 1<<30 {
			return 0, false
		}
		return size + 2, true
	case "INFO", "PING", "PONG", "+OK", "-ERR":
		return 0, true
	}
	return 0, false
}
