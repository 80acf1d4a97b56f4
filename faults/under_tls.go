package faults

// underTLS is a Conversation inside the TLS of a connection, which is ended with a sound certificate of the test authority. Only who sees the
// ClientHello can do that: connections that were open before, and those without TLS, pass untouched. The keys are the proxy's, so a connection
// that it has spoken in ends with the lift.
type underTLS struct {
	protocol  string // its ALPN name
	inside    func() Conversation
	untouched bool
}

// orUnderTLS makes the conversation of a kind with the parameter tls.
func orUnderTLS(s Spec, whole bool, protocol string, in func(whole bool) Conversation) Conversation {
	if !s.Bool("tls") {
		return in(whole)
	}
	return &underTLS{protocol: protocol, untouched: !whole, inside: func() Conversation { return in(true) }}
}

// tlsParam is the parameter that underTLS is asked for with.
func tlsParam() Param {
	return Param{Name: "tls", Type: TypeBool, Default: false, Doc: "Speak inside TLS, with a certificate of the test authority (`${ca.file}`; of chaos proxy: --ca-file), which the service must trust. It is for " +
		"new connections, and the lift closes those; what was open before and what has no TLS passes untouched."}
}

// Run implements Conversation.
func (u *underTLS) Run(talk Talk) {
	if u.untouched {
		goOnUntouched(talk)
		return
	}
	u.untouched = true
	plain, speaksTLS, err := inPlain(talk, u.protocol)
	if !speaksTLS {
		goOnUntouched(talk)
		return
	}
	once := &onceClosed{plainTalk: plain}
	if err == nil {
		u.inside().Run(once)
	}
	if !once.closed {
		plain.Close()
	}
}

// onceClosed remembers that a talk was closed.
type onceClosed struct {
	*plainTalk
	closed bool
}

func (o *onceClosed) Close() { o.closed = true; o.plainTalk.Close() }
func (o *onceClosed) Reset() { o.closed = true; o.plainTalk.Reset() }
