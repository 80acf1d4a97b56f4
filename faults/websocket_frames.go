package faults

import "encoding/binary"

// wsFrames follows one direction of a WebSocket: where its frames begin and end (RFC 6455, 5.2).
type wsFrames struct {
	header [14]byte
	have   int   // bytes of the header so far
	left   int64 // of the payload
	inside bool  // the header is complete
	closes bool  // the frame, or the last one, is a Close
}

// between says that no frame has begun.
func (f *wsFrames) between() bool { return f.have == 0 && !f.inside }

// step takes bytes up to the end of a frame. It takes all when none ends.
func (f *wsFrames) step(data []byte) (n int, ended bool) {
	for n < len(data) || f.inside && f.left == 0 {
		if f.inside {
			take := min(int64(len(data)-n), f.left)
			n += int(take)
			if f.left -= take; f.left == 0 {
				f.have, f.inside = 0, false
				return n, true
			}
			continue
		}
		f.header[f.have] = data[n]
		f.have++
		n++
		if f.have >= 2 && f.have == f.length() {
			f.inside, f.left, f.closes = true, f.payload(), f.header[0]&0x0f == 8
		}
	}
	return n, false
}

// length is that of the header, which its second byte tells.
func (f *wsFrames) length() int {
	n := 2
	switch f.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.header[1]&0x80 != 0 {
		n += 4
	}
	return n
}

func (f *wsFrames) payload() int64 {
	switch n := f.header[1] & 0x7f; n {
	case 126:
		return int64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		return int64(binary.BigEndian.Uint64(f.header[2:]) &^ (1 << 63)) // #nosec G115 -- the first bit is taken away
	default:
		return int64(n)
	}
}

// closeFrame is a Close as servers send it: not masked.
func closeFrame(code int, reason string) []byte {
	frame := []byte{0x88, byte(2 + len(reason))}               // #nosec G115 -- a reason has 123 bytes at most
	frame = binary.BigEndian.AppendUint16(frame, uint16(code)) // #nosec G115 -- codes go to 4999
	return append(frame, reason...)
}
