package toxiapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/echo"
)

// newProxy makes a proxy before an echo and returns where it listens.
func newProxy(t *testing.T, url, name string) string {
	t.Helper()
	a := ask(t, "POST", url+"/proxies", fmt.Sprintf(`{"name":%q,"listen":"127.0.0.1:0","upstream":%q}`, name, echo.Start(t)))
	require.Equal(t, 201, a.status, a.body)
	var p Proxy
	require.NoError(t, json.Unmarshal([]byte(a.body), &p))
	return p.Listen
}

func TestWrongToxicsAreRefused(t *testing.T) {
	_, url := serve(t, Options{})
	newProxy(t, url, "a")
	for body, says := range map[string]string{
		`{"type":"latncy"}`:                              `invalid toxic type: there is no toxic \"latncy\"; known are accept_close, `,
		`{}`:                                             `invalid toxic type`,
		`{"type":"latency","toxicity":7}`:                `toxicity must be from 0 to 1, got 7`,
		`{"type":"latency","toxicity":-1}`:               `toxicity must be from 0 to 1, got -1`,
		`{"type":"latency","toxicty":0.1}`:               `unknown field \"toxicty\"`,
		`{"type":"latency","attributes":{"latensy":5}}`:  `latency has no attribute \"latensy\"; it takes latency, jitter, connect`,
		`{"type":"latency","attributes":{"latency":-1}}`: `latency.latency must be at least 0 ms, got -1`,
		`{"type":"latency","attributes":{"latency":-1e300,"jitter":-5}}`:       `latency.latency must be at least 0 ms, got -1e+300; latency.jitter must be at least 0 ms, got -5`,
		`{"type":"latency","attributes":{"latency":"soon"}}`:                   `latency.latency: expected a number of milliseconds or a duration such as 3s, got \"soon\"`,
		`{"type":"latency","attributes":{"latency":true}}`:                     `latency.latency: expected a number of milliseconds`,
		`{"type":"latency","attributes":{"latency":5,"delay":"5ms"}}`:          `latency.latency is given twice`,
		`{"type":"latency","attributes":{"direction":"both"}}`:                 `latency.direction is the stream of a toxic`,
		`{"type":"latency","attributes":[]}`:                                   `cannot unmarshal array into the field attributes`,
		`{"type":"latency","stream":7}`:                                        `cannot unmarshal number into the field stream`,
		`{"type":"latency"} {}`:                                                `something follows the JSON value`,
		`{"type":"bandwidth","attributes":{"rate":-1}}`:                        `bandwidth.rate must be at least 0 KB/s, got -1`,
		`{"type":"bandwidth","attributes":{"rate":1.5}}`:                       `bandwidth.rate: expected a whole number, got 1.5`,
		`{"type":"slicer"}`:                                                    `slicer.average_size must be at least 1 bytes, got 0`,
		`{"type":"slicer","attributes":{"average_size":5,"size_variation":9}}`: `slicer.size_variation must be at most average_size, which is 5, got 9`,
		`{"type":"limit_data","attributes":{"bytes":-1}}`:                      `limit_data.bytes must be at least 0 bytes, got -1`,
		`{"type":"reset_peer","attributes":{"after":1}}`:                       `reset_peer has no attribute \"after\"; it takes timeout`,
		`{"type":"noop","attributes":{"x":1}}`:                                 `noop takes no attributes, got \"x\"`,
		`{"type":"blackhole","attributes":{"ending":"loud"}}`:                  `blackhole.ending: expected one of silent, close, resume`,
		`{"type":"flap","attributes":{"up":"2h"}}`:                             `flap.up must be from 1ms to 1h, got 2h`,
		`{"type":"dns"}`: `dns is about names, which are asked before anybody connects to a proxy`,
		`{"type":"refuse","attributes":{"errno":"ETIMEDOUT"}}`: `refuse.errno ETIMEDOUT needs the connect interceptor`,
	} {
		a := ask(t, "POST", url+"/proxies/a/toxics", body)
		assert.Equal(t, 400, a.status, body)
		assert.Contains(t, a.body, says, body)
		assert.Contains(t, a.body, `"status":400`, body)
	}
	assert.Equal(t, "[]", ask(t, "GET", url+"/proxies/a/toxics", "").body)
}

func TestWrongUpdatesChangeNothing(t *testing.T) {
	_, url := serve(t, Options{})
	newProxy(t, url, "a")
	toxic := url + "/proxies/a/toxics/latency_downstream"
	before := ask(t, "POST", url+"/proxies/a/toxics", `{"type":"latency","toxicity":0.5,"attributes":{"latency":100,"jitter":"20ms"}}`)
	require.Equal(t, 200, before.status, before.body)
	assert.JSONEq(t, `{"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":0.5,"attributes":{"latency":100,"jitter":20}}`, before.body)
	for _, body := range []string{`{"attributes":{"latency":7,"jitter":-1}}`, `{"attributes":{"latency":7},"toxicity":2}`, `{"attributes":{"latency":7,"x":1}}`,
		`{"attributes":{"latency":7},"x":1}`} {
		assert.Equal(t, 400, ask(t, "PATCH", toxic, body).status, body)
		assert.Equal(t, before.body, ask(t, "GET", toxic, "").body, body)
	}
	after := ask(t, "PATCH", toxic, before.body) // a client may send back what it was told
	assert.Equal(t, 200, after.status, after.body)
	assert.JSONEq(t, before.body, after.body)
}

// TestEveryKindIsAToxic: what faults.Builtin has needs no line here.
func TestEveryKindIsAToxic(t *testing.T) {
	for _, name := range typeNames() {
		attributes := map[string]any{}
		if name == "slicer" {
			attributes["average_size"] = 1
		}
		toxic, problems := NewToxic("", name, "upstream", nil, attributes)
		if len(problems) == 1 && strings.Contains(problems[0].Text, "only chaos run") {
			continue
		}
		require.Empty(t, problems, name)
		assert.Equal(t, name+"_upstream", toxic.Name)
		text, err := json.Marshal(toxic)
		require.NoError(t, err)
		var back toxicInput
		require.NoError(t, json.Unmarshal(text, &back), "%s", text)
		again, err := back.create()
		require.NoError(t, err, "%s", text)
		assert.Equal(t, toxic.spec, again.spec, "what is told makes the same toxic: %s", text)
		if kind, ok := faults.Lookup(toxic.spec.Kind); ok {
			for _, p := range kind.Params {
				if p.Name == directionParam {
					assert.Equal(t, upstream, toxic.spec.Text(directionParam), name)
				}
			}
		}
	}
}

func TestOurParametersOnStockTypes(t *testing.T) {
	toxic, problems := NewToxic("", "latency", "", nil, map[string]any{"delay": "2s", "connect": true})
	require.Empty(t, problems)
	assert.Equal(t, map[string]any{"latency": int64(2000), "jitter": int64(0), "connect": true}, toxic.Attributes)
	assert.Equal(t, "latency{delay: 2s, connect: true}", toxic.spec.String())
	toxic, problems = NewToxic("", "slicer", "", nil, map[string]any{"average_size": 10.0, "delay": json.Number("1500")})
	require.Empty(t, problems)
	assert.Equal(t, 1500*time.Microsecond, toxic.spec.Duration("delay"))
	toxic, problems = NewToxic("", "flap", "", nil, map[string]any{"up": 1500, "down": "1s"})
	require.Empty(t, problems)
	assert.Equal(t, "flap 1.5s", toxic.spec.String())
}

func add(t *testing.T, url, body string) {
	t.Helper()
	a := ask(t, "POST", url+"/proxies/a/toxics", body)
	require.Equal(t, 200, a.status, a.body)
}

func drop(t *testing.T, url, toxic string) {
	t.Helper()
	require.Equal(t, 204, ask(t, "DELETE", url+"/proxies/a/toxics/"+toxic, "").status)
}

func TestLatencyComesAndGoesOnAnOpenConnection(t *testing.T) {
	_, url := serve(t, Options{})
	c := dial(t, newProxy(t, url, "a"))
	back, err := c.says("one")
	require.NoError(t, err)
	assert.Equal(t, "one", back)
	add(t, url, `{"type":"latency","attributes":{"latency":150}}`)
	add(t, url, `{"type":"latency","stream":"upstream","attributes":{"latency":100}}`)
	start := time.Now()
	_, err = c.says("two")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond)
	require.Equal(t, 204, ask(t, "POST", url+"/reset", "").status)
	back, err = c.says("three")
	require.NoError(t, err)
	assert.Equal(t, "three", back)
}

func TestTimeoutZeroLastsUntilItIsRemovedAndThenCloses(t *testing.T) {
	_, url := serve(t, Options{})
	listen := newProxy(t, url, "a")
	add(t, url, `{"type":"timeout"}`)
	c := dial(t, listen)
	answered := make(chan error, 1)
	go func() {
		_, err := c.says("lost")
		answered <- err
	}()
	require.Eventually(t, func() bool {
		return strings.Contains(ask(t, "GET", url+"/metrics", "").body, `chaos_proxy_toxic_connections_total{proxy="a",toxic="timeout_downstream",type="timeout"} 1`)
	},
		waitFor, tick)
	drop(t, url, "timeout_downstream")
	assert.ErrorIs(t, <-answered, io.EOF)
	_, err := dial(t, listen).says("two")
	assert.NoError(t, err)
}

// TestBandwidthZeroHoldsAll is how Testcontainers' examples cut a connection: nothing passes, and what was held comes when the toxic goes.
func TestBandwidthZeroHoldsAll(t *testing.T) {
	_, url := serve(t, Options{})
	c := dial(t, newProxy(t, url, "a"))
	_, err := c.says("one")
	require.NoError(t, err)
	for _, stream := range []string{upstream, downstream} {
		add(t, url, `{"type":"bandwidth","name":"CUT","stream":"`+stream+`","attributes":{"rate":0}}`)
		_, err = io.WriteString(c, "two\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return strings.Contains(ask(t, "GET", url+"/metrics", "").body, `chaos_proxy_toxic_connections_total{proxy="a",toxic="CUT",type="bandwidth"} 1`)
		}, waitFor, tick)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		_, err = c.in.ReadByte()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, stream)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(waitFor)))
		drop(t, url, "CUT")
		back, err := c.in.ReadString('\n')
		require.NoError(t, err, stream)
		assert.Equal(t, "two\n", back)
	}
}

// TestLargeNumbersMeanForEver: Toxiproxy has no upper limits. What the API tells is what it was given.
func TestLargeNumbersMeanForEver(t *testing.T) {
	for _, c := range []struct{ typ, name, param string }{
		{"latency", "latency", "delay"}, {"latency", "jitter", "jitter"}, {"slow_close", "delay", "delay"}, {"timeout", "timeout", "timeout"}, {"reset_peer", "timeout", "after"},
	} {
		toxic, problems := NewToxic("", c.typ, "", nil, map[string]any{c.name: int64(86_400_000)})
		require.Empty(t, problems, c)
		assert.Equal(t, int64(86_400_000), toxic.Attributes[c.name], c)
		assert.Equal(t, 24*time.Hour, toxic.spec.Duration(c.param), c)
		toxic, problems = NewToxic("", c.typ, "", nil, map[string]any{c.name: int64(math.MaxInt64)})
		require.Empty(t, problems, c)
		assert.Equal(t, forever, toxic.spec.Duration(c.param), c)
	}
	for name, attributes := range map[string]map[string]any{
		"bandwidth": {"rate": int64(math.MaxInt64)}, "limit_data": {"bytes": int64(math.MaxInt64)}, "slicer": {"average_size": int64(1 << 40), "size_variation": int64(1 << 30), "delay": int64(99_999_999)},
	} {
		toxic, problems := NewToxic("", name, "", nil, attributes)
		require.Empty(t, problems, name)
		assert.Equal(t, attributes, toxic.Attributes, name)
	}
}

func TestResetPeer(t *testing.T) {
	_, url := serve(t, Options{})
	listen := newProxy(t, url, "a")
	idle := dial(t, listen)
	_, err := idle.says("one")
	require.NoError(t, err)
	add(t, url, `{"type":"reset_peer"}`)
	_, err = idle.in.ReadByte()
	assert.True(t, errors.Is(err, syscall.ECONNRESET), "an idle connection too: %v", err)
	_, err = dial(t, listen).says("two")
	assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
	drop(t, url, "reset_peer_downstream")
	_, err = dial(t, listen).says("three")
	assert.NoError(t, err)
}

func TestLimitData(t *testing.T) {
	_, url := serve(t, Options{})
	listen := newProxy(t, url, "a")
	for _, stream := range []string{"upstream", "downstream"} {
		add(t, url, `{"type":"limit_data","name":"l","stream":"`+stream+`","attributes":{"bytes":3}}`)
		c := dial(t, listen)
		_, err := io.WriteString(c, "abcdef\n")
		require.NoError(t, err)
		all, err := io.ReadAll(c.in)
		assert.NoError(t, err, stream)
		if stream == downstream {
			assert.Equal(t, "abc", string(all))
		}
		drop(t, url, "l")
	}
}

// TestToxicityIsDrawnOnce: an update of something else must not change which connections are hit, and the same seed hits the same.
func TestToxicityIsDrawnOnce(t *testing.T) {
	hits := func(seed uint64) (out string) {
		_, url := serve(t, Options{Seed: seed})
		listen := newProxy(t, url, "a")
		add(t, url, `{"type":"limit_data","name":"l","toxicity":0.5,"attributes":{"bytes":0}}`)
		for i := range 32 {
			if i == 16 {
				add(t, url, `{"type":"noop"}`)
				require.Equal(t, 200, ask(t, "PATCH", url+"/proxies/a/toxics/l", `{"attributes":{"bytes":1}}`).status)
				require.Equal(t, 200, ask(t, "PATCH", url+"/proxies/a/toxics/l", `{"attributes":{"bytes":0}}`).status)
			}
			back, err := dial(t, listen).says("hello")
			if err == nil && back == "hello" {
				out += "."
			} else {
				out += "x"
			}
		}
		return out
	}
	first := hits(1)
	assert.Equal(t, first, hits(1))
	assert.NotEqual(t, first, hits(2))
	assert.Contains(t, first, "x")
	assert.Contains(t, first, ".")
}

func TestToxicityZeroHitsNobody(t *testing.T) {
	_, url := serve(t, Options{})
	listen := newProxy(t, url, "a")
	add(t, url, `{"type":"reset_peer","name":"r","toxicity":0}`)
	c := dial(t, listen)
	_, err := c.says("one")
	require.NoError(t, err)
	require.Equal(t, 200, ask(t, "PATCH", url+"/proxies/a/toxics/r", `{"toxicity":1}`).status)
	_, err = c.in.ReadByte()
	assert.True(t, errors.Is(err, syscall.ECONNRESET), "%v", err)
	require.Equal(t, 200, ask(t, "PATCH", url+"/proxies/a/toxics/r", `{"toxicity":0}`).status)
	_, err = dial(t, listen).says("two")
	assert.NoError(t, err)
}

// TestLatenciesAddUp: each counts from when the one before let the bytes go.
func TestLatenciesAddUp(t *testing.T) {
	_, url := serve(t, Options{})
	c := dial(t, newProxy(t, url, "a"))
	for _, name := range []string{"one", "two", "three"} {
		add(t, url, `{"type":"latency","name":"`+name+`","attributes":{"latency":100}}`)
	}
	start := time.Now()
	_, err := c.says("hello")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(start), 300*time.Millisecond)
}
