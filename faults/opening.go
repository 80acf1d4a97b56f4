package faults

// opening is the part of a connection before its TLS begins. What a database's protocol says about TLS before it passes, and the dependency answers it.
type opening struct {
	held  []byte      // from the service, not passed on yet
	asked openingKind // an answer of the dependency to this is due
	// refuse answers the question for TLS instead of the dependency; nil: it is not answered for it. passed is how many bytes the question was.
	refuse func(passed int)
}

// hello waits for a whole ClientHello. It returns true when held begins with one, and false, after everything was passed on, when the service
// does not speak TLS here or there is nothing to wait for any more.
func (o *opening) hello(talk Talk) bool {
	for {
		d, c, ok := talk.Next()
		if !ok {
			return o.other(talk)
		}
		if d == Downstream {
			talk.Pass(d, c)
			if o.denied(c) {
				return o.other(talk)
			}
			continue
		}
		o.held = append(o.held, c.Data...)
		if c.Data == nil || len(o.held) > 2*mostHello {
			o.other(talk)
			if c.Data == nil {
				talk.Pass(d, c)
			}
			return false
		}
		switch o.next(talk) {
		case openingHello:
			return true
		case openingOther:
			return o.other(talk)
		}
	}
}

// other passes on what is held.
func (o *opening) other(talk Talk) bool {
	if len(o.held) > 0 {
		talk.Pass(Upstream, Chunk{Data: o.held})
		o.held = nil
	}
	return false
}

// next deals with what is held: questions are passed on, and then it looks again.
func (o *opening) next(talk Talk) openingKind {
	for {
		what, n := recognise(o.held)
		switch {
		case what == openingSSL && o.refuse != nil:
			o.refuse(n)
		case what == openingSSL, what == openingGSS, what == openingMySQL:
			talk.Pass(Upstream, Chunk{Data: o.held[:n:n]})
			o.asked = what
		default:
			return what
		}
		o.held = o.held[n:]
	}
}

// denied says whether what the dependency sent ends all hope for TLS: its end, N to PostgreSQL's question for TLS, G to that for GSSAPI.
func (o *opening) denied(c Chunk) bool {
	if c.Data == nil {
		return true
	}
	asked := o.asked
	o.asked = openingUnclear
	return len(c.Data) > 0 && (asked == openingSSL && c.Data[0] != 'S' || asked == openingGSS && c.Data[0] != 'N')
}

// goOnUntouched passes everything.
func goOnUntouched(talk Talk) {
	for {
		d, c, ok := talk.Next()
		if !ok {
			return
		}
		talk.Pass(d, c)
	}
}
