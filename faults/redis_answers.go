package faults

import "bytes"

// redisReply is what the dependency owes. The zero value is any answer, which the client gets as it is.
type redisReply struct {
	answer string // what the client gets instead; empty: what comes
	name   string // of the refused command for which another stands
	script bool   // the answer of a script that must not write
	opens  bool   // of MULTI
	resets bool   // of RESET
	verb   string // of a subscription, which is answered once for each channel
	left   int    // so many are still to come; -1: nobody knows
	seen   bool   // one of them has come
	times  int    // and so many more of the same
}

func (r redisReply) endless() bool  { return r.left < 0 }
func (r redisReply) replaced() bool { return r.answer != "" || r.script }

// expect notes that the dependency owes an answer.
func (s *redisSession) expect(r redisReply) {
	switch {
	case s.down != redisReads || s.silent:
		return
	case s.skip:
		s.skip = false
		return
	case s.early > 0:
		s.early--
		return
	}
	if n := len(s.queue); n > 0 && r.verb == "" {
		last := s.queue[n-1]
		last.times = 0
		if last == r {
			s.queue[n-1].times++
			return
		}
	}
	s.queue = append(s.queue, r)
}

// drop takes the first of what is owed.
func (s *redisSession) drop() redisReply {
	r := s.queue[0]
	if r.times > 0 {
		s.queue[0].times--
		return r
	}
	s.queue[0] = redisReply{}
	s.queue = s.queue[1:]
	return r
}

// answers treats what the dependency sends.
func (s *redisSession) answers(data []byte) {
	if s.down == redisLost {
		if s.talk != nil {
			s.seek(data)
		}
		return
	}
	for s.down == redisReads {
		if s.replies.between() && len(data) > 0 {
			if s.up == redisBlind && len(s.queue) == 0 {
				s.down = redisBlind
				break
			}
			s.holding = s.talk != nil && (data[0] == '-' || data[0] == '+') && s.special()
		}
		n, event := s.replies.feed(data)
		s.carry(data[:n])
		data = data[n:]
		switch event {
		case respMore:
			return
		case respEnd:
			s.replied()
			s.resume()
		case respBroken:
			s.broken()
		}
	}
	s.emit(Downstream, data)
}

// special says that the next answer may have to be replaced. Such an answer is always a line.
func (s *redisSession) special() bool {
	for _, r := range s.queue {
		if !r.seen {
			return r.replaced()
		}
	}
	return false
}

// carry passes the bytes of an answer, or holds them.
func (s *redisSession) carry(data []byte) {
	if !s.holding {
		s.emit(Downstream, data)
		return
	}
	if s.line = append(s.line, data...); len(s.line) > respLine {
		s.release("")
	}
}

// release ends the holding of an answer: it is passed, or another in its place.
func (s *redisSession) release(answer string) {
	if answer == "" {
		s.emit(Downstream, s.line)
	} else {
		s.tell(answer)
	}
	s.line, s.holding = nil, false
}

// broken gives up when the dependency does not speak the protocol: everything passes.
func (s *redisSession) broken() {
	s.release("")
	s.up, s.down, s.queue = redisBlind, redisBlind, nil
	s.emit(Upstream, s.held)
	s.held = nil
	if s.waiting {
		s.waiting = false
		s.later()
	}
}

// replied finds out to which command a complete message belongs.
func (s *redisSession) replied() {
	r := &s.replies
	if r.kind == '>' || r.kind == '*' && s.unasked() {
		s.notice()
		return
	}
	for len(s.queue) > 0 && s.queue[0].verb != "" && (s.queue[0].seen || r.kind != '-') {
		s.drop() // all its channels have been told
	}
	if len(s.queue) == 0 {
		s.early++
		s.release("")
		return
	}
	owed := s.drop()
	switch answer := owed.answer; {
	case owed.opens && r.kind == '-' && s.tx == txOpen:
		s.tx = txNone
	case owed.resets && r.kind != '-':
		s.subscribed, s.silent = false, false
	case owed.script && s.holding:
		s.instead(s.scriptRefused(string(r.line)))
		return
	case answer != "" && s.holding:
		s.release(s.inWords(answer, owed.name))
		return
	}
	s.release("")
}

// instead tells what a script would have met, if it was stopped.
func (s *redisSession) instead(answer string) {
	if answer != "" {
		s.refuse(len(s.line), "a script")
	}
	s.release(answer)
}

// redisVerbs are the first elements of what comes unasked to a connection that listens, and of the answers to its subscriptions.
var redisVerbs = map[string]bool{
	"message": true, "pmessage": true, "smessage": true,
	"subscribe": true, "psubscribe": true, "ssubscribe": true, "unsubscribe": true, "punsubscribe": true, "sunsubscribe": true,
}

func (s *redisSession) unasked() bool {
	return redisVerbs[string(s.replies.verb)] && (s.subscribed || len(s.queue) > 0 && s.queue[0].verb != "")
}

// notice treats a message of a subscription.
func (s *redisSession) notice() {
	r, verb := &s.replies, string(s.replies.verb)
	switch verb {
	case "subscribe", "psubscribe", "ssubscribe":
		s.subscribed = s.subscribed || r.kind == '*'
	case "unsubscribe", "punsubscribe", "sunsubscribe":
		s.subscribed = s.subscribed && !bytes.HasSuffix(r.tail, []byte(":0\r\n"))
	default:
		return
	}
	for len(s.queue) > 0 && s.queue[0].seen && s.queue[0].verb != verb {
		s.drop()
	}
	if len(s.queue) == 0 || s.queue[0].verb != verb {
		return
	}
	head := &s.queue[0]
	head.seen = true
	if head.left > 0 {
		if head.left--; head.left == 0 {
			s.drop()
		}
	}
}
