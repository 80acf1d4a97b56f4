package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer writes one side of an HTTP/2 connection, with headers compressed as real peers do.
type peer struct {
	bytes.Buffer
	*http2.Framer
	block   bytes.Buffer
	headers *hpack.Encoder
}

func newPeer() *peer {
	p := &peer{}
	p.Framer = http2.NewFramer(&p.Buffer, nil)
	p.headers = hpack.NewEncoder(&p.block)
	return p
}

// client begins a connection.
func client() *peer {
	p := newPeer()
	p.WriteString(http2.ClientPreface)
	_ = p.WriteSettings()
	return p
}

// calls sends a call of a path; parts is in how many frames its headers come.
func (p *peer) calls(stream uint32, path string, parts int) {
	p.head(stream, parts, false, ":method", "POST", ":scheme", "http", ":path", path, ":authority", "h", "content-type", "application/grpc", "te", "trailers",
		"authorization", "Bearer "+path)
	_ = p.WriteDataPadded(stream, true, []byte("\x00\x00\x00\x00\x02hi"), []byte{0, 0})
}

func (p *peer) head(stream uint32, parts int, ends bool, pairs ...string) {
	p.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		_ = p.headers.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	block := p.block.Bytes()
	each := max(1, len(block)/parts)
	_ = p.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:each], EndStream: ends, EndHeaders: parts == 1 && each == len(block),
		PadLength: 3, Priority: http2.PriorityParam{Weight: 7}})
	for block = block[each:]; len(block) > 0; {
		n := min(each, len(block))
		_ = p.WriteContinuation(stream, n == len(block), block[:n])
		block = block[n:]
	}
}

// take returns what was written since.
func (p *peer) take() string {
	text := p.String()
	p.Reset()
	return text
}

// read tells what frames mean, in one line each, with one memory of headers: as a peer would read them.
func read(t *testing.T, text string) []string {
	t.Helper()
	text = strings.TrimPrefix(text, http2.ClientPreface)
	f := http2.NewFramer(io.Discard, strings.NewReader(text))
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var out []string
	for {
		frame, err := f.ReadFrame()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err, "after %v", out)
		out = append(out, told(frame))
	}
}

func told(frame http2.Frame) string {
	id := frame.Header().StreamID
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		s := fmt.Sprintf("HEADERS %d", id)
		for _, h := range f.Fields {
			if h.Name == ":path" || h.Name == ":status" || strings.HasPrefix(h.Name, "grpc-") || h.Name == "authorization" {
				s += " " + h.Value
			}
		}
		if f.StreamEnded() {
			s += " end"
		}
		return s
	case *http2.SettingsFrame:
		if size, ok := f.Value(http2.SettingHeaderTableSize); ok {
			return fmt.Sprintf("SETTINGS without memory, %d", size)
		}
	case *http2.DataFrame:
		return fmt.Sprintf("DATA %d %d %v", id, len(f.Data()), f.StreamEnded())
	case *http2.WindowUpdateFrame:
		return fmt.Sprintf("WINDOW_UPDATE %d %d", id, f.Increment)
	case *http2.GoAwayFrame:
		return fmt.Sprintf("GOAWAY %d", f.LastStreamID)
	}
	return fmt.Sprintf("%v %d", frame.Header().Type, id)
}

const without = "SETTINGS without memory, 0"

const refused = " 200 14 not ready%0A end"

// exchange is a connection with three calls, of which the second is the fault's if method is /b.
func threeCalls(parts int) (script []heardLine) {
	c, s := client(), newPeer()
	_ = s.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 9})
	script = append(script, asks(c.take()), tells(s.take()))
	c.calls(1, "/a", parts)
	c.calls(3, "/b", parts)
	_ = c.WritePing(false, [8]byte{})
	script = append(script, asks(c.take()))
	s.head(1, parts, false, ":status", "200", "content-type", "application/grpc")
	_ = s.WriteData(1, false, []byte("hello"))
	s.head(1, parts, true, "grpc-status", "0")
	script = append(script, tells(s.take()))
	_ = c.WriteWindowUpdate(3, 7)
	c.calls(5, "/a", parts)
	script = append(script, asks(c.take()))
	s.head(5, parts, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "5")
	_ = s.WriteSettingsAck()
	return append(script, tells(s.take()))
}

func TestGRPCErrorWithholdsCalls(t *testing.T) {
	value := map[string]any{"method": "/b", "message": "not ready\n"}
	for _, parts := range []int{1, 3} {
		script := threeCalls(parts)
		check := func(script []heardLine, where string) {
			got := plays(conversation(t, "grpc_error", value, true), nil, script)
			require.Equal(t, []string{"SETTINGS 0", "HEADERS 1 /a Bearer /a", "DATA 1 7 true", "PING 0", "HEADERS 5 /a Bearer /a", "DATA 5 7 true"}, read(t, got.up), where)
			down := read(t, got.down)
			mine := []string{}
			others := []string{}
			for _, f := range down {
				if f == "HEADERS 3"+refused || f == "RST_STREAM 3" || f == "WINDOW_UPDATE 0 10" || f == without {
					mine = append(mine, f)
				} else {
					others = append(others, f)
				}
			}
			require.Equal(t, []string{"SETTINGS 0", "HEADERS 1 200", "DATA 1 5 false", "HEADERS 1 0 end", "HEADERS 5 200 5 end", "SETTINGS 0", "GOAWAY 5"}, others, where)
			require.Contains(t, mine, "HEADERS 3"+refused, where)
			require.Contains(t, mine, "WINDOW_UPDATE 0 10", where)
			require.Equal(t, []string{"answered /b with UNAVAILABLE"}, got.bites)
			require.Equal(t, "close", got.closed, where)
		}
		check(script, "whole")
		var bytewise []heardLine
		for i, l := range script {
			for at := 1; at < len(l.data); at++ {
				cut := append(append([]heardLine{}, script[:i]...), heardLine{l.d, l.data[:at]}, heardLine{l.d, l.data[at:]})
				check(append(cut, script[i+1:]...), fmt.Sprintf("line %d cut at %d", i, at))
			}
			for at := range l.data {
				bytewise = append(bytewise, heardLine{l.d, l.data[at : at+1]})
			}
		}
		check(bytewise, "byte by byte")
	}
}

// TestGRPCErrorArmedAnywhere lets the fault come on behind each byte of a live connection. Calls that had begun to pass go on; whatever happens, each
// side reads frames and headers that fit.
func TestGRPCErrorArmedAnywhere(t *testing.T) {
	script := threeCalls(3)
	for i, l := range script {
		for at := range l.data {
			seen := append(append([]heardLine{}, script[:i]...), heardLine{l.d, l.data[:at]})
			rest := append([]heardLine{{l.d, l.data[at:]}}, script[i+1:]...)
			got := plays(conversation(t, "grpc_error", map[string]any{"method": "/b"}, true), seen, rest)
			up, down := read(t, got.up), read(t, got.down)
			if got.bites == nil {
				require.Contains(t, up, "HEADERS 3 /b Bearer /b")
				require.Len(t, up, 9)
				require.Empty(t, got.closed)
				require.NotContains(t, down, "GOAWAY 5")
				continue
			}
			require.NotContains(t, up, "HEADERS 3 /b Bearer /b")
			require.Contains(t, up, "HEADERS 5 /a Bearer /a", "line %d at %d: encoded without the memory", i, at)
			require.Contains(t, down, "HEADERS 3 200 14 end")
			require.Contains(t, down, "GOAWAY 5")
		}
	}
}

// TestGRPCErrorLiftedAnywhere: what has not been decided passes; what has been withheld ends in a GOAWAY, or in the end of the connection.
func TestGRPCErrorLiftedAnywhere(t *testing.T) {
	script := threeCalls(1)
	for i, l := range script {
		for at := range l.data {
			cut := append(append([]heardLine{}, script[:i]...), heardLine{l.d, l.data[:at]})
			got := plays(conversation(t, "grpc_error", map[string]any{"method": "/b"}, true), nil, cut)
			if got.bites == nil {
				var up, down string
				for _, c := range cut {
					if c.d == Upstream {
						up += string(c.data)
					} else {
						down += string(c.data)
					}
				}
				require.Equal(t, outcome{up, down, "", nil}, got, "line %d at %d", i, at)
				continue
			}
			if got.closed == "" {
				require.Contains(t, got.down, "\x00\x00\x08\x07\x00\x00\x00\x00\x00", "GOAWAY while calls are under way")
			}
		}
	}
}

func TestGRPCErrorGoesOnWithCallsUnderWay(t *testing.T) {
	c, s := client(), newPeer()
	_ = s.WriteSettings()
	c.head(1, 1, false, ":method", "POST", ":path", "/watch", "content-type", "application/grpc+proto")
	seen := []heardLine{asks(c.take()), tells(s.take())}
	c.calls(3, "/b", 1)
	_ = c.WriteData(1, false, []byte("more"))
	script := []heardLine{asks(c.take())}
	s.head(1, 1, false, ":status", "200")
	text := s.take()
	got := plays(conversation(t, "grpc_error", nil, true), seen, append(script, tells(text[:4])))
	assert.Equal(t, []string{"SETTINGS 0", "HEADERS 1 /watch", "DATA 1 4 false"}, read(t, got.up))
	assert.Equal(t, []string{"SETTINGS 0", without, "HEADERS 3 200 14 end", "WINDOW_UPDATE 0 10", "GOAWAY 3", "HEADERS 1 200"}, read(t, got.down+text[4:]))
	assert.Empty(t, got.closed, "the watch goes on")
}

// TestGRPCErrorLeavesTheConnectionWhole: once the client does without a memory of headers, the lift leaves a connection that works, and so does the
// next time that the fault comes on.
func TestGRPCErrorLeavesTheConnectionWhole(t *testing.T) {
	c, s := client(), newPeer()
	_ = s.WriteSettings()
	c.calls(1, "/b", 1)
	_ = c.WriteSettingsAck()
	talk := &fakeTalk{}
	fault := conversation(t, "grpc_error", map[string]any{"method": "/b"}, true)
	sees := func(d Direction, text string) {
		talk.passed[d] = append(talk.passed[d], text...)
		fault.(Witness).Sees(d, []byte(text))
	}
	sees(Downstream, s.take())
	sees(Upstream, c.take()) // the memory holds what /b has
	c.calls(3, "/b", 1)
	talk.script = []heardLine{asks(c.take())}
	c.calls(5, "/a", 1) // before it agrees
	_ = c.WriteSettingsAck()
	c.headers.SetMaxDynamicTableSizeLimit(0)
	c.calls(7, "/b", 1) // the message that says so does not reach the server
	c.calls(9, "/a", 1)
	talk.script = append(talk.script, asks(c.take()))
	fault.Run(talk)
	c.calls(11, "/b", 1)
	sees(Upstream, c.take())
	c.calls(13, "/b", 1)
	talk.script = []heardLine{asks(c.take())}
	fault.Run(talk)
	c.calls(15, "/a", 1)
	sees(Upstream, c.take())
	assert.Equal(t, []string{"SETTINGS 0", "HEADERS 1 /b Bearer /b", "DATA 1 7 true", "SETTINGS 0", "HEADERS 5 /a Bearer /a", "DATA 5 7 true",
		"HEADERS 9 /a Bearer /a", "DATA 9 7 true", "HEADERS 11 /b Bearer /b", "DATA 11 7 true", "HEADERS 15 /a Bearer /a", "DATA 15 7 true"},
		read(t, string(talk.passed[Upstream])))
	down := read(t, string(talk.passed[Downstream]))
	assert.Equal(t, []string{"SETTINGS 0", without, "HEADERS 3 200 14 end", "WINDOW_UPDATE 0 10", "HEADERS 7 200 14 end", "WINDOW_UPDATE 0 10",
		"HEADERS 13 200 14 end", "WINDOW_UPDATE 0 10"}, down)
	assert.Empty(t, talk.closed)
}

func TestGRPCErrorStreamingCalls(t *testing.T) {
	c, s := client(), newPeer()
	_ = s.WriteSettings()
	c.head(1, 1, false, ":method", "POST", ":path", "/stream", "content-type", "application/grpc")
	first := c.take()
	_ = c.WriteData(1, false, bytes.Repeat([]byte("x"), 5000))
	_ = c.WriteRSTStream(1, http2.ErrCodeCancel)
	got := plays(conversation(t, "grpc_error", "INTERNAL", true), nil, []heardLine{asks(first), tells(s.take()), asks(c.take())})
	assert.Equal(t, []string{"SETTINGS 0"}, read(t, got.up))
	assert.Equal(t, []string{"SETTINGS 0", without, "HEADERS 1 200 13 end", "RST_STREAM 1", "WINDOW_UPDATE 0 5000", "GOAWAY 1"}, read(t, got.down), "not before the SETTINGS")
}

// TestGRPCErrorLiftedWhileACallIsOpen: what the client still sends of a withheld call would be nonsense to the server.
func TestGRPCErrorLiftedWhileACallIsOpen(t *testing.T) {
	for _, c := range []struct {
		ends, watches bool // the withheld call ends before the lift; another call is under way
		upTo          int  // bytes of one more call's HEADERS that come before the lift
		goaway        bool
		closed        string
	}{{ends: true, upTo: 12}, {upTo: 0, goaway: true, closed: "close"}, {watches: true, goaway: true}, {watches: true, upTo: 12, goaway: true, closed: "close"}} {
		p, s := client(), newPeer()
		_ = s.WriteSettings()
		if c.watches {
			p.head(1, 1, false, ":method", "POST", ":path", "/a", "content-type", "application/grpc")
		}
		script := []heardLine{tells(s.take()), asks(p.take())}
		p.head(3, 1, false, ":method", "POST", ":path", "/b", "content-type", "application/grpc")
		_ = p.WriteSettingsAck()
		script = append(script, asks(p.take()))
		_ = p.WriteSettingsAck()
		if c.ends {
			_ = p.WriteRSTStream(3, http2.ErrCodeNo)
		}
		script = append(script, asks(p.take()))
		p.headers.SetMaxDynamicTableSizeLimit(0)
		p.head(5, 1, true, ":method", "POST", ":path", "/b", "content-type", "application/grpc")
		if c.upTo > 0 {
			script = append(script, asks(p.take()[:c.upTo]))
		}
		got := plays(conversation(t, "grpc_error", map[string]any{"method": "/b"}, true), nil, script)
		assert.Equal(t, c.goaway, slices.Contains(read(t, got.down), "GOAWAY 3"), "%+v", c)
		assert.Equal(t, c.closed, got.closed, "%+v", c)
	}
}

func TestGRPCErrorLeavesOthers(t *testing.T) {
	c, s := client(), newPeer()
	_ = s.WriteSettings()
	c.head(1, 1, true, ":method", "GET", ":path", "/b", "content-type", "application/grpc-web")
	web := []heardLine{asks(c.take()), tells(s.take())}
	for name, script := range map[string][]heardLine{
		"TLS": {asks("\x16\x03\x01\x02\x00\x01"), tells("\x16\x03\x03"), asks("x")}, "HTTP/1": {asks(get), tells(ok), asks(get)}, "gRPC-Web": web,
		"MySQL": {tells("\x4a\x00\x00\x00\x0a8.0.36\x00"), asks("\x01")},
	} {
		var want outcome
		for _, l := range script {
			if l.d == Upstream {
				want.up += string(l.data)
			} else {
				want.down += string(l.data)
			}
		}
		t.Run(name, func(t *testing.T) { splits(t, "grpc_error", nil, script, want) })
	}
	got := plays(conversation(t, "grpc_error", nil, false), nil, []heardLine{asks("x")})
	assert.Equal(t, outcome{"", "", "close", []string{"closed a connection whose beginning was not seen"}}, got)
	got = plays(conversation(t, "grpc_error", nil, true), nil, []heardLine{asks(http2.ClientPreface + "\x00\x00\x01\x01\x04\x00\x00\x00\x01\xff")})
	assert.Equal(t, "close", got.closed, "headers that nobody can decode")
}

func TestGRPCErrorCodes(t *testing.T) {
	k, _ := Lookup("grpc_error")
	code, _ := k.param("code")
	assert.Len(t, code.Enum, 16)
	for number, name := range map[string]string{"1": "CANCELLED", "14": "UNAVAILABLE", "16": "UNAUTHENTICATED"} {
		assert.Equal(t, number, grpcStatus(name, "")[2].Value)
	}
	assert.Equal(t, "100%25 caf%C3%A9%0A", percent("100% caf\u00e9\n"))
	_, problems := Parse("grpc_error", map[string]any{"message": strings.Repeat("x", 1025), "method": "["})
	assert.Len(t, problems, 2)
}
