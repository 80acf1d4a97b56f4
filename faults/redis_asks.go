package faults

import (
	"bytes"
	"slices"
	"strings"
	"time"
)

// asks treats what the client sends.
func (s *redisSession) asks(data []byte) {
	if s.waiting {
		s.backlog = append(s.backlog, data...)
		if len(s.backlog) > redisBacklog {
			s.force()
		}
		return
	}
	if s.up == redisLost && s.begins(data) {
		s.up = redisReads
	}
	for s.up == redisReads {
		if s.requests.between() && len(data) > 0 {
			s.doing = redisUndecided
			if s.talk == nil || s.lifted {
				s.doing = redisPasses
			}
		}
		n, event := s.requests.feed(data)
		s.take(data[:n])
		data = data[n:]
		switch event {
		case respMore:
			return
		case respKnown:
			s.decide()
		case respEnd:
			s.complete()
		case respBroken: // the dependency says so
			s.emit(Upstream, s.held)
			s.held, s.up = nil, redisBlind
		}
		if s.waiting {
			s.backlog = append(s.backlog, data...)
			return
		}
	}
	s.emit(Upstream, data)
}

// begins says whether a chunk surely begins with a command: only the first bytes of one that is known look like that.
func (s *redisSession) begins(data []byte) bool {
	if s.talk == nil || s.lifted || data == nil || data[0] != '*' {
		return false
	}
	r := respRequest{wanted: func([][]byte) int { return 1 }}
	_, event := r.feed(data)
	return event == respKnown && lookRedis(r.words[:1]).known
}

// take keeps the bytes of a command until it is decided what becomes of it.
func (s *redisSession) take(data []byte) {
	if s.doing == redisPasses {
		s.emit(Upstream, data)
		return
	}
	s.held = append(s.held, data...)
	if len(s.held) <= redisHeld {
		return
	}
	if s.doing == redisUndecided {
		s.requests.told = true
		s.decide()
	}
	if s.doing == redisRefuses {
		s.long()
	}
}

// decide is called once for each command, when enough words are known.
func (s *redisSession) decide() {
	s.verdict, s.command = redisVerdict{}, redisCommand{}
	if len(s.requests.words) > 0 {
		s.command = lookRedis(s.requests.words)
	}
	if s.doing == redisUndecided {
		s.verdict = s.judge(s.command)
	}
	if s.verdict.refuses() {
		s.doing = redisRefuses
		return
	}
	s.pass(s.verdict)
}

// pass lets a command, or what stands in its place, reach the dependency.
func (s *redisSession) pass(v redisVerdict) {
	held := s.held
	s.held = nil
	if v.answer != "" {
		s.refuse(len(held), s.command.name)
	}
	switch {
	case v.send != nil:
		held = v.send
	case v.script != "":
		held = s.renamed(held, v.script)
	}
	s.emit(Upstream, held)
	s.doing = redisPasses
	s.follow(v)
}

// renamed returns the bytes of a command under another name.
func (s *redisSession) renamed(held []byte, to string) []byte {
	r := &s.requests
	if r.inline {
		return respCommand(append([][]byte{[]byte(to)}, r.words[1:]...)...)
	}
	name := bytes.TrimPrefix(respCommand([]byte(to)), []byte("*1\r\n"))
	return slices.Concat(held[:r.name[0]], name, held[r.name[1]:])
}

// complete treats the end of a command.
func (s *redisSession) complete() {
	switch {
	case s.requests.count == 0:
		s.emit(Upstream, s.held)
		s.held = nil
	case s.doing == redisRefuses:
		s.answer()
	}
	s.doing = redisUndecided
}

// answer refuses a complete command, now or when its turn comes.
func (s *redisSession) answer() {
	s.refuse(len(s.held), s.command.name)
	s.forced = s.forced && !s.quiet()
	switch {
	case s.ended[Downstream]:
		s.held = nil
	case s.down == redisLost:
		s.waiting, s.marked = true, time.Now()
		s.strays = append(s.strays, redisStray{s.mark, s.verdict.answer})
		s.emit(Upstream, respCommand(s.mark))
	case s.tx != txNone || s.forced || s.skip || slices.ContainsFunc(s.queue, redisReply.endless):
		s.stand() // also for the dependency the next answer is the one to be skipped
	case s.silent:
		s.held = nil
	case s.quiet():
		s.held = nil
		s.tell(s.inWords(s.verdict.answer, s.command.name))
	default:
		s.waiting = true
	}
}

// stand sends a command that fails in the place of the refused one.
func (s *redisSession) stand() {
	s.held = nil
	s.emit(Upstream, respCommand(s.mark))
	s.expect(redisReply{answer: s.verdict.answer, name: s.command.name})
}

// long does the same for a command that is too long to be held: its words follow.
func (s *redisSession) long() {
	if s.down == redisLost || s.requests.whole == 0 {
		s.pass(redisVerdict{})
		return
	}
	s.refuse(len(s.held), s.command.name)
	s.emit(Upstream, s.renamed(s.held, string(s.mark)))
	s.held, s.doing = nil, redisPasses
	s.expect(redisReply{answer: s.verdict.answer, name: s.command.name})
}

// force ends a wait when too much is held for it.
func (s *redisSession) force() {
	if s.down == redisLost {
		s.giveUp()
		return
	}
	s.waiting, s.forced = false, true
	s.stand()
	s.later()
}

// follow notes what a command that reaches the dependency changes, and which answer it will have.
func (s *redisSession) follow(v redisVerdict) {
	c, r := s.command, redisReply{answer: v.answer, script: v.script != ""}
	switch name := c.name; name {
	case "multi":
		if r.opens = s.tx != txOpen; r.opens {
			s.tx, s.queuedAll, s.queuedAny = txOpen, ^redisFlags(0), 0
		}
	case "exec", "discard":
		s.tx = txNone
	case "reset":
		s.tx, r.resets = txNone, true
	case "monitor", "sync", "psync":
		s.up = redisBlind
	case "client|reply":
		s.mute()
		return
	case "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe":
		if r.verb, r.left = name, s.requests.count-1; r.left == 0 {
			r.left = -1
		}
		if s.tx != txNone {
			s.up, r = redisBlind, redisReply{} // its answers come inside of that of EXEC, or between
		}
	default:
		if s.tx == txOpen {
			s.queuedAll &= c.flags
			s.queuedAny |= c.flags
		}
	}
	s.expect(r)
}

// mute follows CLIENT REPLY.
func (s *redisSession) mute() {
	mode := ""
	if len(s.requests.words) > 2 {
		mode = strings.ToLower(string(s.requests.words[2]))
	}
	switch {
	case s.tx != txNone:
		s.up = redisBlind
	case mode == "off":
		s.silent, s.skip = true, false
		return
	case mode == "skip":
		s.skip = !s.silent
		return
	case mode == "on":
		s.silent = false
	}
	s.expect(redisReply{})
}
