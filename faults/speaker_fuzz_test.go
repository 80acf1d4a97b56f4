package faults

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzSpeakers: whatever both sides send, and wherever the fault comes on, the faults that speak Redis, NATS and AMQP do not panic, and as long as
// they did not bite every byte passes, in order.
func FuzzSpeakers(f *testing.F) {
	f.Add(uint8(0), []byte(cmd("GET", "a")+"ping\r\n"+cmd("INFO")), []byte("$-1\r\n+PONG\r\n*1\r\n:1\r\n"), uint8(0), uint8(9), true)
	f.Add(uint8(1), []byte(cmd("AUTH", "x")+cmd("HELLO", "3", "AUTH", "u", "p")), []byte("+OK\r\n%1\r\n+a\r\n>1\r\n+b\r\n"), uint8(1), uint8(30), true)
	f.Add(uint8(2), []byte(cmd("MULTI")+cmd("SUBSCRIBE", "a")+cmd("CLIENT", "REPLY", "OFF")), []byte("+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"), uint8(3), uint8(5), true)
	f.Add(uint8(3), []byte(cmd("GET", "a")), []byte("-ERR unknown command 'x'\r\n"), uint8(0), uint8(200), false)
	f.Add(uint8(4), []byte("ping\r\n"+natsConnect), []byte(natsInfo+natsMessage), uint8(2), uint8(40), true)
	f.Add(uint8(5), []byte(natsConnect), []byte(natsMessage), uint8(0), uint8(1), false)
	f.Add(uint8(6), []byte(string(amqpHeader)+amqpLogin(true)+amqpOpens), []byte(amqpBegin+amqpTune+amqpIsOpen+amqpContent), uint8(1), uint8(100), true)
	f.Add(uint8(7), []byte(string(amqpHeader)+amqpLogin(false)), []byte(amqpBegin), uint8(0), uint8(7), true)
	f.Fuzz(func(t *testing.T, which uint8, up, down []byte, seen, each uint8, whole bool) {
		kinds := []struct {
			kind  string
			value any
		}{{"redis_error", nil}, {"redis_error", "NOAUTH"}, {"redis_error", "OOM"}, {"redis_error", "CLUSTERDOWN"}, {"nats_error", nil}, {"nats_error", "Stale Connection"},
			{"amqp_error", 530}, {"amqp_error", 403}, {"amqp_error", 320}}
		k := kinds[int(which)%len(kinds)]
		script := interleaved(up, down, int(each)+1)
		at := min(int(seen), len(script))
		c := conversation(t, k.kind, k.value, whole)
		if r, ok := c.(*redisSession); ok {
			r.state.scripts = false // a script under another name is no bite, but a change
		}
		got := plays(c, script[:at], script[at:])
		if got.bites == nil && got.closed == "" {
			assert.Equal(t, string(up), got.up)
			assert.Equal(t, dates.ReplaceAllString(string(down), "Date: D\r\n"), got.down)
		}
	})
}

// interleaved cuts two streams into chunks that come by turns.
func interleaved(up, down []byte, each int) []heardLine {
	var script []heardLine
	for len(up)+len(down) > 0 {
		if n := min(len(up), each); n > 0 {
			script, up = append(script, heardLine{Upstream, up[:n:n]}), up[n:]
		}
		if n := min(len(down), each); n > 0 {
			script, down = append(script, heardLine{Downstream, down[:n:n]}), down[n:]
		}
	}
	return script
}
