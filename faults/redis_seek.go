package faults

import "bytes"

// redisStray is a command that no server knows, sent where the answers were not counted: its own is known by its text.
type redisStray struct {
	mark   []byte
	answer string // what the client gets instead
}

// seek looks for the answer to a mark in a stream whose messages are not known, and replaces it. Its line begins with an error and is shorter than
// anything that is worth holding.
func (s *redisSession) seek(data []byte) {
	const longest = 512
	all := append(s.line, data...)
	s.line = nil
	stray, at := s.stray(all)
	if at < 0 {
		last := bytes.LastIndexByte(all, '\n') + 1
		if rest := all[last:]; len(s.strays) == 0 || len(rest) == 0 || rest[0] != '-' || len(rest) > longest {
			last = len(all)
		}
		s.emit(Downstream, all[:last])
		s.line = append(s.line, all[last:]...)
		return
	}
	begin := bytes.LastIndexByte(all[:at], '\n') + 1
	length := bytes.IndexByte(all[at:], '\n') + 1
	s.emit(Downstream, all[:begin])
	if length == 0 {
		s.line = append(s.line, all[begin:]...)
		return
	}
	s.found(stray)
	s.answers(all[at+length:])
}

// stray returns which of the strays is answered first in data, and where its mark is; -1: none.
func (s *redisSession) stray(data []byte) (i, at int) {
	for i, stray := range s.strays {
		if at := bytes.Index(data, stray.mark); at >= 0 {
			return i, at
		}
	}
	return 0, -1
}

// found replaces the answer to a stray. That of the command which waits shows the place; another is only what the lift left behind.
func (s *redisSession) found(i int) {
	stray, last := s.strays[i], i == len(s.strays)-1
	s.strays = s.strays[i+1:]
	if !s.waiting || !last {
		s.tell(stray.answer)
		return
	}
	s.down, s.queue, s.early = redisReads, nil, 0
	s.resume()
}
