package faults

import (
	"bytes"
	"encoding/binary"
)

// mysqlSize is how long the first packet in data says it is, its header included; 0: the header is not here.
func mysqlSize(data []byte) int {
	if len(data) < 4 {
		return 0
	}
	return (int(data[0]) | int(data[1])<<8 | int(data[2])<<16) + 4
}

// mysqlPacket returns the payload of the first packet in data; ok is false when it is not all here.
func mysqlPacket(data []byte) (payload, all []byte, ok bool) {
	if n := mysqlSize(data); n > 0 && len(data) >= n {
		return data[4:n], data, true
	}
	return nil, data, false
}

// The capabilities that matter here.
const (
	mysqlWithDB       = 1 << 3
	mysqlProtocol41   = 1 << 9
	mysqlTLS          = 1 << 11
	mysqlSecure       = 1 << 15
	mysqlLengthCoded  = 1 << 21
	mysqlGreetVersion = 10
)

// withoutTLS takes the offer of TLS out of a greeting, in place.
func withoutTLS(greeting []byte) {
	if len(greeting) == 0 || greeting[0] != mysqlGreetVersion {
		return
	}
	// The version ends with NUL; then come the thread (4), the first half of the scramble (8), a filler, the lower capabilities.
	if end := bytes.IndexByte(greeting, 0); end >= 0 && len(greeting) > end+15 {
		greeting[end+15] &^= mysqlTLS >> 8
	}
}

// mysqlLogin is what a client says of itself.
type mysqlLogin struct {
	user, database string
	password       string // "YES" or "NO", as the server says it
}

// readMySQLLogin reads a HandshakeResponse41. ok is false for a request for TLS, and for what is no login.
func readMySQLLogin(p []byte) (l mysqlLogin, ok bool) {
	const fixed = 32
	if len(p) <= fixed {
		return l, false
	}
	capabilities := binary.LittleEndian.Uint32(p)
	if capabilities&mysqlProtocol41 == 0 {
		return l, false
	}
	user, rest, ok := bytes.Cut(p[fixed:], []byte{0})
	if !ok || len(rest) == 0 {
		return l, false
	}
	l.user, l.password = string(user), "YES"
	n, head := int(rest[0]), 1
	switch {
	case capabilities&(mysqlLengthCoded|mysqlSecure) == 0: // ends with NUL
		n, head = max(0, bytes.IndexByte(rest, 0)), 0
		defer func() { l.database = "" }() // no such client has one here
	case capabilities&mysqlLengthCoded != 0 && rest[0] == 0xfc && len(rest) > 2:
		n, head = int(binary.LittleEndian.Uint16(rest[1:])), 3
	}
	// An empty password is no bytes, or, where the plugin sends it in clear, a NUL.
	if n == 0 || n == 1 && len(rest) > head && rest[head] == 0 {
		l.password = "NO"
	}
	if capabilities&mysqlWithDB != 0 && len(rest) >= head+n {
		database, _, _ := bytes.Cut(rest[head+n:], []byte{0})
		l.database = string(database)
	}
	return l, true
}
