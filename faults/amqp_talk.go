package faults

import (
	"bytes"
	"time"
)

// amqpTalk follows a connection until it is time to close it.
type amqpTalk struct {
	code    int
	message string
	talk    Talk // nil: the fault is off
	at      time.Time

	hello          amqpHello
	client, server amqpStream
	held           []byte // of the client's frame
	begun          bool   // some of that frame has passed
	opening        bool   // the client is not yet open
	open           bool   // the broker said that it is
	blind          bool   // this is no AMQP 0-9-1: everything passes
	lost           bool   // where the broker's frames begin is not known
}

func newAMQPTalk(code int, message string, whole bool) *amqpTalk {
	a := &amqpTalk{code: code, message: message, opening: whole, open: !whole, lost: !whole}
	a.client.header = len(amqpHeader)
	return a
}

// The broker's own times: how long it keeps silent after a wrong password, and how long it waits for close-ok.
const (
	amqpSilence = 3 * time.Second
	amqpClosing = 30 * time.Second
)

// Sees follows the connection while the fault is off.
func (a *amqpTalk) Sees(d Direction, data []byte) {
	if d == Upstream {
		a.asks(data)
		return
	}
	a.answers(data)
}

// Run closes the connection when the fault is on.
func (a *amqpTalk) Run(talk Talk) {
	a.talk, a.at = talk, time.Now()
	defer func() { a.talk = nil }()
	for {
		if a.code == 320 && a.open && !a.blind && !a.lost && !a.server.inside {
			a.close(0)
			return
		}
		d, c, ok := talk.Next()
		if !ok {
			a.letGo()
			return
		}
		a.at = c.At
		if c.Data == nil {
			if d == Upstream {
				a.letGo()
			}
			talk.Pass(d, c)
			continue
		}
		if d == Downstream {
			a.answers(c.Data)
			continue
		}
		switch method := a.asks(c.Data); method {
		case 0:
		case amqpStartOK:
			a.refuseLogin()
			return
		default:
			a.close(method)
			return
		}
	}
}

// letGo passes what is held of a frame.
func (a *amqpTalk) letGo() {
	a.pass(Upstream, a.held)
	a.begun = a.begun || len(a.held) > 0
	a.held = nil
}

func (a *amqpTalk) pass(d Direction, data []byte) {
	if a.talk != nil && len(data) > 0 {
		a.talk.Pass(d, Chunk{Data: data, At: a.at})
	}
}

// asks treats what the client sends, and returns the method that is refused.
func (a *amqpTalk) asks(data []byte) byte {
	for len(data) > 0 && a.opening && !a.blind {
		n, end, ok := a.client.feed(data)
		piece := data[:n]
		data = data[n:]
		if a.talk == nil || a.begun {
			a.begun = true
			a.pass(Upstream, piece)
		} else {
			a.held = append(a.held, piece...)
		}
		a.blind = !ok
		if !end && ok {
			return 0
		}
		if method, arguments := a.client.method(); end && a.decide(method, arguments) && !a.begun && a.talk != nil {
			return method
		}
		a.letGo()
		a.begun = false
	}
	a.letGo()
	a.pass(Upstream, data)
	return 0
}

// decide notes what a method says, and whether it is the one to be refused.
func (a *amqpTalk) decide(method byte, arguments []byte) bool {
	switch method {
	case amqpStartOK:
		a.hello.startOK(arguments)
		return a.code == 403
	case amqpOpen:
		a.hello.open(arguments)
		a.opening = false
		return a.code == 530 || a.code == 541
	}
	return false
}

// answers treats what the broker sends.
func (a *amqpTalk) answers(data []byte) {
	if a.lost {
		a.pass(Downstream, data)
		a.lost = a.talk == nil || !amqpWhole(data)
		return
	}
	for rest := data; len(rest) > 0 && !a.blind; {
		n, end, ok := a.server.feed(rest)
		rest = rest[n:]
		a.blind = !ok
		if method, _ := a.server.method(); end && method == amqpOpenOK {
			a.open = true
		}
		if a.talk != nil && a.code == 320 && a.open && end && ok {
			a.pass(Downstream, data[:len(data)-len(rest)])
			return // what follows is lost with the connection
		}
	}
	a.pass(Downstream, data)
}

// amqpWhole says whether a chunk surely is made of whole frames.
func amqpWhole(data []byte) bool {
	var s amqpStream
	for len(data) > 0 {
		n, end, ok := s.feed(data)
		if !end || !ok {
			return false
		}
		data = data[n:]
	}
	return true
}

// close tells the client why, waits for its close-ok and ends the connection as RabbitMQ does, with RST.
func (a *amqpTalk) close(method byte) {
	a.talk.Bite(len(a.held), "answers "+amqpCodeName(a.code))
	a.pass(Downstream, amqpCloseFrame(a.code, amqpText(a.code, a.message, a.hello), method))
	ok, tail := amqpFrame(amqpCloseOK, nil), []byte(nil)
	a.dropUntil(time.Now().Add(amqpClosing), func(data []byte) bool {
		tail = append(tail, data...)
		found := bytes.Contains(tail, ok)
		tail = tail[max(0, len(tail)-len(ok)):]
		return found
	})
}

// refuseLogin tells the client that it may not come in, or keeps silent towards one that would not understand.
func (a *amqpTalk) refuseLogin() {
	if a.hello.told {
		a.close(0)
		return
	}
	a.talk.Bite(len(a.held), "does not answer a login")
	a.dropUntil(time.Now().Add(amqpSilence), func([]byte) bool { return false })
}

// dropUntil drops what both sides send until the client has said what ends the connection, has gone, or the time is over.
func (a *amqpTalk) dropUntil(deadline time.Time, last func([]byte) bool) {
	a.held = nil
	for {
		d, c, due, ok := a.talk.NextUntil(deadline)
		if due || !ok || d == Upstream && (c.Data == nil || last(c.Data)) {
			a.talk.Reset()
			return
		}
	}
}
