package faults

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/net/http2"
)

// FuzzWebConversations: whatever both sides send, and wherever the fault comes on, the faults that speak HTTP do not panic, and as long as they did
// not bite every byte passes, in order. Each cut splits a direction's bytes; they are sent by turns.
func FuzzWebConversations(f *testing.F) {
	f.Add(uint8(0), []byte(post+stream+get), []byte(ok+ok), uint8(0), uint8(9), true)
	f.Add(uint8(1), []byte(http2.ClientPreface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), []byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), uint8(1), uint8(7), true)
	for _, l := range threeCalls(2) {
		f.Add(uint8(1), append([]byte(http2.ClientPreface), l.data...), l.data, uint8(2), uint8(50), true)
	}
	f.Add(uint8(2), []byte(upgrade+masked+echoed), []byte(switches+plain), uint8(4), uint8(30), true)
	f.Add(uint8(3), []byte(upgrade+get), []byte(ok), uint8(0), uint8(3), false)
	f.Fuzz(func(t *testing.T, which uint8, up, down []byte, seen, each uint8, whole bool) {
		kinds := []struct {
			kind  string
			value any
		}{{"http_error", map[string]any{"path": "v1"}}, {"grpc_error", map[string]any{"method": "b"}}, {"websocket_error", nil}, {"websocket_error", map[string]any{"refuse": 503}}}
		k := kinds[int(which)%len(kinds)]
		var script []heardLine
		for u, d := up, down; len(u)+len(d) > 0; {
			n := min(len(u), int(each)+1)
			script, u = append(script, heardLine{Upstream, u[:n:n]}), u[n:]
			n = min(len(d), int(each)+1)
			script, d = append(script, heardLine{Downstream, d[:n:n]}), d[n:]
		}
		for i := len(script) - 1; i >= 0; i-- { // an empty chunk would be an end
			if len(script[i].data) == 0 {
				script = append(script[:i], script[i+1:]...)
			}
		}
		at := min(int(seen), len(script))
		got := plays(conversation(t, k.kind, k.value, whole), script[:at], script[at:])
		if got.bites == nil && got.closed == "" {
			assert.Equal(t, string(up), got.up)
			assert.Equal(t, dates.ReplaceAllString(string(down), "Date: D\r\n"), got.down)
		}
	})
}
