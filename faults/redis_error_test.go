package faults

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The commands of these tests, as a client writes them.
func cmd(words ...string) string {
	var raw [][]byte
	for _, w := range words {
		raw = append(raw, []byte(w))
	}
	return string(respCommand(raw...))
}

func redisConversation(state string, whole bool) *redisSession {
	return newRedisSession(newRedisFault(state, ""), seeded(), whole)
}

func markOf() string { return string(redisConversation("LOADING", true).mark) }

func unknown(name string) string {
	return "-ERR unknown command '" + name + "', with args beginning with: \r\n"
}

const (
	loadingError = "-LOADING Redis is loading the dataset in memory\r\n"
	readonly     = "-READONLY You can't write against a read only replica.\r\n"
)

// redisStep is what one side says: ">" the client, "<" the dependency, "lift", "arm".
type redisStep struct{ who, text string }

// redisOutcome is what reached both sides.
type redisOutcome struct{ up, down, closed string }

// play runs a conversation: the fault is on from the first redisStep (or the first "arm") until a "lift" or the end of the script. While it is off, the bytes
// pass, and the session sees them.
func play(s *redisSession, steps []redisStep) redisOutcome {
	f := &fakeTalk{}
	on := true
	for _, st := range steps {
		on = on && st.who != "arm"
	}
	run := func() {
		if on && len(f.script) > 0 {
			s.Run(f)
			f.script = nil
		}
	}
	for _, st := range steps {
		d := Downstream
		if st.who == ">" {
			d = Upstream
		}
		switch {
		case st.who == "lift":
			run()
			on = false
		case st.who == "arm":
			on = true
		case on && st.who == "end":
			f.script = append(f.script, heardLine{Upstream, nil})
		case on:
			f.script = append(f.script, heardLine{d, []byte(st.text)})
		default:
			s.Sees(d, []byte(st.text))
			f.passed[d] = append(f.passed[d], st.text...)
		}
	}
	run()
	return redisOutcome{string(f.passed[Upstream]), string(f.passed[Downstream]), f.closed}
}

// split cuts the nth byte border into a script.
func split(steps []redisStep, n int) []redisStep {
	var out []redisStep
	for _, s := range steps {
		if n > 0 && n < len(s.text) {
			out = append(out, redisStep{s.who, s.text[:n]}, redisStep{s.who, s.text[n:]})
		} else {
			out = append(out, s)
		}
		n -= len(s.text)
	}
	return out
}

// everyWay plays a script whole, cut at every byte, and byte by byte, and expects the same each time.
func everyWay(t *testing.T, state string, steps []redisStep, want redisOutcome) {
	t.Helper()
	length := 0
	for _, s := range steps {
		length += len(s.text)
	}
	for n := range length {
		require.Equal(t, want, play(redisConversation(state, true), split(steps, n)), "cut at %d", n)
	}
	var bytewise []redisStep
	for _, s := range steps {
		if s.text == "" {
			bytewise = append(bytewise, s)
		}
		for i := range len(s.text) {
			bytewise = append(bytewise, redisStep{s.who, s.text[i : i+1]})
		}
	}
	require.Equal(t, want, play(redisConversation(state, true), bytewise), "byte by byte")
}

func TestRedisRefuses(t *testing.T) {
	mark := cmd(markOf())
	long := strings.Repeat("v", 300)
	for name, c := range map[string]struct {
		state string
		steps []redisStep
		up    string
		down  string
	}{
		"one":                                  {"LOADING", []redisStep{{">", cmd("GET", "a")}}, "", loadingError},
		"what a loading server answers passes": {"LOADING", []redisStep{{">", cmd("INFO")}, {"<", "$3\r\nabc\r\n"}}, cmd("INFO"), "$3\r\nabc\r\n"},
		"in order": {"LOADING", []redisStep{{">", cmd("INFO") + cmd("GET", "a") + cmd("HELLO", "3")}, {"<", "$3\r\nabc\r\n"}, {"<", "%1\r\n+a\r\n:1\r\n"}},
			cmd("INFO") + cmd("HELLO", "3"), "$3\r\nabc\r\n" + loadingError + "%1\r\n+a\r\n:1\r\n"},
		"inline":                {"READONLY", []redisStep{{">", "get a\r\nSET a \"b c\"\r\n\r\n*0\r\nget b\n"}, {"<", "$-1\r\n"}, {"<", "$-1\r\n"}}, "get a\r\n\r\n*0\r\nget b\n", "$-1\r\n" + readonly + "$-1\r\n"},
		"arity is not ours":     {"LOADING", []redisStep{{">", cmd("GET")}, {"<", "-ERR wrong\r\n"}}, cmd("GET"), "-ERR wrong\r\n"},
		"nor are unknown names": {"LOADING", []redisStep{{">", cmd("NOPE", "a") + cmd("CLIENT", "NOPE")}, {"<", "-ERR a\r\n-ERR b\r\n"}}, cmd("NOPE", "a") + cmd("CLIENT", "NOPE"), "-ERR a\r\n-ERR b\r\n"},
		"a command of a module": {"LOADING", []redisStep{{">", cmd("JSON.GET", "a")}}, "", loadingError},
		"a newer command":       {"READONLY", []redisStep{{">", cmd("HEXPIRE", "a", "1", "FIELDS", "1", "f")}}, "", readonly},
		"values pass": {"READONLY", []redisStep{{">", cmd("SET", "a", long) + cmd("GET", "a")}, {"<", "$300\r\n" + long + "\r\n"}},
			cmd("GET", "a"), readonly + "$300\r\n" + long + "\r\n"},
		"nested answers": {"READONLY", []redisStep{{">", cmd("XREAD", "STREAMS", "a", "0") + cmd("SET", "a", "b")},
			{"<", "*3\r\n*1\r\n$1\r\na\r\n*-1\r\n|1\r\n+k\r\n*1\r\n:1\r\n~1\r\n#t\r\n"}},
			cmd("XREAD", "STREAMS", "a", "0"), "*3\r\n*1\r\n$1\r\na\r\n*-1\r\n|1\r\n+k\r\n*1\r\n:1\r\n~1\r\n#t\r\n" + readonly},
		"pushes are no answers": {"READONLY", []redisStep{{">", cmd("GET", "a") + cmd("SET", "a", "b")}, {"<", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"}, {"<", "+x\r\n"}},
			cmd("GET", "a"), ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n+x\r\n" + readonly},
		"inside of MULTI": {"READONLY", []redisStep{{">", cmd("MULTI") + cmd("GET", "a") + cmd("SET", "a", "b") + cmd("EXEC")}, {"<", "+OK\r\n+QUEUED\r\n" + unknown(markOf()) + "-EXECABORT x\r\n"}},
			cmd("MULTI") + cmd("GET", "a") + mark + cmd("EXEC"), "+OK\r\n+QUEUED\r\n" + readonly + "-EXECABORT x\r\n"},
		"a script that writes": {"READONLY", []redisStep{{">", cmd("EVAL", "x", "0") + cmd("EVAL", "y", "0")},
			{"<", "-ERR Write commands are not allowed from read-only scripts. script: abc, on @user_script:1.\r\n:1\r\n"}},
			cmd("EVAL_RO", "x", "0") + cmd("EVAL_RO", "y", "0"), strings.TrimSuffix(readonly, "\r\n") + " script: abc, on @user_script:1.\r\n:1\r\n"},
		"an inline script": {"READONLY", []redisStep{{">", "eval 'return 1' 0\r\n"}, {"<", ":1\r\n"}}, cmd("EVAL_RO", "return 1", "0"), ":1\r\n"},
		"no answers wanted": {"READONLY", []redisStep{{">", cmd("CLIENT", "REPLY", "OFF") + cmd("SET", "a", "b") + cmd("GET", "a") + cmd("CLIENT", "REPLY", "ON") + cmd("SET", "a", "b")}, {"<", "+OK\r\n"}},
			cmd("CLIENT", "REPLY", "OFF") + cmd("GET", "a") + cmd("CLIENT", "REPLY", "ON"), "+OK\r\n" + readonly},
		"one answer skipped": {"READONLY", []redisStep{{">", cmd("CLIENT", "REPLY", "SKIP") + cmd("SET", "a", "b") + cmd("SET", "a", "b")}}, cmd("CLIENT", "REPLY", "SKIP") + mark, readonly},
		"a subscription": {"READONLY", []redisStep{{">", cmd("SUBSCRIBE", "a", "b")}, {"<", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"}, {">", cmd("SET", "a", "b")},
			{"<", "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"}},
			cmd("SUBSCRIBE", "a", "b"), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n" + readonly},
		"an end of all subscriptions": {"READONLY", []redisStep{{">", cmd("UNSUBSCRIBE") + cmd("SET", "a", "b") + cmd("GET", "a") + cmd("SET", "a", "b")},
			{"<", ">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n" + unknown(markOf()) + "+x\r\n" + unknown(markOf())}},
			cmd("UNSUBSCRIBE") + mark + cmd("GET", "a") + mark,
			">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n" + readonly + "+x\r\n" + readonly},
		"monitor passes": {"READONLY", []redisStep{{">", cmd("MONITOR")}, {"<", "+OK\r\n+1.2 [0] \"x\"\r\n"}, {">", cmd("SET", "a", "b")}},
			cmd("MONITOR") + cmd("SET", "a", "b"), "+OK\r\n+1.2 [0] \"x\"\r\n"},
		"nonsense passes": {"READONLY", []redisStep{{">", cmd("SET", "a", "b") + "*1\r\nnonsense\r\n" + cmd("SET", "a", "b")}, {"<", "-ERR Protocol error\r\n"}},
			"*1\r\nnonsense\r\n" + cmd("SET", "a", "b"), readonly + "-ERR Protocol error\r\n"},
		"an answer that is none":    {"READONLY", []redisStep{{">", cmd("GET", "a")}, {"<", "HTTP/1.1 400\r\n\r\n"}}, cmd("GET", "a"), "HTTP/1.1 400\r\n\r\n"},
		"AUTH":                      {"NOAUTH", []redisStep{{">", cmd("AUTH", "x") + cmd("PING")}, {"<", "+OK\r\n"}}, cmd("AUTH", "x"), "-" + redisWrongPassText + "\r\n-" + redisNoAuthText + "\r\n"},
		"HELLO":                     {"NOAUTH", []redisStep{{">", cmd("HELLO", "3") + cmd("HELLO", "3", "AUTH", "u", "p")}, {"<", "+OK\r\n"}}, cmd("AUTH", "u", "p"), "-" + redisHelloText + "\r\n-" + redisWrongPassText + "\r\n"},
		"a ping while saving fails": {"MISCONF", []redisStep{{">", cmd("PING")}}, "", "-MISCONF " + redisMisconfText + "\r\n"},
		"keys are down":             {"CLUSTERDOWN", []redisStep{{">", cmd("PING") + cmd("EVAL", "return 1", "0") + cmd("EVAL", "return 1", "1", "k") + cmd("MGET", "a")}, {"<", "+PONG\r\n:1\r\n"}}, cmd("PING") + cmd("EVAL", "return 1", "0"), "+PONG\r\n:1\r\n-CLUSTERDOWN The cluster is down\r\n-CLUSTERDOWN The cluster is down\r\n"},
		"full in a transaction":     {"OOM", []redisStep{{">", cmd("MULTI") + cmd("GET", "a") + cmd("DISCARD")}, {"<", "+OK\r\n" + unknown(markOf()) + "+OK\r\n"}}, cmd("MULTI") + mark + cmd("DISCARD"), "+OK\r\n-OOM command not allowed when used memory > 'maxmemory'.\r\n+OK\r\n"},
	} {
		t.Run(name, func(t *testing.T) { everyWay(t, c.state, c.steps, redisOutcome{up: c.up, down: c.down}) })
	}
}

// TestRedisLift: what waits is passed, and nothing is answered twice or never.
func TestRedisLift(t *testing.T) {
	mark := cmd(markOf())
	for name, c := range map[string]struct {
		steps    []redisStep
		up, down string
	}{
		"a command that waits is done": {[]redisStep{{">", cmd("GET", "a") + cmd("SET", "a", "b") + cmd("GET", "b")}, {"lift", ""}, {"<", "+x\r\n+OK\r\n+y\r\n"}, {">", cmd("SET", "a", "c")}},
			cmd("GET", "a") + cmd("SET", "a", "b") + cmd("GET", "b") + cmd("SET", "a", "c"), "+x\r\n+OK\r\n+y\r\n"},
		"and the next fault knows where it is": {[]redisStep{{">", cmd("GET", "a") + cmd("SET", "a", "b") + cmd("GET", "b")}, {"lift", ""}, {"<", "+x\r\n"}, {"on", ""}, {">", cmd("SET", "c", "d")}, {"<", "+OK\r\n+y\r\n"}},
			cmd("GET", "a") + cmd("SET", "a", "b") + cmd("GET", "b"), "+x\r\n+OK\r\n+y\r\n" + readonly},
		"it comes again": {[]redisStep{{">", cmd("SET", "a", "b")}, {"lift", ""}, {">", cmd("SET", "a", "c")}, {"<", "+OK\r\n"}, {"on", ""}, {">", cmd("SET", "a", "d")}},
			cmd("SET", "a", "c"), readonly + "+OK\r\n" + readonly},
		"a transaction stays failed": {[]redisStep{{">", cmd("MULTI") + cmd("SET", "a", "b")}, {"<", "+OK\r\n" + unknown(markOf())}, {"lift", ""}, {">", cmd("EXEC")}, {"<", "-EXECABORT x\r\n"}},
			cmd("MULTI") + mark + cmd("EXEC"), "+OK\r\n" + readonly + "-EXECABORT x\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			length := 0
			for _, s := range c.steps {
				length += len(s.text)
			}
			for n := range length {
				s := redisConversation("READONLY", true)
				assert.Equal(t, redisOutcome{up: c.up, down: c.down}, playParts(s, split(c.steps, n)), "cut at %d", n)
			}
		})
	}
}

// playParts is play where "on" arms again after a "lift".
func playParts(s *redisSession, steps []redisStep) redisOutcome {
	var sum redisOutcome
	part, on := []redisStep{}, true
	flush := func() {
		if !on {
			part = append(part, redisStep{"arm", ""})
		}
		o := play(s, part)
		sum.up, sum.down, sum.closed = sum.up+o.up, sum.down+o.down, o.closed
		part = nil
	}
	for _, st := range steps {
		switch st.who {
		case "lift", "on":
			flush()
			on = st.who == "on"
		default:
			part = append(part, st)
		}
	}
	flush()
	return sum
}

// TestRedisLiftInsideACommand: the part of a command that was withheld is passed, and the rest follows by itself.
func TestRedisLiftInsideACommand(t *testing.T) {
	all := cmd("SET", "a", strings.Repeat("v", 200))
	for n := 1; n < len(all); n++ {
		s := redisConversation("READONLY", true)
		got := playParts(s, []redisStep{{">", all[:n]}, {"lift", ""}, {">", all[n:]}, {"<", "+OK\r\n"}, {"on", ""}, {">", all}})
		assert.Equal(t, redisOutcome{up: all, down: "+OK\r\n" + readonly}, got, "lifted at %d", n)
	}
}

// TestRedisArmedInTheMiddle: a command that had begun before the fault came on passes; the next is refused behind its answer.
func TestRedisArmedInTheMiddle(t *testing.T) {
	all := cmd("SET", "a", "b")
	for n := 1; n <= len(all); n++ {
		got := playParts(redisConversation("READONLY", true), []redisStep{{"lift", ""}, {">", all[:n]}, {"on", ""}, {">", all[n:] + all}, {"<", "+OK\r\n"}})
		assert.Equal(t, redisOutcome{up: all, down: "+OK\r\n" + readonly}, got, "armed at %d", n)
	}
}

// TestRedisExecOfBefore: a transaction whose commands were accepted before is refused as a whole, and discarded.
func TestRedisExecOfBefore(t *testing.T) {
	for state, want := range map[string]string{
		"READONLY":    "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.\r\n",
		"CLUSTERDOWN": "-CLUSTERDOWN The cluster is down\r\n",
		"LOADING":     "-EXECABORT Transaction discarded because of: LOADING Redis is loading the dataset in memory\r\n",
	} {
		got := playParts(redisConversation(state, true), []redisStep{{"lift", ""}, {">", cmd("MULTI") + cmd("SET", "a", "b")}, {"<", "+OK\r\n+QUEUED\r\n"}, {"on", ""},
			{">", cmd("EXEC")}, {"<", "+OK\r\n"}, {">", cmd("SET", "a", "b")}})
		assert.Equal(t, cmd("MULTI")+cmd("SET", "a", "b")+cmd("DISCARD"), got.up)
		assert.Equal(t, "+OK\r\n+QUEUED\r\n"+want+"-"+newRedisFault(state, "").text+"\r\n", got.down)
	}
}

// TestRedisLong: a command that is too long to be held reaches the dependency under a name that it does not know.
func TestRedisLong(t *testing.T) {
	value := strings.Repeat("v", 3*redisHeld)
	all := cmd("SET", "a", value)
	s := redisConversation("READONLY", true)
	var steps []redisStep
	for chunk := range bytes.SplitSeq(bytes.ReplaceAll([]byte(all), []byte("vvvvvvvvvvvvvvvv"), []byte("vvvvvvvvvvvvvvvv|")), []byte("|")) {
		steps = append(steps, redisStep{">", string(chunk)})
	}
	steps = append(steps, redisStep{"<", unknown(string(s.mark))}, redisStep{">", cmd("SET", "a", "b")})
	assert.Equal(t, redisOutcome{up: cmd(string(s.mark), "a", value), down: readonly + readonly}, play(s, steps))
	assert.LessOrEqual(t, cap(s.held), 2*redisHeld)
}

// TestRedisPipelineIsBounded: behind an answer that does not come, refused commands are held up to a bound, and then stood for.
func TestRedisPipelineIsBounded(t *testing.T) {
	s := redisConversation("READONLY", true)
	const many = 40_000
	f := &fakeTalk{script: []heardLine{{Upstream, []byte(cmd("BLPOP", "a", "0") + cmd("GET", "a"))}}}
	for range many {
		f.script = append(f.script, heardLine{Upstream, []byte(cmd("SET", "a", "b"))})
	}
	s.Run(f)
	_ = s
	// BLPOP is a write command: it is refused at once, and GET is outstanding.
	text := string(f.passed[Upstream])
	assert.True(t, strings.HasPrefix(text, cmd("GET", "a")+cmd(string(s.mark))), "%.100q", text)
	assert.Equal(t, many, strings.Count(text, cmd(string(s.mark)))+strings.Count(text, cmd("SET", "a", "b")))
	assert.LessOrEqual(t, cap(s.backlog), 4*redisBacklog)
	assert.LessOrEqual(t, len(s.queue), 3, "equal answers are counted")
}

// TestRedisOfUnknownPlace: a fault that comes to a connection of which it has seen nothing finds its place by itself.
func TestRedisOfUnknownPlace(t *testing.T) {
	mark := markOf()
	answer := "$5\r\nhello\r\n"
	steps := []redisStep{
		{">", "the rest of a value\r\n"}, {"<", answer},
		{">", cmd("GET", "x")}, {">", cmd("SET", "a", "b") + cmd("SET", "c", "d")},
		{"<", answer + answer + unknown(mark)},
		{">", cmd("SET", "a", "b")},
	}
	want := redisOutcome{up: "the rest of a value\r\n" + cmd("GET", "x") + cmd(mark), down: answer + answer + answer + readonly}
	got := play(redisConversation("READONLY", false), steps)
	// Whether a transaction is open is not known, so each refusal leaves its trace there.
	assert.Equal(t, want.up+cmd(mark)+cmd(mark), got.up)
	assert.Equal(t, want.down, got.down)

	down := answer + answer + unknown(mark)
	for n := 1; n < len(down); n++ {
		steps[4] = redisStep{"<", down[:n]}
		cut := append(append([]redisStep{}, steps[:5]...), redisStep{"<", down[n:]}, steps[5])
		assert.Equal(t, got, play(redisConversation("READONLY", false), cut), "cut at %d", n)
	}
	for n := 1; n <= len(mark); n++ { // lifted while it looks
		o := playParts(redisConversation("READONLY", false), []redisStep{{">", cmd("SET", "a", "b") + cmd("GET", "c")}, {"lift", ""}, {"<", unknown(mark) + "+x\r\n"}})
		assert.Equal(t, redisOutcome{up: cmd(mark) + cmd("GET", "c"), down: unknown(mark) + "+x\r\n"}, o)
	}
}

// TestRedisGreets: new connections are turned away, open ones are not.
func TestRedisGreets(t *testing.T) {
	f := &fakeTalk{script: []heardLine{{Upstream, []byte(cmd("PING"))}}}
	redisConversation("MAXCLIENTS", true).Run(f)
	assert.Equal(t, "-ERR max number of clients reached\r\n", string(f.passed[Downstream]))
	assert.Equal(t, "close", f.closed)
	assert.Empty(t, f.passed[Upstream])
	assert.Equal(t, []string{"answers MAXCLIENTS to a new connection"}, f.bites)

	s := redisConversation("MAXCLIENTS", true)
	got := playParts(s, []redisStep{{"lift", ""}, {">", cmd("PING")}, {"<", "+PONG\r\n"}, {"on", ""}, {">", cmd("SET", "a", "b")}, {"<", "+OK\r\n"}})
	assert.Equal(t, redisOutcome{up: cmd("PING") + cmd("SET", "a", "b"), down: "+PONG\r\n+OK\r\n"}, got)
}

// TestRedisWrongPass: who has the old password is turned away, who is in already stays in.
func TestRedisWrongPass(t *testing.T) {
	wrong := "-" + redisWrongPassText + "\r\n"
	got := play(redisConversation("WRONGPASS", true), []redisStep{{">", cmd("AUTH", "x")}, {"<", "+OK\r\n"}, {">", cmd("GET", "a")}})
	assert.Equal(t, redisOutcome{up: cmd("AUTH", "x"), down: wrong + "-" + redisNoAuthText + "\r\n"}, got)
	got = playParts(redisConversation("WRONGPASS", true), []redisStep{{"lift", ""}, {">", cmd("AUTH", "x")}, {"<", "+OK\r\n"}, {"on", ""}, {">", cmd("GET", "a")}, {"<", "+x\r\n"}})
	assert.Equal(t, redisOutcome{up: cmd("AUTH", "x") + cmd("GET", "a"), down: "+OK\r\n+x\r\n"}, got)
}

// TestRedisEnds: both ends of the connection are passed, and what waits is answered before.
func TestRedisEnds(t *testing.T) {
	f := &fakeTalk{script: []heardLine{
		{Upstream, []byte(cmd("GET", "a") + cmd("SET", "a", "b") + cmd("SET", "a", "b"))}, {Upstream, nil}, {Downstream, []byte("+x\r\n")}, {Downstream, nil}}}
	redisConversation("READONLY", true).Run(f)
	assert.Equal(t, "+x\r\n"+readonly+readonly, string(f.passed[Downstream]))
	assert.Equal(t, [2]bool{true, true}, f.ended)
}

func TestRedisMessage(t *testing.T) {
	spec, problems := Parse("redis_error", map[string]any{"kind": "CLUSTERDOWN", "message": "Hash slot not served"})
	require.Empty(t, problems)
	s := spec.Behaviour().Converse(seeded(), true)
	f := &fakeTalk{script: []heardLine{{Upstream, []byte(cmd("GET", "a"))}}}
	s.Run(f)
	assert.Equal(t, "-CLUSTERDOWN Hash slot not served\r\n", string(f.passed[Downstream]))
	_, problems = Parse("redis_error", map[string]any{"message": "two\r\nlines"})
	assert.Equal(t, `redis_error.message must be one line without control characters, got "two\r\nlines"`, fmt.Sprint(problems[0]))
}
