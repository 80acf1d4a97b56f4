package faults

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// termination is how a Talk's TLS is ended.
type termination struct {
	defect defect // of the certificate that is presented
	// protocols are the ALPN names that the reader of the plaintext can speak; nil: whatever service and dependency agree on.
	protocols []string
	// adjust changes the server side, nil: not at all. presents is told that the certificate is about to go out, nil: nobody is.
	adjust   func(*tls.Config, *tls.ClientHelloInfo) error
	presents func()
}

// plainTalk is a Talk in plaintext: to the service it is a TLS server with a certificate of the test authority, to the dependency a TLS client
// that believes everything. The keys are ours and not the other side's, so a connection can't go on without it: when Next says false, Close it.
type plainTalk struct {
	Talk
	o                   termination
	service, dependency tlsSide
	plain               []plainChunk // decrypted and not taken yet
	lost                bool         // the talk is over: Next said false
	failure             error        // why the service's TLS broke after the handshake; nil: it did not
}

type tlsSide struct {
	*tls.Conn
	wire  *tlsWire
	ended bool // its plaintext has ended
}

type plainChunk struct {
	from Direction
	c    Chunk
}

var (
	errOver = errors.New("the fault was lifted or the connection is gone")
	errLate = errors.New("the dependency did not answer in time")
	errMute = errors.New("the server's part was said by hand")
)

// dependencyPatience is how long the dependency may take for its handshake, before the service is served without it.
const dependencyPatience = 5 * time.Second

// terminate ends the TLS of a connection whose service has sent hello: a whole ClientHello, and perhaps more. It speaks with the dependency first,
// as the service's server name and ALPN ask, so that the service is offered what the dependency takes. The error says why the handshake with the
// service failed; the plainTalk is there also then, to be closed.
//
// What the service does while the dependency's handshake runs is kept, within bounds. A dependency that can't be spoken to in TLS (also one
// that wants a client certificate) is noticed by the service when it sends something: the connection is closed then.
func terminate(talk Talk, hello []byte, o termination) (*plainTalk, error) {
	p := &plainTalk{Talk: talk, o: o}
	p.service.wire = &tlsWire{talk: talk, to: Downstream, in: hello, more: func() error { return p.more(time.Time{}) }}
	p.dependency.wire = &tlsWire{talk: talk, to: Upstream}
	// The callback sees the hello before anything is answered, in this goroutine.
	p.service.Conn = tls.Server(p.service.wire, &tls.Config{GetConfigForClient: p.configure, MinVersion: tls.VersionTLS10}) // #nosec G402 -- as the service wants
	err := p.service.Handshake()
	p.service.wire.more, p.dependency.wire.more = nil, nil
	if err != nil {
		return p, err
	}
	// What came meanwhile.
	p.drain(Upstream, time.Now())
	p.drain(Downstream, time.Now())
	return p, nil
}

// inPlain waits for the service's ClientHello and ends its TLS with a sound certificate of the test authority: for a fault that speaks a protocol
// inside TLS. protocols are the ALPN names that the fault knows ("http/1.1"). The service must trust the authority.
//
// speaksTLS false: the connection was passed on untouched up to here and has no TLS, or is over; go on with talk itself. An error: the service did
// not take the handshake, and plain must be closed. Else plain.Next gives what both sides say in plaintext, plain.Pass says something to a side
// (Upstream reaches the dependency over TLS of our own), and plain.Close is the only way out, also when Next says false at the lift.
func inPlain(talk Talk, protocols ...string) (plain *plainTalk, speaksTLS bool, err error) {
	var o opening
	if !o.hello(talk) {
		return nil, false, nil
	}
	plain, err = terminate(talk, o.held, termination{protocols: protocols})
	return plain, true, err
}

// more takes the next chunk and puts it aside for its side.
func (p *plainTalk) more(until time.Time) error {
	var d Direction
	var c Chunk
	var due, ok bool
	if until.IsZero() {
		d, c, ok = p.Talk.Next()
	} else {
		d, c, due, ok = p.Talk.NextUntil(until)
	}
	switch {
	case due:
		return errLate
	case !ok:
		p.lost = true
		return errOver
	}
	return p.side(d).wire.feed(c)
}

// side is the one that d comes from.
func (p *plainTalk) side(d Direction) *tlsSide {
	if d == Upstream {
		return &p.service
	}
	return &p.dependency
}

// configure speaks with the dependency and then decides what the service is offered.
func (p *plainTalk) configure(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	p.meet(hello)
	if p.lost {
		return nil, errOver
	}
	a, err := theAuthority()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS10, SessionTicketsDisabled: true} // #nosec G402 -- the service decides
	who := likeness(hello.ServerName, nil)
	if p.dependency.Conn != nil {
		state := p.dependency.ConnectionState()
		if state.NegotiatedProtocol != "" {
			config.NextProtos = []string{state.NegotiatedProtocol}
		}
		if len(state.PeerCertificates) > 0 {
			who = likeness(hello.ServerName, state.PeerCertificates[0])
		}
	} else if offered := p.offered(hello); len(offered) > 0 {
		config.NextProtos = offered[:1]
	}
	certificate, err := a.issue(p.o.defect, who)
	if err != nil {
		return nil, err
	}
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if p.o.presents != nil {
			p.o.presents()
		}
		return certificate, nil
	}
	if p.o.adjust == nil {
		return config, nil
	}
	if err := p.o.adjust(config, hello); err != nil {
		p.service.wire.mute = errors.Is(err, errMute)
		return nil, err
	}
	return config, nil
}

// offered are the protocols that service and reader both know.
func (p *plainTalk) offered(hello *tls.ClientHelloInfo) []string {
	if p.o.protocols == nil {
		return hello.SupportedProtos
	}
	return slices.DeleteFunc(slices.Clone(hello.SupportedProtos), func(s string) bool { return !slices.Contains(p.o.protocols, s) })
}

// meet begins TLS with the dependency. It believes any certificate: that of the dependency is not what is being tried, and the service's
// trust is in ours.
func (p *plainTalk) meet(hello *tls.ClientHelloInfo) {
	until := time.Now().Add(dependencyPatience)
	p.dependency.wire.more = func() error { return p.more(until) }
	conn := tls.Client(p.dependency.wire, &tls.Config{
		InsecureSkipVerify: true, // #nosec G402 -- see above
		ServerName:         hello.ServerName, NextProtos: p.offered(hello), MinVersion: tls.VersionTLS10,
	})
	if err := conn.Handshake(); err != nil {
		p.dependency.wire.mute = true
		return
	}
	p.dependency.Conn = conn
}

// Next waits for plaintext from either side.
func (p *plainTalk) Next() (Direction, Chunk, bool) {
	d, c, _, ok := p.next(time.Time{})
	return d, c, ok
}

// NextUntil is Next with a time limit.
func (p *plainTalk) NextUntil(t time.Time) (d Direction, c Chunk, due, ok bool) { return p.next(t) }

func (p *plainTalk) next(until time.Time) (d Direction, c Chunk, due, ok bool) {
	for len(p.plain) == 0 {
		if p.lost {
			return 0, Chunk{}, false, false
		}
		if until.IsZero() {
			d, c, ok = p.Talk.Next()
		} else {
			d, c, due, ok = p.Talk.NextUntil(until)
		}
		if due {
			return 0, Chunk{}, true, true
		}
		if !ok {
			p.lost = true
			return 0, Chunk{}, false, false
		}
		if err := p.side(d).wire.feed(c); err != nil {
			p.fail(d, err)
			continue
		}
		p.drain(d, c.At)
	}
	next := p.plain[0]
	p.plain = p.plain[1:]
	return next.from, next.c, false, true
}

// drain decrypts what has come from a side, up to the last whole record.
func (p *plainTalk) drain(d Direction, at time.Time) {
	s := p.side(d)
	if s.Conn == nil { // the dependency that could not be spoken to
		s.wire.in = nil
		if s.wire.ended && !s.ended {
			s.ended = true
			p.plain = append(p.plain, plainChunk{d, Chunk{At: at}})
		}
		return
	}
	for !s.ended {
		buffer := make([]byte, 16<<10)
		n, err := s.Read(buffer)
		if n > 0 {
			p.plain = append(p.plain, plainChunk{d, Chunk{Data: buffer[:n:n], At: at}})
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case errors.Is(err, io.EOF):
			s.ended = true
			p.plain = append(p.plain, plainChunk{d, Chunk{At: at}})
		case err != nil:
			p.fail(d, err)
			return
		}
	}
	s.wire.in = nil // behind the end
}

// fail ends a talk whose TLS from d is broken: there is no way to go on.
func (p *plainTalk) fail(d Direction, err error) {
	p.lost = true
	if d == Upstream {
		p.failure = err
	}
}

// Pass encrypts a chunk and sends it on its way.
func (p *plainTalk) Pass(d Direction, c Chunk) {
	to := &p.service
	if d == Upstream {
		to = &p.dependency
	}
	switch {
	case to.Conn == nil:
		p.lost = true // see terminate
	case c.Data == nil:
		_ = to.CloseWrite()
		to.wire.end(c.At)
	default:
		if _, err := to.Write(c.Data); err != nil { // it was broken before; its reads have said so
			p.lost = true
		}
	}
}

// Close says goodbye to both sides and ends the connection in order.
func (p *plainTalk) Close() {
	for _, s := range []*tlsSide{&p.service, &p.dependency} {
		if s.Conn != nil && s.ConnectionState().HandshakeComplete {
			_ = s.CloseWrite()
		}
	}
	p.Talk.Close()
}
