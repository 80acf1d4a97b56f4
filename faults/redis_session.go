package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// redisSession follows one connection of Redis and answers in the place of a server in some state.
//
// The order of the answers is kept without ever inventing one: a refused command that stands behind others waits, together with all that the client
// sent after it, until those are answered. So at the lift everything that waits is simply passed on. Only where that is impossible does a command with
// a name that no server knows go to the dependency in the place of the refused one, and its error is replaced on the way back: inside of MULTI, where
// the server must know that the transaction failed; behind an UNSUBSCRIBE whose answers cannot be counted; for a command that is too long to be
// held; and on a connection whose beginning was not seen, to find the place in the stream of answers. After the lift such errors are still heard out.
type redisSession struct {
	state redisState
	mark  []byte // the name that no server knows
	marks uint64 // counts them

	talk   Talk // nil: the fault is off
	at     time.Time
	out    [2][]byte // by Direction: small pieces that are passed together
	ended  [2]bool
	lifted bool // what is still held is passed

	// What the client sends.
	requests respRequest
	up       redisSync
	doing    redisDoing
	command  redisCommand
	verdict  redisVerdict
	held     []byte // of the command, not passed yet
	waiting  bool   // a refused command is complete and its turn has not come
	forced   bool   // too much waited: the next refusals do not wait
	marked   time.Time
	strays   []redisStray // while it is lost: what was sent to find the place, oldest first
	backlog  []byte       // what the client sent after it
	fresh    bool         // the fault was there before the client spoke
	spoken   bool
	tx       redisTx
	silent   bool // CLIENT REPLY OFF
	skip     bool // CLIENT REPLY SKIP

	queuedAll, queuedAny redisFlags // of the commands of the transaction

	// What the dependency answers.
	replies    respReply
	down       redisSync
	queue      []redisReply
	early      int // answers that were seen before their commands
	holding    bool
	line       []byte // an answer that may be replaced
	subscribed bool   // RESP2: only a few commands are allowed
}

// redisSync is how well one direction is understood.
type redisSync int

const (
	redisReads redisSync = iota
	redisLost            // where messages begin is not known yet
	redisBlind           // everything passes, for ever
)

// redisDoing is what is done with the command of which bytes come.
type redisDoing int

const (
	redisUndecided redisDoing = iota
	redisPasses
	redisRefuses
)

type redisTx int

const (
	txNone redisTx = iota
	txOpen
	txUnknown
)

const (
	redisHeld     = 64 << 10 // a longer command is not held, but made one that fails
	redisBacklog  = 256 << 10
	redisPatience = 2 * time.Second // for the answer that shows the place
)

func newRedisSession(state redisState, random *rand.Rand, whole bool) *redisSession {
	s := &redisSession{state: state, marks: random.Uint64()}
	s.remark()
	s.requests.wanted = redisWords
	s.fresh = whole
	if !whole {
		s.up, s.down, s.tx = redisLost, redisLost, txUnknown
	}
	return s
}

// remark takes another name that no server knows.
func (s *redisSession) remark() {
	s.marks++
	s.mark = fmt.Appendf(nil, "chaos%016x", s.marks)
}

// Sees follows the connection while the fault is off.
func (s *redisSession) Sees(d Direction, data []byte) {
	s.spoken, s.fresh = true, false
	s.hear(d, data)
}

// Run answers while the fault is on.
func (s *redisSession) Run(talk Talk) {
	s.talk, s.at = talk, time.Now()
	defer func() { s.talk = nil }()
	if s.state.greets && s.fresh && !s.spoken {
		s.refuse(0, "a new connection")
		s.tell(s.state.text)
		s.flush()
		talk.Close()
		return
	}
	s.spoken = true
	for {
		d, c, ok := s.next()
		if !ok {
			s.letGo()
			return
		}
		s.treat(d, c)
	}
}

// treat takes one chunk.
func (s *redisSession) treat(d Direction, c Chunk) {
	s.at = c.At
	if c.Data == nil {
		s.end(d, c)
		return
	}
	s.hear(d, c.Data)
	s.flush()
}

// next waits for a chunk, but not for ever for the answer that shows the place in the stream.
func (s *redisSession) next() (Direction, Chunk, bool) {
	for s.waiting && !s.marked.IsZero() {
		d, c, due, ok := s.talk.NextUntil(s.marked.Add(redisPatience))
		if !due {
			return d, c, ok
		}
		s.giveUp()
		s.flush()
	}
	return s.talk.Next()
}

func (s *redisSession) hear(d Direction, data []byte) {
	if d == Upstream {
		s.asks(data)
		return
	}
	s.answers(data)
}

// end passes the end of a direction; what a client still waits for comes first.
func (s *redisSession) end(d Direction, c Chunk) {
	if d == Upstream && s.waiting {
		s.ended[Upstream] = true // passed by resume
		return
	}
	if d == Upstream {
		s.emit(Upstream, s.held)
		s.held = nil
	} else {
		s.emit(Downstream, s.line)
		s.line, s.holding, s.queue, s.strays = nil, false, nil, nil
	}
	s.flush()
	s.ended[d] = true
	s.talk.Pass(d, c)
	if d == Downstream && s.waiting { // nobody can be answered any more
		s.settle()
		s.later()
		s.flush()
	}
}

// emit passes bytes on while the fault is on. While it is off they have passed already.
func (s *redisSession) emit(d Direction, data []byte) {
	if s.talk == nil || len(data) == 0 || d == Downstream && s.ended[d] {
		return
	}
	const large = 2 << 10
	if len(data) < large {
		s.out[d] = append(s.out[d], data...)
		return
	}
	s.flush()
	s.talk.Pass(d, Chunk{Data: data, At: s.at})
}

func (s *redisSession) flush() {
	for _, d := range []Direction{Upstream, Downstream} {
		if len(s.out[d]) > 0 {
			s.talk.Pass(d, Chunk{Data: s.out[d], At: s.at})
			s.out[d] = nil
		}
	}
}

// tell answers the client.
func (s *redisSession) tell(text string) { s.emit(Downstream, []byte("-"+text+"\r\n")) }

// refuse is the bite.
func (s *redisSession) refuse(bytes int, what string) {
	if s.talk != nil {
		s.talk.Bite(bytes, "answers "+s.state.name+" to "+what)
	}
}

// letGo passes at the lift what is held, and hears out what stands for refused commands, so that the connection goes on as if nothing had been.
func (s *redisSession) letGo() {
	s.lifted = true
	defer func() { s.lifted = false }()
	switch {
	case s.waiting && !s.marked.IsZero():
		s.giveUp()
	case s.waiting:
		s.waiting = false
		s.doing = redisRefuses
		s.pass(redisVerdict{})
		s.later()
	case s.doing == redisRefuses:
		s.pass(redisVerdict{})
	case s.doing == redisUndecided && len(s.held) > 0:
		s.emit(Upstream, s.held)
		s.held, s.doing = nil, redisPasses
	}
	s.flush()
	settler, ok := s.talk.(Settler)
	if !ok {
		s.emit(Downstream, s.line)
		s.line, s.holding = nil, false
		s.flush()
	}
	for ok && s.owes() {
		var d Direction
		var c Chunk
		if d, c, ok = settler.Settle(); ok {
			s.treat(d, c)
		}
	}
}

// owes says whether an answer is to come that the client must not get as it is.
func (s *redisSession) owes() bool {
	return len(s.strays) > 0 || slices.ContainsFunc(s.queue, redisReply.replaced)
}

// later treats what the client sent behind a command that had to wait.
func (s *redisSession) later() {
	data := s.backlog
	s.backlog = nil
	s.asks(data)
	if s.ended[Upstream] && !s.waiting {
		s.flush()
		s.talk.Pass(Upstream, Chunk{At: s.at})
	}
}

// giveUp stops looking for the place in the stream of answers. At the lift there may be another chance; else this connection passes untouched.
func (s *redisSession) giveUp() {
	s.settle()
	s.up = redisBlind
	s.later()
	if s.lifted {
		s.up = redisLost
		s.remark()
	}
}

// settle forgets the command that waited.
func (s *redisSession) settle() { s.waiting, s.marked, s.held = false, time.Time{}, nil }

// quiet says that the dependency owes no answer and is not in the middle of one.
func (s *redisSession) quiet() bool {
	return len(s.queue) == 0 && s.replies.between() && s.down != redisLost
}

// resume answers the command that waited, once all before it are answered.
func (s *redisSession) resume() {
	if !s.waiting || !s.quiet() {
		return
	}
	s.settle()
	s.tell(s.inWords(s.verdict.answer, s.command.name))
	s.later()
}
