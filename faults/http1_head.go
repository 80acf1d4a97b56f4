package faults

import (
	"bytes"
	"strconv"
	"strings"
)

// head is what is known of the head of an HTTP/1 message.
type head struct {
	method, target string // of a request
	status         int    // of a response
	old            bool   // HTTP/1.0
	length         int64  // of the body; -1: not said
	chunked        bool
	close          bool // Connection: close, or HTTP/1.0 without keep-alive
	waits          bool // Expect: 100-continue
	upgrade        string
}

// parseHead reads a complete head. ok is false when it is not one, or when nobody could say where its body ends.
func parseHead(text []byte, answer bool) (h head, ok bool) {
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	line := strings.TrimSuffix(string(first), "\r")
	if answer {
		h, ok = statusLine(line)
	} else {
		h, ok = requestLine(line)
	}
	if !ok {
		return h, false
	}
	h.length, h.close = -1, h.old
	for len(rest) > 0 {
		first, rest, _ = bytes.Cut(rest, []byte("\n"))
		name, value, _ := strings.Cut(string(first), ":")
		if !h.field(strings.ToLower(name), strings.TrimSpace(value), answer) {
			return h, false
		}
	}
	return h, true
}

// field takes one line of the head.
func (h *head) field(name, value string, answer bool) bool {
	switch name {
	case "content-length":
		n, err := strconv.ParseUint(value, 10, 63)
		if err != nil || h.length >= 0 && h.length != int64(n) { // #nosec G115 -- 63 bits
			return false
		}
		h.length = int64(n) // #nosec G115 -- 63 bits
	case "transfer-encoding":
		h.chunked = strings.HasSuffix(strings.ToLower(value), "chunked")
		return h.chunked || answer
	case "connection":
		if named(value, "close") {
			h.close = true
		} else if named(value, "keep-alive") {
			h.close = false
		}
	case "expect":
		h.waits = strings.EqualFold(value, "100-continue")
	case "upgrade":
		h.upgrade = strings.ToLower(value)
	}
	return true
}

// named says whether a list of words, with commas between, has a word.
func named(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}

// requestLine reads "GET /path HTTP/1.1".
func requestLine(line string) (h head, ok bool) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if target == "" || version != "HTTP/1.1" && version != "HTTP/1.0" || !isToken(method) {
		return head{}, false
	}
	return head{method: method, target: target, old: version == "HTTP/1.0"}, true
}

// statusLine reads "HTTP/1.1 200 OK".
func statusLine(line string) (h head, ok bool) {
	version, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || status < 100 || status > 999 || version != "HTTP/1.1" && version != "HTTP/1.0" {
		return head{}, false
	}
	return head{status: status, old: version == "HTTP/1.0"}, true
}

// beginsRequest says whether a chunk begins with a whole request line: where the beginning of a connection was not seen, this is where its
// requests are found again.
func beginsRequest(data []byte) bool {
	line, _, whole := bytes.Cut(data[:min(len(data), maxHead)], []byte("\n"))
	_, ok := requestLine(strings.TrimSuffix(string(line), "\r"))
	return whole && ok
}

// plausible says whether an incomplete head can still become one, so that other protocols are let go at once.
func plausible(text []byte, answer bool) bool {
	if answer {
		start := []byte("HTTP/1.")
		n := min(len(start), len(text))
		return bytes.Equal(text[:n], start[:n])
	}
	if line, _, whole := bytes.Cut(text, []byte("\n")); whole {
		_, ok := requestLine(strings.TrimSuffix(string(line), "\r"))
		return ok
	}
	method, _, more := bytes.Cut(text, []byte(" "))
	return isToken(string(method)) && (more || len(method) < 32)
}

// isToken says whether a text can be a method.
func isToken(s string) bool {
	for i := range len(s) {
		letter := s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z'
		if !letter && (s[i] < '0' || s[i] > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(s[i])) {
			return false
		}
	}
	return s != ""
}

// chunkSize reads the line before a chunk, with or without an extension.
func chunkSize(line []byte) (size int64, ok bool) {
	text, _, _ := strings.Cut(string(line), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 16, 62)
	return int64(n), err == nil // #nosec G115 -- 62 bits
}
