package faults

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// redisVerdict is what becomes of one command. The zero value: it passes.
type redisVerdict struct {
	answer string // the error that the client is told; empty: what the dependency answers
	pass   bool   // the command reaches the dependency nevertheless, and only its answer is replaced
	send   []byte // what reaches the dependency in the place of the command; nil: the command
	script string // the command's name is replaced by this one, which runs a script without letting it write
}

func (v redisVerdict) refuses() bool { return v.answer != "" && !v.pass && v.send == nil }

// judge decides about a command of which enough words are known.
func (s *redisSession) judge(c redisCommand) redisVerdict {
	r, f := &s.requests, s.state
	switch {
	case f.greets || !c.known || !c.takes(r.count):
		return redisVerdict{} // the dependency has its own words for a command that it does not know
	case f.name == "NOAUTH" || f.name == "WRONGPASS":
		return s.judgeAuth(c)
	case s.tx == txOpen && c.flags&redisNoMulti != 0:
		return redisVerdict{} // refused for another reason
	case c.name == "exec":
		return s.judgeExec(c)
	case f.name == "OOM" && s.tx == txOpen && !slices.Contains([]string{"discard", "quit", "reset"}, c.name):
		return redisVerdict{answer: f.text} // a transaction could take any amount of memory
	}
	switch f.name {
	case "CLUSTERDOWN":
		c.flags = s.keysOf(c)
	case "MASTERDOWN":
		if strings.HasPrefix(c.name, "eval") || strings.HasPrefix(c.name, "fcall") {
			c.flags &^= redisStale // the command may come, but a script that does not say so is not run; whether there is one is not known here
		}
	}
	if f.refuses(c) {
		return redisVerdict{answer: f.text}
	}
	if to, ok := redisReadOnly[c.name]; ok && f.scripts {
		return redisVerdict{script: to}
	}
	return redisVerdict{}
}

// inWords returns what a refused command is answered when its turn has come: in RESP2 a connection that listens then meets another refusal first.
func (s *redisSession) inWords(answer, name string) string {
	if s.state.late && s.subscribed && name != "" && !slices.Contains(redisInSubscription, name) {
		return "ERR Can't execute '" + name + "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
	}
	return answer
}

// redisInSubscription are the commands that it may use.
var redisInSubscription = []string{"ping", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "quit", "reset"}

// redisReadOnly are the commands that run the same script, but stop it where it writes. EVAL itself is no write command: the server refuses what
// the script does, and so does this.
var redisReadOnly = map[string]string{"eval": "EVAL_RO", "evalsha": "EVALSHA_RO", "fcall": "FCALL_RO"}

// judgeExec refuses a transaction whose commands were accepted before the fault came on. The dependency discards it; one in which a command was
// refused is left to the dependency, which knows.
func (s *redisSession) judgeExec(c redisCommand) redisVerdict {
	if s.tx == txOpen {
		c.flags = c.flags&s.queuedAll | s.queuedAny&(redisWrite|redisDenyOOM|redisKeys)
	}
	if !s.state.refuses(c) {
		return redisVerdict{}
	}
	v := redisVerdict{answer: "EXECABORT Transaction discarded because of: " + s.state.text, send: respCommand([]byte("DISCARD"))}
	if s.state.name == "CLUSTERDOWN" {
		v.answer = s.state.text
	}
	return v
}

// judgeAuth plays a server whose password the client does not have. What it says reaches the dependency all the same, so that the connection can be
// used after the lift; only the answer is another.
func (s *redisSession) judgeAuth(c redisCommand) redisVerdict {
	words, wrong := s.requests.words, redisWrongPassText
	exempt := s.state.name == "WRONGPASS" && !s.fresh
	if s.state.name == "WRONGPASS" {
		wrong = s.state.text
	}
	switch {
	case c.name == "auth" && len(words) <= 3:
		return redisVerdict{answer: wrong, pass: true}
	case c.name == "hello":
		version, err := 0, error(nil)
		if len(words) > 1 {
			version, err = strconv.Atoi(string(words[1]))
		}
		if err != nil || len(words) > 1 && version != 2 && version != 3 {
			return redisVerdict{}
		}
		at := slices.IndexFunc(words, func(w []byte) bool { return bytes.EqualFold(w, []byte("auth")) })
		if at > 1 && at+2 < len(words) && len(words) == s.requests.count {
			return redisVerdict{answer: wrong, send: respCommand([]byte("AUTH"), words[at+1], words[at+2])}
		}
		if exempt {
			return redisVerdict{}
		}
		return redisVerdict{answer: redisHelloText}
	case exempt || !s.state.refuses(c):
		return redisVerdict{}
	}
	text := s.state.text
	if s.state.name == "WRONGPASS" {
		text = redisNoAuthText
	}
	if c.name == "exec" {
		return redisVerdict{answer: "EXECABORT Transaction discarded because of: " + text, send: respCommand([]byte("DISCARD"))}
	}
	return redisVerdict{answer: text}
}

// redisNumKeys is where the number of keys stands in commands that have such a word before their keys.
var redisNumKeys = map[string]int{
	"eval": 2, "evalsha": 2, "fcall": 2, "eval_ro": 2, "evalsha_ro": 2, "fcall_ro": 2,
	"lmpop": 1, "zmpop": 1, "sintercard": 1, "zintercard": 1, "zinter": 1, "zunion": 1, "zdiff": 1, "blmpop": 2, "bzmpop": 2,
}

// keysOf says whether a command takes keys, in the sense of a cluster that looks for their slot.
func (s *redisSession) keysOf(c redisCommand) redisFlags {
	words := s.requests.words
	if c.name == "spublish" || c.name == "ssubscribe" || c.name == "sunsubscribe" {
		return c.flags &^ redisKeys // cluster-allow-pubsubshard-when-down is the default
	}
	if at, ok := redisNumKeys[c.name]; ok && at < len(words) {
		if n, err := strconv.Atoi(string(words[at])); err != nil || n <= 0 {
			return c.flags &^ redisKeys
		}
	}
	return c.flags
}

// redisWords says how many words of a command must be known.
func redisWords(words [][]byte) int {
	if len(words) == 0 {
		return 1
	}
	name := strings.ToLower(string(words[0]))
	switch name {
	case "client":
		return 3
	case "auth", "hello":
		return respFew
	}
	if at, ok := redisNumKeys[name]; ok {
		return at + 1
	}
	if lookRedis(words[:1]).parts {
		return 2
	}
	return 1
}

// scriptRefused makes of the answer of a script that was not let write what a server in the state says; empty: the answer is what it is.
func (s *redisSession) scriptRefused(line string) string {
	const inside, whole = "-ERR Write commands are not allowed from read-only scripts", "-ERR Can not execute a script with write flag using *_ro command"
	switch rest, found := strings.CutPrefix(line, inside); {
	case found:
		return s.state.text + strings.TrimPrefix(rest, ".")
	case strings.HasPrefix(line, whole), strings.HasPrefix(line, "-ERR unknown command"):
		return s.state.text
	}
	return ""
}
