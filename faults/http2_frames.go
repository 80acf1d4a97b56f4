package faults

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	maxBlock  = 64 << 10 // bytes of a header block, and of a frame that waits for its end
	maxFields = 1 << 20  // bytes of a header block when it is decoded
	frameSize = 16384    // what every peer accepts in a frame
)

// h2Frames follows one direction of an HTTP/2 connection behind its preface: where its frames begin and end (RFC 9113, 4.1).
type h2Frames struct {
	header [9]byte
	have   int // bytes of the header so far
	left   int // of the payload
	open   bool
}

// events of h2Frames.step, beside ended: the header of the frame is complete.
const framed = headed

// between says that no frame has begun.
func (f *h2Frames) between() bool { return f.have == 0 }

func (f *h2Frames) length() int {
	return int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
}
func (f *h2Frames) kind() http2.FrameType     { return http2.FrameType(f.header[3]) }
func (f *h2Frames) has(flag http2.Flags) bool { return http2.Flags(f.header[4]).Has(flag) }
func (f *h2Frames) stream() uint32            { return binary.BigEndian.Uint32(f.header[5:]) &^ (1 << 31) }
func (f *h2Frames) is(kinds ...http2.FrameType) bool {
	for _, k := range kinds {
		if f.kind() == k {
			return true
		}
	}
	return false
}

// step takes bytes up to the next event: a header, or the end of a frame. It takes all when there is none. A frame without payload ends with a
// step of its own, for which no bytes are needed.
func (f *h2Frames) step(data []byte) (n int, e event) {
	if f.open {
		n = min(len(data), f.left)
		if f.left -= n; f.left > 0 {
			return n, 0
		}
		f.have, f.open = 0, false
		return n, ended
	}
	n = copy(f.header[f.have:], data)
	if f.have += n; f.have < len(f.header) {
		return n, 0
	}
	f.open, f.left = true, f.length()
	return n, framed
}

// fragment returns the part of a header block that a HEADERS or CONTINUATION frame holds.
func (f *h2Frames) fragment(payload []byte) (part []byte, ok bool) {
	if !f.is(http2.FrameHeaders) {
		return payload, true
	}
	pad := 0
	if f.has(http2.FlagHeadersPadded) {
		if len(payload) == 0 {
			return nil, false
		}
		pad, payload = int(payload[0]), payload[1:]
	}
	if f.has(http2.FlagHeadersPriority) {
		if len(payload) < 5 {
			return nil, false
		}
		payload = payload[5:]
	}
	if pad > len(payload) {
		return nil, false
	}
	return payload[:len(payload)-pad], true
}

// h2Block decodes header blocks in the order in which they came: HPACK has a memory.
type h2Block struct {
	decoder *hpack.Decoder
	fields  []hpack.HeaderField
	size    int
}

func newH2Block() *h2Block {
	b := &h2Block{}
	b.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if b.size += int(f.Size()); b.size <= maxFields {
			b.fields = append(b.fields, f)
		}
	})
	b.decoder.SetAllowedMaxDynamicTableSize(maxFields) // the server may have allowed more than the usual 4096
	b.decoder.SetMaxStringLength(maxFields)
	return b
}

// decode returns the fields of a block. After false nothing can be decoded on the connection any more.
func (b *h2Block) decode(block []byte) (fields []hpack.HeaderField, ok bool) {
	b.fields, b.size = nil, 0
	_, err := b.decoder.Write(block)
	closed := b.decoder.Close()
	fields, b.fields = b.fields, nil
	return fields, err == nil && closed == nil && b.size <= maxFields
}

// literally encodes fields without a memory, so that the receiver's is left as it is.
func literally(fields []hpack.HeaderField) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		f.Sensitive = true
		_ = encoder.WriteField(f) // into memory
	}
	return block.Bytes()
}

// headersFrames is a header block in as many frames as it needs.
func headersFrames(stream uint32, block []byte, ends bool) []byte {
	var out bytes.Buffer
	framer := http2.NewFramer(&out, nil)
	first := block[:min(len(block), frameSize)]
	rest := block[len(first):]
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: ends, EndHeaders: len(rest) == 0})
	for len(rest) > 0 {
		part := rest[:min(len(rest), frameSize)]
		rest = rest[len(part):]
		_ = framer.WriteContinuation(stream, len(rest) == 0, part)
	}
	return out.Bytes()
}
