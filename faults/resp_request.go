package faults

import (
	"bytes"
	"strconv"
)

// respEvent is what a scanner of the Redis protocol has come to.
type respEvent int

const (
	respMore   respEvent = iota // all bytes are taken, and more may come
	respKnown                   // of a command: enough words are known to treat it
	respEnd                     // the message is complete
	respBroken                  // this is not the protocol; nothing that follows can be understood
)

// The server's own limits, and how much of one word is kept.
const (
	respLine  = 64 << 10
	respBulk  = 512 << 20
	respWords = 1 << 20
	respKept  = 4 << 10
)

// respRequest reads what a client sends: commands as arrays of bulk strings, or inline. It takes the bytes in any portions, keeps the first words
// of a command and no more, and says as early as possible when it knows enough of them.
type respRequest struct {
	words   [][]byte // the first words, each cut at respKept
	count   int      // how many the command has; 0: an empty line, which is no command
	inline  bool
	name    [2]int // where the first word begins and ends in the bytes of the command, its header and line end included
	wanted  func(words [][]byte) int
	state   respState
	told    bool   // respKnown was returned
	over    bool   // respEnd was returned
	size    int    // bytes of the command so far
	line    []byte // of a header
	word    []byte
	whole   int // words that are complete
	content int // bytes of the word that are still to come
}

type respState int

const (
	respBetween respState = iota
	respCount             // *3
	respHeader            // $5
	respWord              // its bytes
	respWordEnd           // the line end behind them
	respInline
	respDone
)

// between says that no command has begun.
func (r *respRequest) between() bool { return r.state == respBetween || r.over }

// feed takes bytes until something happens, and says how many it took. After respEnd the words can be looked at until it is called again.
func (r *respRequest) feed(data []byte) (int, respEvent) {
	if r.over {
		*r = respRequest{wanted: r.wanted, words: r.words[:0], line: r.line[:0]}
	}
	for n := 0; ; {
		if r.count > 0 && !r.told && r.whole >= min(r.count, r.wanted(r.words)) {
			r.told = true
			return n, respKnown
		}
		if r.state == respDone {
			r.over = true
			return n, respEnd
		}
		if n == len(data) {
			return n, respMore
		}
		took, ok := r.step(data[n:])
		n += took
		r.size += took
		if !ok {
			return n, respBroken
		}
	}
}

// step takes at least one byte.
func (r *respRequest) step(data []byte) (n int, ok bool) {
	switch r.state {
	case respBetween:
		r.state, r.inline = respInline, true
		if data[0] == '*' {
			r.state, r.inline = respCount, false
		}
		return r.readLine(data)
	case respWord:
		n = min(r.content, len(data))
		if room := respKept - len(r.word); room > 0 {
			r.word = append(r.word, data[:min(n, room)]...)
		}
		if r.content -= n; r.content == 0 {
			r.state, r.content = respWordEnd, 2
		}
		return n, true
	case respWordEnd:
		n = min(r.content, len(data))
		if r.content -= n; r.content == 0 {
			r.endWord(r.size + n)
		}
		return n, true
	}
	return r.readLine(data)
}

// endWord closes a word whose line end is at that place of the command.
func (r *respRequest) endWord(at int) {
	if r.whole == 0 {
		r.name[1] = at
	}
	if len(r.words) < respFew {
		r.words = append(r.words, r.word)
	}
	r.word = nil
	r.whole++
	r.state = respHeader
	if r.whole == r.count {
		r.state = respDone
	}
}

// respFew is how many words of a command are kept at most.
const respFew = 8

// readLine gathers a header or an inline command.
func (r *respRequest) readLine(data []byte) (n int, ok bool) {
	end := bytes.IndexByte(data, '\n')
	n = end + 1
	if end < 0 {
		n = len(data)
	}
	r.line = append(r.line, data[:n]...)
	if len(r.line) > respLine {
		return n, false
	}
	if end < 0 {
		return n, true
	}
	line := r.line[:len(r.line)-1]
	if r.state != respInline && !bytes.HasSuffix(line, []byte("\r")) {
		return n, false
	}
	ok = r.header(bytes.TrimSuffix(line, []byte("\r")), r.size+n-len(r.line))
	r.line = r.line[:0]
	return n, ok
}

// header treats a complete line that began at that place of the command.
func (r *respRequest) header(line []byte, at int) bool {
	if r.state == respInline {
		words, ok := respSplit(line)
		r.words, r.count, r.whole, r.state = words, len(words), len(words), respDone
		return ok
	}
	most, sign := respBulk, byte('$')
	if r.state == respCount {
		most, sign = respWords, '*'
	}
	if len(line) < 2 || line[0] != sign || line[1] == '+' {
		return false
	}
	number, err := strconv.Atoi(string(line[1:]))
	if err != nil || number > most {
		return false
	}
	if r.state == respCount {
		r.count, r.state = max(number, 0), respHeader
		if number <= 0 {
			r.state = respDone
		}
		return true
	}
	if number < 0 {
		return false
	}
	if r.whole == 0 {
		r.name[0] = at
	}
	r.content, r.state = number, respWord
	if number == 0 {
		r.content, r.state = 2, respWordEnd
	}
	return true
}

// respSplit splits an inline command as the server does: words between blanks, "..." with escapes, '...' with \' alone.
func respSplit(line []byte) (words [][]byte, ok bool) {
	for i := 0; ; {
		for i < len(line) && respBlank(line[i]) {
			i++
		}
		if i >= len(line) {
			return words, true
		}
		word := []byte{}
		for i < len(line) && !respBlank(line[i]) {
			if quote := line[i]; quote == '"' || quote == '\'' {
				var text []byte
				if text, i = respQuoted(line, i+1, quote); i < 0 || i < len(line) && !respBlank(line[i]) {
					return nil, false
				}
				word = append(word, text...)
				break
			}
			word = append(word, line[i])
			i++
		}
		words = append(words, word)
	}
}

func respBlank(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' || b == 0 }

// respQuoted reads a quoted text that begins at i and returns the place behind its closing quote; -1: there is none.
func respQuoted(line []byte, i int, quote byte) (text []byte, next int) {
	for ; i < len(line); i++ {
		b := line[i]
		switch {
		case b == quote:
			return text, i + 1
		case b != '\\' || i+1 == len(line):
			text = append(text, b)
		case quote == '\'':
			if line[i+1] == '\'' {
				i++
			}
			text = append(text, line[i])
		case line[i+1] == 'x' && i+3 < len(line) && respHex(line[i+2:i+4]):
			v, _ := strconv.ParseUint(string(line[i+2:i+4]), 16, 8)
			text, i = append(text, byte(v)), i+3
		default:
			i++
			if at := bytes.IndexByte([]byte("nrtba"), line[i]); at >= 0 {
				text = append(text, "\n\r\t\b\a"[at])
			} else {
				text = append(text, line[i])
			}
		}
	}
	return nil, -1
}

func respHex(b []byte) bool {
	for _, c := range b {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
			return false
		}
	}
	return true
}

// respCommand writes a command.
func respCommand(words ...[]byte) []byte {
	out := strconv.AppendInt([]byte("*"), int64(len(words)), 10)
	for _, w := range words {
		out = append(out, "\r\n$"...)
		out = strconv.AppendInt(out, int64(len(w)), 10)
		out = append(out, "\r\n"...)
		out = append(out, w...)
	}
	return append(out, "\r\n"...)
}
