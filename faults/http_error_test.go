package faults

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	get    = "GET /v1/x?token=1 HTTP/1.1\r\nHost: h\r\n\r\n"
	post   = "POST /v1/y HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
	stream = "PUT /v1/z HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nGET \r\na\r\n0123456789\r\n0\r\nTrail: 1\r\n\r\n"
	health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
	ok     = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	no     = "HTTP/1.1 503 Service Unavailable\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\n" +
		"Connection: keep-alive\r\n\r\nService Unavailable\n"
)

func noBut(old, with string) string { return strings.Replace(no, old, with, 1) }

func TestHTTPErrorAnswers(t *testing.T) {
	v1 := map[string]any{"path": "^/v1/"}
	head, closing := noBut("Service Unavailable\n", ""), noBut("keep-alive", "close")
	for name, c := range map[string]struct {
		value  any
		script []heardLine
		want   outcome
	}{
		"all, kept alive": {nil, []heardLine{asks(get), asks(post), asks(stream)}, outcome{"", no + no + no, "",
			[]string{"answered GET /v1/x with 503", "answered POST /v1/y with 503", "answered PUT /v1/z with 503"}}},
		"pipelined":      {nil, []heardLine{asks(get + post + "\r\n" + stream + get)}, outcome{"", no + no + no + no, "", []string{"answered GET /v1/x with 503", "answered POST /v1/y with 503", "answered PUT /v1/z with 503", "answered GET /v1/x with 503"}}},
		"others pass":    {v1, []heardLine{asks(health), tells(ok), asks(get), asks(health), tells(ok)}, outcome{health + health, ok + no + ok, "", []string{"answered GET /v1/x with 503"}}},
		"in their order": {v1, []heardLine{asks(health + get + health), tells(ok), tells(ok)}, outcome{health + health, ok + no + ok, "", []string{"answered GET /v1/x with 503"}}},
		"behind interim and chunked answers": {v1, []heardLine{asks(health + get), tells("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")},
			outcome{health, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + no, "", []string{"answered GET /v1/x with 503"}}},
		"behind HEAD and 304": {v1, []heardLine{asks("HEAD /health HTTP/1.1\r\n\r\n" + health + get), tells("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")},
			outcome{"HEAD /health HTTP/1.1\r\n\r\n" + health, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + no, "", []string{"answered GET /v1/x with 503"}}},
		"an answer that ends with the connection": {v1, []heardLine{asks(health), tells("HTTP/1.0 200 OK\r\n\r\nas long as"), tells(""), asks("")},
			outcome{health, "HTTP/1.0 200 OK\r\n\r\nas long as", "", nil}},
		"HEAD":                         {nil, []heardLine{asks("HEAD /a HTTP/1.1\r\n\r\n" + get)}, outcome{"", head + no, "", []string{"answered HEAD /a with 503", "answered GET /v1/x with 503"}}},
		"close":                        {nil, []heardLine{asks("GET /a HTTP/1.1\r\nConnection: close\r\n\r\n")}, outcome{"", closing, "close", []string{"answered GET /a with 503"}}},
		"HTTP/1.0":                     {nil, []heardLine{asks("GET /a HTTP/1.0\r\n\r\n")}, outcome{"", closing, "close", []string{"answered GET /a with 503"}}},
		"ab's":                         {nil, []heardLine{asks("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")}, outcome{"", no, "", []string{"answered GET /a with 503"}}},
		"bare LF":                      {nil, []heardLine{asks("GET /a HTTP/1.1\nHost: h\n\n")}, outcome{"", no, "", []string{"answered GET /a with 503"}}},
		"half-closed":                  {nil, []heardLine{asks(get), asks("")}, outcome{"", no, "", []string{"answered GET /v1/x with 503"}}},
		"a secret":                     {nil, []heardLine{asks("GET http://u:p@h/a HTTP/1.1\r\n\r\n")}, outcome{"", no, "", []string{"answered GET http://u:xxxxx@h/a with 503"}}},
		"lifted in a head":             {nil, []heardLine{asks(get[:9])}, outcome{get[:9], "", "", nil}},
		"lifted in a body":             {nil, []heardLine{asks(post[:len(post)-1])}, outcome{post[:len(post)-1], "", "", nil}},
		"lifted behind an old answer":  {v1, []heardLine{asks(health + get + post), asks("")}, outcome{health + get + post, "", "", nil}},
		"the service leaves in a body": {nil, []heardLine{asks(post[:len(post)-1]), asks("")}, outcome{"", "", "close", nil}},
		"the dependency leaves first":  {v1, []heardLine{asks(health + get), tells("")}, outcome{health, "", "close", nil}},
		"HTTP/2":                       {nil, []heardLine{asks("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04"), tells("\x00\x00\x00\x04")}, outcome{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04", "\x00\x00\x00\x04", "", nil}},
		"TLS":                          {nil, []heardLine{asks("\x16\x03\x01\x02\x00"), tells("\x16")}, outcome{"\x16\x03\x01\x02\x00", "\x16", "", nil}},
		"CONNECT":                      {v1, []heardLine{asks("CONNECT h:1 HTTP/1.1\r\n\r\n"), tells("HTTP/1.1 200 OK\r\n\r\nSSH"), asks(get)}, outcome{"CONNECT h:1 HTTP/1.1\r\n\r\n" + get, "HTTP/1.1 200 OK\r\n\r\nSSH", "", nil}},
		"upgraded": {v1, []heardLine{asks("GET /ws HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), tells("HTTP/1.1 101 Switching Protocols\r\n\r\n"), asks(get), tells("x")},
			outcome{"GET /ws HTTP/1.1\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + get, "HTTP/1.1 101 Switching Protocols\r\n\r\nx", "", nil}},
	} {
		t.Run(name, func(t *testing.T) { splits(t, "http_error", c.value, c.script, c.want) })
	}
}

func TestHTTPErrorParameters(t *testing.T) {
	for name, c := range map[string]struct {
		value        map[string]any
		down, closed string
	}{
		"429": {map[string]any{"status": 429, "retry_after": "1500ms", "body": `{"e":1}`, "content_type": "application/json"},
			"HTTP/1.1 429 Too Many Requests\r\nDate: D\r\nContent-Type: application/json\r\nContent-Length: 7\r\nRetry-After: 2\r\nConnection: keep-alive\r\n\r\n{\"e\":1}", ""},
		"204":      {map[string]any{"status": 204}, "HTTP/1.1 204 No Content\r\nDate: D\r\nConnection: keep-alive\r\n\r\n", ""},
		"unnamed":  {map[string]any{"status": 599}, "HTTP/1.1 599 Status 599\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\nConnection: keep-alive\r\n\r\nStatus 599\n", ""},
		"cut":      {map[string]any{"cut": 4}, noBut("ice Unavailable\n", ""), "close"},
		"cut to 0": {map[string]any{"cut": 0}, noBut("Service Unavailable\n", ""), "close"},
	} {
		got := plays(conversation(t, "http_error", c.value, true), nil, []heardLine{asks(get)})
		if name == "cut" {
			c.down = noBut("\r\n\r\nService Unavailable\n", "\r\n\r\nServ")
		}
		if name == "cut to 0" {
			c.down = noBut("\r\n\r\nService Unavailable\n", "\r\n\r\n")
		}
		assert.Equal(t, c.down, got.down, name)
		assert.Equal(t, c.closed, got.closed, name)
	}
}

func TestHTTPErrorExpectAndLongBodies(t *testing.T) {
	closing := noBut("keep-alive", "close")
	expect := "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	assert.Equal(t, outcome{"", closing, "close", []string{"answered POST /a with 503"}}, plays(conversation(t, "http_error", nil, true), nil, []heardLine{asks(expect)}),
		"at once, without 100 Continue")
	long := "POST /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"
	script := []heardLine{asks(long)}
	for range 9 {
		script = append(script, asks(strings.Repeat("x", maxHeld/8)))
	}
	assert.Equal(t, outcome{"", closing, "close", []string{"answered POST /a with 503"}}, plays(conversation(t, "http_error", nil, true), nil, script))
	waiting := append([]heardLine{asks(health)}, script...)
	got := plays(conversation(t, "http_error", map[string]any{"path": "/a"}, true), nil, waiting)
	assert.Equal(t, outcome{health, "", "close", nil}, got, "lifted when a part of the request was lost")
	got = plays(conversation(t, "http_error", map[string]any{"path": "/a"}, true), nil, append(waiting, tells(ok)))
	assert.Equal(t, outcome{health, ok + closing, "close", []string{"answered POST /a with 503"}}, got)
}

func TestHTTPErrorOnAConnectionSeenLate(t *testing.T) {
	got := plays(conversation(t, "http_error", nil, false), []heardLine{asks("rest of a body"), tells("of an answer")},
		[]heardLine{asks("more of it"), tells("more"), asks(get), asks(post[:20]), asks(post[20:])})
	assert.Equal(t, outcome{"rest of a bodymore of it", "of an answermore" + no + no, "", []string{"answered GET /v1/x with 503", "answered POST /v1/y with 503"}}, got)
	got = plays(conversation(t, "http_error", map[string]any{"path": "v1"}, false), nil,
		[]heardLine{asks(health), tells(ok[:20]), tells(ok[20:]), asks(get)})
	assert.Equal(t, outcome{health, ok + no, "", []string{"answered GET /v1/x with 503"}}, got)
}

// TestHTTPErrorAnswersSeenFirst: the two directions are seen by themselves, so an answer may be seen before its request.
func TestHTTPErrorAnswersSeenFirst(t *testing.T) {
	got := plays(conversation(t, "http_error", nil, true), []heardLine{tells(ok), asks(health), asks(health)}, []heardLine{asks(get), tells(ok)})
	assert.Equal(t, outcome{health + health, ok + ok + no, "", []string{"answered GET /v1/x with 503"}}, got)
}

// TestHTTPErrorArmedAnywhere: a request whose first byte has passed still passes, and so does its answer.
func TestHTTPErrorArmedAnywhere(t *testing.T) {
	all := post + stream
	for at := 1; at < len(all); at++ {
		seen := []heardLine{asks(all[:at])}
		script, want := []heardLine{asks(all[at:]), tells(ok), asks(get)},
			outcome{post, ok + no + no, "", []string{"answered PUT /v1/z with 503", "answered GET /v1/x with 503"}}
		if at > len(post) {
			script[1], want = tells(ok+ok), outcome{all, ok + ok + no, "", []string{"answered GET /v1/x with 503"}}
		}
		require.Equal(t, want, plays(conversation(t, "http_error", nil, true), seen, script), "%d", at)
	}
}

func TestHTTPErrorSlowHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		talk := &patientTalk{fakeTalk: fakeTalk{script: []heardLine{asks(get)}}}
		conversation(t, "http_error", map[string]any{"slow_headers": "2s"}, true).Run(talk)
		assert.Equal(t, 10*time.Second, time.Since(began), "six lines, five pauses")
		assert.Equal(t, no, dates.ReplaceAllString(string(talk.passed[Downstream]), "Date: D\r\n"))
	})
	hasty := &fakeTalk{script: []heardLine{asks(get)}} // its Wait says that the fault was lifted
	conversation(t, "http_error", map[string]any{"slow_headers": "1h"}, true).Run(hasty)
	assert.Equal(t, no, dates.ReplaceAllString(string(hasty.passed[Downstream]), "Date: D\r\n"), "at once, and whole")
}

// patientTalk is a fakeTalk whose fault is not lifted while it waits.
type patientTalk struct{ fakeTalk }

func (*patientTalk) Wait(at time.Time) bool {
	elapse(time.Until(at))
	return true
}

func TestHTTPErrorRefusesWhatCannotBeSent(t *testing.T) {
	for text, value := range map[string]map[string]any{
		"http_error.path: expected a regular expression: error parsing regexp: missing closing ): `(`": {"path": "("},
		"http_error.cut must be less than the 20 bytes of the body, got 20":                            {"cut": 20},
		"http_error.cut must be less than the 0 bytes of the body, got 0":                              {"status": 204, "cut": 0},
		`http_error.content_type: expected printable ASCII, got "a\r\nX: y"`:                           {"content_type": "a\r\nX: y"},
		"http_error.status must be from 200 to 599, got 199":                                           {"status": 199},
	} {
		_, problems := Parse("http_error", value)
		if assert.Len(t, problems, 1, text) {
			assert.Equal(t, text, problems[0].Text)
		}
	}
}

// talkingTalk answers each request that passes, and counts them. The fault comes and goes as the random source says.
type talkingTalk struct {
	fakeTalk
	random  *rand.Rand
	turns   int
	served  []string // targets
	taken   int      // bytes of passed[Upstream] that were read as requests
	told    []heardLine
	pending []byte // what the client still sends
}

func (s *talkingTalk) Next() (Direction, Chunk, bool) {
	if s.turns == 0 {
		return 0, Chunk{}, false
	}
	s.turns--
	return s.any()
}

// any is a chunk from either side.
func (s *talkingTalk) any() (Direction, Chunk, bool) {
	s.serve()
	if len(s.told) > 0 && (len(s.pending) == 0 || s.random.IntN(2) == 0) {
		l := &s.told[0]
		n := 1 + s.random.IntN(len(l.data))
		data := l.data[:n]
		if l.data = l.data[n:]; len(l.data) == 0 {
			s.told = s.told[1:]
		}
		return Downstream, Chunk{Data: data}, true
	}
	if len(s.pending) == 0 {
		return 0, Chunk{}, false
	}
	n := 1 + s.random.IntN(min(60, len(s.pending)))
	data := s.pending[:n]
	s.pending = s.pending[n:]
	return Upstream, Chunk{Data: data}, true
}

// serve answers whole requests.
func (s *talkingTalk) serve() {
	for {
		text := s.passed[Upstream][s.taken:]
		in := bufio.NewReader(bytes.NewReader(text))
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s.taken = len(s.passed[Upstream]) - in.Buffered()
		s.served = append(s.served, r.URL.Path)
		s.told = append(s.told, tells(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.URL.Path), r.URL.Path)))
	}
}

// TestHTTPErrorLosesNoAnswer lets the fault come and go at random under pipelined requests: each has its answer, in order, from the server or from
// the fault, and the server has seen exactly those that it answered.
func TestHTTPErrorLosesNoAnswer(t *testing.T) {
	for seed := range uint64(500) {
		s := &talkingTalk{random: rand.New(rand.NewPCG(seed, 1))}
		const n = 12
		for i := range n {
			switch s.random.IntN(3) {
			case 0:
				s.pending = fmt.Appendf(s.pending, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
			case 1:
				s.pending = fmt.Appendf(s.pending, "POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", i)
			default:
				s.pending = fmt.Appendf(s.pending, "PUT /%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", i)
			}
		}
		value := map[string]any{}
		if s.random.IntN(2) == 0 {
			value["path"] = "[02468]$"
		}
		c := conversation(t, "http_error", value, true)
		for {
			s.turns = s.random.IntN(20)
			c.Run(s)
			more := true
			for range s.random.IntN(20) {
				d, chunk, ok := s.any()
				if more = ok; !ok {
					break
				}
				c.(Witness).Sees(d, chunk.Data)
				s.Pass(d, chunk)
			}
			if s.serve(); !more && len(s.pending) == 0 && len(s.told) == 0 {
				break
			}
		}
		require.Equal(t, n, answersInOrder(t, s, n), "seed %d", seed)
	}
}

// answersInOrder reads what the client got and counts it.
func answersInOrder(t *testing.T, s *talkingTalk, n int) int {
	t.Helper()
	in, served := bufio.NewReader(bytes.NewReader(s.passed[Downstream])), s.served
	for i := range n {
		r, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		if r.StatusCode == http.StatusServiceUnavailable {
			continue
		}
		require.NotEmpty(t, served)
		require.Equal(t, fmt.Sprintf("/%d", i), string(body))
		require.Equal(t, string(body), served[0])
		served = served[1:]
	}
	require.Empty(t, served, "the server saw a request that the fault answered")
	_, err := in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	return n
}
