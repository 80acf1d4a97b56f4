package faults

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	upgrade  = "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n"
	switches = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
	masked   = "\x81\x82abcdxy"              // a text frame of the service's
	echoed   = "\x88\x82abcd\x00\x00"        // its Close
	closing  = "\x88\x06\x03\xf3boom"        // Close 1011
	plain    = "\x01\x03one\x00\x00\x89\x00" // a message in two frames, and a ping
)

var long = "\x82\x7e\x01\x00" + strings.Repeat("m", 256) + "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("l", 65536)

func TestWebSocketErrorCloses(t *testing.T) {
	boom := map[string]any{"reason": "boom", "path": "^/ws"}
	bite := []string{"closed the WebSocket with 1011"}
	other := strings.Replace(upgrade, "/ws", "/other", 1)
	for name, c := range map[string]struct {
		value  any
		script []heardLine
		want   outcome
	}{
		"behind the 101":       {boom, []heardLine{asks(upgrade), tells(switches), asks(masked), asks(echoed), tells(plain)}, outcome{upgrade, switches + closing, "close", bite}},
		"before what it sends": {boom, []heardLine{asks(upgrade), tells(switches + plain), asks(echoed)}, outcome{upgrade, switches + closing, "close", bite}},
		"without an echo":      {boom, []heardLine{asks(upgrade), tells(switches), asks(masked)}, outcome{upgrade, switches + closing, "close", bite}},
		"the service leaves":   {boom, []heardLine{asks(upgrade), tells(switches), asks("")}, outcome{upgrade, switches + closing, "close", bite}},
		"another path":         {boom, []heardLine{asks(other), tells(switches + plain), asks(masked)}, outcome{other + masked, switches + plain, "", nil}},
		"a plain request":      {boom, []heardLine{asks(get), tells(ok), asks(upgrade), tells(no), asks(get)}, outcome{get + upgrade + get, ok + no, "", nil}},
		"refused": {map[string]any{"refuse": 503}, []heardLine{asks(upgrade), asks(get), tells(ok)},
			outcome{get, no + ok, "", []string{"answered GET /ws with 503"}}},
	} {
		t.Run(name, func(t *testing.T) { splits(t, "websocket_error", c.value, c.script, c.want) })
	}
}

// TestWebSocketErrorWaitsForTheEndOfAFrame arms the fault behind each byte of what the dependency sends.
func TestWebSocketErrorWaitsForTheEndOfAFrame(t *testing.T) {
	ends := []int{0, 5, 7, 9, 9 + 260, 9 + 260 + 65546}
	frames := plain + long
	for at := range len(frames) + 1 {
		if at > 300 && at < len(frames)-100 {
			continue // inside the last frame
		}
		end := 0
		for i := len(ends) - 1; ends[i] >= at && i >= 0; i-- {
			if end = ends[i]; i == 0 {
				break
			}
		}
		script := []heardLine{asks(echoed)}
		if at < len(frames) {
			script = []heardLine{asks(masked), tells(frames[at:]), asks(echoed)}
		}
		c := conversation(t, "websocket_error", map[string]any{"reason": "boom"}, true)
		got := plays(c, []heardLine{asks(upgrade), tells(switches), tells(frames[:at])}, script)
		want := outcome{upgrade, switches + frames[:end] + closing, "close", []string{"closed the WebSocket with 1011"}}
		if at < end {
			want.up += masked
		}
		if !assert.Equal(t, want, got, "%d", at) {
			return
		}
	}
}

func TestWebSocketErrorIsPatientForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		talk := &dueTalk{fakeTalk{script: []heardLine{asks(upgrade), tells(switches)}}}
		began := time.Now()
		conversation(t, "websocket_error", nil, true).Run(talk)
		assert.Equal(t, echoTime, time.Since(began))
		assert.Equal(t, "close", talk.closed)
	})
}

// dueTalk is a fakeTalk whose time limits are reached when the script is at its end.
type dueTalk struct{ fakeTalk }

func (d *dueTalk) NextUntil(at time.Time) (Direction, Chunk, bool, bool) {
	if len(d.script) > 0 {
		return d.fakeTalk.NextUntil(at)
	}
	elapse(time.Until(at))
	return 0, Chunk{}, true, true
}

func TestWebSocketErrorLeavesWhatItDidNotSee(t *testing.T) {
	got := plays(conversation(t, "websocket_error", nil, false), []heardLine{asks(masked)}, []heardLine{tells(plain), asks(masked)})
	assert.Equal(t, outcome{masked + masked, plain, "", nil}, got)
	got = plays(conversation(t, "websocket_error", map[string]any{"refuse": 403}, true), []heardLine{asks(upgrade), tells(switches)}, []heardLine{tells(plain), asks(masked)})
	assert.Equal(t, outcome{upgrade + masked, switches + plain, "", nil}, got, "refuse is about upgrades")
}

func TestWebSocketErrorRefusesWhatCannotBeSent(t *testing.T) {
	for text, value := range map[string]map[string]any{
		"websocket_error.code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999: a frame cannot carry 1006": {"code": 1006},
		"websocket_error.code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999: a frame cannot carry 1015": {"code": 1015},
		"websocket_error.reason must be UTF-8 of 123 bytes at most, got 124":                                 {"reason": strings.Repeat("x", 124)},
		"websocket_error.refuse must be 0 or from 200 to 599, got 199":                                       {"refuse": 199},
	} {
		_, problems := Parse("websocket_error", value)
		if assert.Len(t, problems, 1, text) {
			assert.Equal(t, text, problems[0].Text)
		}
	}
}
