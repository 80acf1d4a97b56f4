package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// redisModel is a server that knows ECHO, SET, BIG, MULTI and EXEC.
type redisModel struct {
	in      respRequest
	multi   bool
	failed  bool
	queued  int
	answers []byte
	told    int // commands
}

func (m *redisModel) hears(data []byte) {
	m.in.wanted = func([][]byte) int { return respFew }
	for {
		n, event := m.in.feed(data)
		data = data[n:]
		switch event {
		case respMore:
			return
		case respEnd:
			if m.in.count > 0 {
				m.told++
				m.answers = append(m.answers, m.answer(m.in.words)...)
			}
		case respBroken:
			panic("the dependency was sent no command")
		}
	}
}

func (m *redisModel) answer(words [][]byte) string {
	name := string(words[0])
	switch {
	case name == "MULTI":
		m.multi, m.failed, m.queued = true, false, 0
		return "+OK\r\n"
	case name == "EXEC":
		m.multi = false
		if m.failed {
			return "-EXECABORT Transaction discarded because of previous errors.\r\n"
		}
		return fmt.Sprintf("*%d\r\n%s", m.queued, strings.Repeat("+OK\r\n", m.queued))
	case name == "DISCARD":
		m.multi = false
		return "+OK\r\n"
	case name != "ECHO" && name != "SET":
		m.failed = true
		return unknown(name)
	case m.multi:
		m.queued++
		return "+QUEUED\r\n"
	case name == "SET":
		return "+OK\r\n"
	}
	return fmt.Sprintf("$%d\r\n%s\r\n", len(words[1]), words[1])
}

// redisWire is a connection between a client that has a program and the model, with a fault that comes and goes at random.
type redisWire struct {
	random   *rand.Rand
	session  *redisSession
	program  []byte // what the client still sends
	model    redisModel
	answered []byte // what the client got
	again    bool   // the fault came on again before the connection was settled
}

// piece takes some bytes off a stream.
func (w *redisWire) piece(from *[]byte) []byte {
	n := min(len(*from), 1+w.random.IntN(60))
	out := bytes.Clone((*from)[:n])
	*from = (*from)[n:]
	return out
}

// turn says which side speaks next, as a chunk.
func (w *redisWire) turn() (d Direction, data []byte, ok bool) {
	up, down := len(w.program) > 0, len(w.model.answers) > 0
	switch {
	case up && (!down || w.random.IntN(2) == 0):
		return Upstream, w.piece(&w.program), true
	case down:
		return Downstream, w.piece(&w.model.answers), true
	}
	return 0, nil, false
}

func (w *redisWire) Pass(d Direction, c Chunk) {
	if d == Upstream {
		w.model.hears(c.Data)
	} else {
		w.answered = append(w.answered, c.Data...)
	}
}

func (w *redisWire) Next() (Direction, Chunk, bool) {
	if w.random.IntN(12) == 0 {
		return 0, Chunk{}, false // lifted
	}
	d, data, ok := w.turn()
	return d, Chunk{Data: data, At: time.Now()}, ok
}

func (w *redisWire) Settle() (Direction, Chunk, bool) {
	if w.again = w.random.IntN(8) == 0; w.again {
		return 0, Chunk{}, false
	}
	d, data, ok := w.turn()
	return d, Chunk{Data: data, At: time.Now()}, ok
}

func (w *redisWire) NextUntil(time.Time) (d Direction, c Chunk, due, ok bool) {
	d, c, ok = w.Next()
	return d, c, false, ok
}
func (*redisWire) Wait(time.Time) bool { return true }
func (*redisWire) Began() time.Time    { return time.Now() }
func (*redisWire) Bite(int, string)    {}
func (*redisWire) Close()              { panic("closed") }
func (*redisWire) Reset()              { panic("reset") }

// run plays the program to its end, with the fault on and off by turns.
func (w *redisWire) run() {
	for len(w.program)+len(w.model.answers) > 0 {
		for off := w.random.IntN(6); off > 0 && !w.again; off-- {
			if d, data, ok := w.turn(); ok {
				w.session.Sees(d, data)
				w.Pass(d, Chunk{Data: data})
			}
		}
		w.again = false
		w.session.Run(w)
	}
}

// asked is a command of the program, and the answers that it may get.
type asked struct {
	text    string
	answers []string
}

// writeProgram makes commands at random.
func writeProgram(random *rand.Rand) []asked {
	var program []asked
	for i := range 5 + random.IntN(30) {
		n := strconv.Itoa(i)
		echo := asked{cmd("ECHO", n), []string{fmt.Sprintf("$%d\r\n%s\r\n", len(n), n)}}
		set := asked{cmd("SET", "k", n), []string{"+OK\r\n", readonly}}
		switch random.IntN(4) {
		case 0:
			program = append(program, echo)
		case 1:
			set.text = cmd("SET", "k", strings.Repeat(n, 1+random.IntN(200)))
			program = append(program, set)
		case 2:
			program = append(program, asked{"ECHO " + n + "\r\n", echo.answers})
		case 3:
			program = append(program, asked{cmd("MULTI"), []string{"+OK\r\n"}})
			for range random.IntN(4) {
				if random.IntN(2) == 0 {
					program = append(program, asked{echo.text, []string{"+QUEUED\r\n"}})
				} else {
					program = append(program, asked{set.text, []string{"+QUEUED\r\n", readonly}})
				}
			}
			program = append(program, asked{cmd("EXEC"), []string{"*", "-EXECABORT Transaction discarded because of previous errors.\r\n",
				"-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.\r\n", "+OK\r\n"}})
		}
	}
	return program
}

// TestRedisOrder: however the fault comes and goes and however the bytes are cut, each command gets one answer, its own, and in order. The same on
// a connection whose beginning was not seen.
func TestRedisOrder(t *testing.T) {
	for whole, seeds := range map[bool]uint64{true: 3000, false: 1000} {
		for seed := range seeds {
			random := rand.New(rand.NewPCG(seed, 7))
			s := newRedisSession(newRedisFault("READONLY", ""), random, whole)
			program := writeProgram(random)
			w := &redisWire{random: random, session: s}
			for _, a := range program {
				w.program = append(w.program, a.text...)
			}
			w.run()
			rest := string(w.answered)
			for i, a := range program {
				got := takeAnswer(t, &rest)
				matches := false
				for _, want := range a.answers {
					matches = matches || got == want || want == "*" && got[0] == '*'
				}
				require.True(t, matches, "whole %v, seed %d, command %d, %q: got %q", whole, seed, i, a.text, got)
			}
			require.Empty(t, rest, "seed %d", seed)
		}
	}
}

// takeAnswer takes a complete answer off a text.
func takeAnswer(t *testing.T, text *string) string {
	t.Helper()
	var r respReply
	n, event := r.feed([]byte(*text))
	require.Equal(t, respEnd, event, "an answer is missing")
	out := (*text)[:n]
	*text = (*text)[n:]
	return out
}
