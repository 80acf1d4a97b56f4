package faults

import "encoding/binary"

// openingKind is what the first bytes of a service are, as far as TLS is concerned.
type openingKind int

const (
	openingUnclear openingKind = iota // more bytes are needed
	openingHello                      // a whole TLS ClientHello
	openingSSL                        // PostgreSQL: may we speak TLS? The answer is S or N
	openingGSS                        // PostgreSQL: may we speak GSSAPI? The answer is G or N, and then the service asks for TLS
	openingMySQL                      // MySQL: TLS begins behind this, without an answer
	openingOther
)

const (
	recordHeader   = 5
	mostHello      = 64 << 10 // bytes of the longest ClientHello that is waited for
	mostPlaintext  = 16<<10 + 256
	mysqlClientSSL = 0x0800 // CLIENT_SSL of the capability flags
)

// recognise says what the bytes b of a service begin with, and how many bytes that is. It does not look inside a ClientHello.
func recognise(b []byte) (what openingKind, length int) {
	if len(b) == 0 {
		return openingUnclear, 0
	}
	switch b[0] {
	case 0: // the length of a PostgreSQL packet
		return recognisePostgres(b)
	case 32: // that of MySQL's SSLRequest
		return recogniseMySQL(b)
	case 22: // the type of a handshake record
		return recogniseHello(b)
	}
	return openingOther, 0
}

func recognisePostgres(b []byte) (openingKind, int) {
	for what, packet := range map[openingKind]string{openingSSL: "\x00\x00\x00\x08\x04\xd2\x16\x2f", openingGSS: "\x00\x00\x00\x08\x04\xd2\x16\x30"} {
		switch n := min(len(b), len(packet)); {
		case string(b[:n]) != packet[:n]:
		case n < len(packet):
			return openingUnclear, 0
		default:
			return what, n
		}
	}
	return openingOther, 0
}

// recogniseMySQL knows the packet by its length of 32 bytes, its number 1 and the flag that says so.
func recogniseMySQL(b []byte) (openingKind, int) {
	const header = "\x20\x00\x00\x01"
	n := min(len(b), len(header))
	switch {
	case string(b[:n]) != header[:n]:
		return openingOther, 0
	case len(b) < len(header)+32:
		return openingUnclear, 0
	case binary.LittleEndian.Uint32(b[len(header):])&mysqlClientSSL == 0:
		return openingOther, 0
	}
	return openingMySQL, len(header) + 32
}

// recogniseHello waits for the whole message, which may be spread over several records.
func recogniseHello(b []byte) (openingKind, int) {
	var message, length int // bytes of the message up to here; its whole length, 0: unknown
	for at := 0; ; {
		rest := b[at:]
		if !likeRecord(rest) || at == 0 && len(rest) > recordHeader && rest[recordHeader] != 1 {
			return openingOther, 0
		}
		if len(rest) < recordHeader {
			return openingUnclear, 0
		}
		size := int(binary.BigEndian.Uint16(rest[3:]))
		if at == 0 {
			if size < 4 { // so short that nobody sends it so
				return openingOther, 0
			}
			if len(rest) < recordHeader+4 {
				return openingUnclear, 0
			}
			if length = 4 + int(binary.BigEndian.Uint32(rest[recordHeader:])&0xffffff); length > mostHello {
				return openingOther, 0
			}
		}
		at += recordHeader + size
		message += size
		switch {
		case message >= length && len(b) >= at:
			return openingHello, at
		case len(b) < at:
			return openingUnclear, 0
		}
	}
}

// likeRecord says whether b may be the beginning of a handshake record.
func likeRecord(b []byte) bool {
	switch {
	case len(b) > 0 && b[0] != 22, len(b) > 1 && b[1] != 3, len(b) > 2 && b[2] > 4:
		return false
	case len(b) >= recordHeader:
		size := binary.BigEndian.Uint16(b[3:])
		return size > 0 && size <= mostPlaintext
	}
	return true
}
