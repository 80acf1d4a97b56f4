package toxiapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/echo"
)

func told(t *testing.T, a answer) (p Proxy) {
	t.Helper()
	require.Less(t, a.status, 300, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &p))
	return p
}

func TestDisablingDropsAndRefuses(t *testing.T) {
	_, url := serve(t, Options{})
	listen := newProxy(t, url, "a")
	c := dial(t, listen)
	_, err := c.says("one")
	require.NoError(t, err)
	assert.False(t, told(t, ask(t, "PATCH", url+"/proxies/a", `{"enabled":false}`)).Enabled)
	_, err = c.in.ReadByte()
	assert.ErrorIs(t, err, io.EOF)
	_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", listen)
	assert.True(t, errors.Is(err, syscall.ECONNREFUSED), "%v", err)
	assert.Equal(t, listen, told(t, ask(t, "PATCH", url+"/proxies/a", `{"enabled":true}`)).Listen)
	_, err = dial(t, listen).says("two")
	assert.NoError(t, err)
}

// TestToxicsSurviveTheirProxysAbsence: those added to a disabled proxy, and those of one that moves, are on from its first connection.
func TestToxicsSurviveTheirProxysAbsence(t *testing.T) {
	_, url := serve(t, Options{})
	a := ask(t, "POST", url+"/proxies", fmt.Sprintf(`{"name":"a","listen":"127.0.0.1:0","upstream":%q,"enabled":false}`, echo.Start(t)))
	assert.Equal(t, "127.0.0.1:0", told(t, a).Listen)
	add(t, url, `{"type":"limit_data","name":"l","attributes":{"bytes":2}}`)
	limited := func(p Proxy) {
		t.Helper()
		c := dial(t, p.Listen)
		_, err := io.WriteString(c, "abcdef\n")
		require.NoError(t, err)
		all, err := io.ReadAll(c.in)
		assert.NoError(t, err)
		assert.Equal(t, "ab", string(all))
	}
	first := told(t, ask(t, "PATCH", url+"/proxies/a", `{"enabled":true}`))
	limited(first)
	second := told(t, ask(t, "PATCH", url+"/proxies/a", `{"listen":"127.0.0.1:0"}`))
	assert.NotEqual(t, first.Listen, second.Listen)
	limited(second)
	_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", first.Listen)
	assert.Error(t, err, "it has moved")
	third := told(t, ask(t, "PATCH", url+"/proxies/a", fmt.Sprintf(`{"upstream":%q}`, echo.Start(t))))
	limited(third)
}

// TestAFailedMoveLeavesTheProxyAsItWas is where stock Toxiproxy ends with a proxy that is stopped and renamed.
func TestAFailedMoveLeavesTheProxyAsItWas(t *testing.T) {
	_, url := serve(t, Options{})
	a, b := newProxy(t, url, "a"), newProxy(t, url, "b")
	add(t, url, `{"type":"latency"}`)
	before := ask(t, "GET", url+"/proxies/a", "").body
	c := dial(t, a)
	failed := ask(t, "PATCH", url+"/proxies/a", fmt.Sprintf(`{"listen":%q,"upstream":"127.0.0.1:9"}`, b))
	assert.Equal(t, 500, failed.status)
	assert.Contains(t, failed.body, "listen tcp "+b+": bind: address already in use")
	failed = ask(t, "POST", url+"/populate", fmt.Sprintf(`[{"name":"a","listen":%q,"upstream":"127.0.0.1:9"}]`, b))
	assert.Equal(t, 500, failed.status)
	assert.Equal(t, before, ask(t, "GET", url+"/proxies/a", "").body)
	_, err := c.says("still there")
	assert.NoError(t, err)
}

func TestWrongProxiesAreRefused(t *testing.T) {
	s, url := serve(t, Options{})
	for fields, says := range map[string]string{
		`"upstream":"redis"`:                                           `upstream \"redis\": expected host:port, such as 127.0.0.1:6379`,
		`"upstream":":6379"`:                                           `expected host:port`,
		`"upstream":"redis:0"`:                                         `the port must be from 1 to 65535`,
		`"upstream":"redis:65536"`:                                     `the port must be from 1 to 65535`,
		`"upstream":"redis:nosuchservice"`:                             `the port must be from 1 to 65535`,
		`"upstream":"127.0.0.1:9","listen":"local373"`:                 `listen tcp: address local373: missing port in address`,
		`"upstream":"127.0.0.1:9","listen":"127.0.0.1:70000"`:          `listen \"127.0.0.1:70000\": the port must be from 0 to 65535`,
		`"upstream":"127.0.0.1:9","listen":"127.0.0.1"`:                `missing port in address`,
		`"upstream":"127.0.0.1:9","listen":"local373","enabled":false`: `missing port in address`,
		`"upstream":7`:                                                 `cannot unmarshal number into the field upstream`,
		`"upstream":""`:                                                `missing required field: upstream`,
		`"upstream":"u:1"} {`:                                          `something follows the JSON value`,
		`"upstream":"u:1","x"`:                                         `invalid character`,
	} {
		a := ask(t, "POST", url+"/proxies", `{"name":"a",`+fields+`}`)
		assert.Equal(t, 400, a.status, fields)
		assert.Contains(t, a.body, says, fields)
	}
	assert.Empty(t, s.Proxies())
	newProxy(t, url, "a")
	before := ask(t, "GET", url+"/proxies/a", "").body
	for _, fields := range []string{`"upstream":"x"`, `"upstream":""`, `"listen":"x"`, `"enabled":1`} {
		assert.Equal(t, 400, ask(t, "PATCH", url+"/proxies/a", "{"+fields+"}").status, fields)
		assert.Equal(t, before, ask(t, "GET", url+"/proxies/a", "").body, fields)
	}
}

// TestListensOnLoopbackUnlessAsked is where stock Toxiproxy listens on every interface.
func TestListensOnLoopbackUnlessAsked(t *testing.T) {
	_, url := serve(t, Options{})
	p := told(t, ask(t, "POST", url+"/proxies", `{"name":"a","upstream":"127.0.0.1:9"}`))
	assert.True(t, strings.HasPrefix(p.Listen, "127.0.0.1:"), p.Listen)
}

func TestNamesWithSpecialCharacters(t *testing.T) {
	_, url := serve(t, Options{})
	require.Equal(t, 201, ask(t, "POST", url+"/proxies", `{"name":"a/b c","upstream":"127.0.0.1:9"}`).status)
	assert.Equal(t, "a/b c", told(t, ask(t, "GET", url+"/proxies/a%2Fb%20c", "")).Name)
	assert.Equal(t, 204, ask(t, "DELETE", url+"/proxies/a%2Fb%20c", "").status)
}

func TestPopulateAgainKeepsAFreePort(t *testing.T) {
	_, url := serve(t, Options{})
	const body = `[{"name":"a","listen":"127.0.0.1:0","upstream":"127.0.0.1:9"}]`
	first := ask(t, "POST", url+"/populate", body)
	assert.Equal(t, 201, first.status)
	assert.Equal(t, first.body, ask(t, "POST", url+"/populate", body).body)
}

// TestToxicsOfADescription: a proxy is made with those that stand in it; they are checked before anything is done.
func TestToxicsOfADescription(t *testing.T) {
	s, url := serve(t, Options{})
	up := echo.Start(t)
	body := func(name, upstream, toxics string) string {
		return fmt.Sprintf(`{"name":%q,"listen":"127.0.0.1:0","upstream":%q,"toxics":%s}`, name, upstream, toxics)
	}
	const limit, late = `{"type":"limit_data","attributes":{"bytes":0}}`, `{"type":"latency","stream":"upstream","attributes":{"latency":1}}`
	for toxics, says := range map[string]string{
		`7`: "toxics of a: bad request body", `[{"type":"latncy"}]`: "toxics of a: invalid toxic type", `[{"type":"latency","toxicty":1}]`: `unknown field \"toxicty\"`,
		`[{"type":"latency","attributes":{"latency":-1}}]`: "latency.latency must be at least 0",
	} {
		assert.Contains(t, ask(t, "POST", url+"/proxies", body("a", up, toxics)).body, says)
		assert.Contains(t, ask(t, "POST", url+"/populate", "["+body("b", up, "[]")+","+body("a", up, toxics)+"]").body, says)
	}
	assert.Equal(t, 409, ask(t, "POST", url+"/proxies", body("a", up, "["+limit+","+limit+"]")).status)
	assert.Empty(t, s.Proxies())

	p := told(t, ask(t, "POST", url+"/proxies", body("a", up, "["+late+","+limit+"]")))
	require.Len(t, p.Toxics, 2)
	p = s.Proxies()["a"]
	_, err := dial(t, p.Listen).says("hello")
	assert.Error(t, err, "they are on from the first connection")
	populate := func(upstream, toxics string) Proxy {
		t.Helper()
		a := ask(t, "POST", url+"/populate", "["+body("a", upstream, toxics)+"]")
		require.Equal(t, 201, a.status, a.body)
		return s.Proxies()["a"]
	}
	for _, none := range []string{"null", "[]"} {
		assert.Equal(t, p, populate(up, none), "it stays as it is")
	}
	text, err := json.Marshal(p.Toxics)
	require.NoError(t, err)
	assert.Equal(t, p.Toxics[0].Attributes, populate(up, string(text)).Toxics[0].Attributes, "a client may send back what it was told")
	require.Len(t, populate(up, "["+late+"]").Toxics, 1)
	_, err = dial(t, p.Listen).says("hello")
	assert.NoError(t, err)
	p = populate(echo.Start(t), "["+limit+"]")
	require.Len(t, p.Toxics, 1, "replaced")
	_, err = dial(t, p.Listen).says("hello")
	assert.Error(t, err)
	assert.Empty(t, populate(up, "null").Toxics, "replaced, and none are asked for")
	told(t, ask(t, "PATCH", url+"/proxies/a", `{"toxics":7}`)) // Toxiproxy's clients send what they were told: it changes nothing
}

func TestMetrics(t *testing.T) {
	_, url := serve(t, Options{})
	up := echo.Start(t)
	p := told(t, ask(t, "POST", url+"/proxies", fmt.Sprintf(`{"name":"a","listen":"127.0.0.1:0","upstream":%q}`, up)))
	c := dial(t, p.Listen)
	_, err := c.says("hello")
	require.NoError(t, err)
	labels := func(direction, upstream string) string {
		return fmt.Sprintf(`{direction=%q,listener=%q,proxy="a",upstream=%q}`, direction, p.Listen, upstream)
	}
	for _, want := range []string{
		"toxiproxy_proxy_received_bytes_total" + labels("upstream", up) + " 6\n", "toxiproxy_proxy_sent_bytes_total" + labels("upstream", up) + " 6\n",
		"toxiproxy_proxy_received_bytes_total" + labels("downstream", up) + " 6\n", "toxiproxy_proxy_sent_bytes_total" + labels("downstream", up) + " 6\n",
		"# TYPE toxiproxy_proxy_sent_bytes_total counter\n", "chaos_proxy_connections_total{proxy=\"a\"} 1\n", "chaos_proxy_connections_open{proxy=\"a\"} 1\n",
		"go_goroutines ", "go_build_info{", "process_open_fds ", "promhttp_metric_handler_errors_total{",
	} {
		assert.Eventually(t, func() bool { // a byte is counted right after it was sent
			a := ask(t, "GET", url+"/metrics", "")
			return a.status == 200 && strings.Contains(a.body, want)
		}, waitFor, tick, want)
	}
	add(t, url, `{"type":"timeout","stream":"upstream"}`)
	_, err = io.WriteString(c, "lost\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return strings.Contains(ask(t, "GET", url+"/metrics", "").body, "toxiproxy_proxy_received_bytes_total"+labels("upstream", up)+" 11\n")
	}, waitFor, tick)
	assert.Contains(t, ask(t, "GET", url+"/metrics", "").body, "toxiproxy_proxy_sent_bytes_total"+labels("upstream", up)+" 6\n", "what was lost was not sent")
	told(t, ask(t, "PATCH", url+"/proxies/a", `{"enabled":false}`))
	assert.Contains(t, ask(t, "GET", url+"/metrics", "").body, "toxiproxy_proxy_received_bytes_total"+labels("upstream", up)+" 11\n", "counters never go back")
	told(t, ask(t, "PATCH", url+"/proxies/a", `{"upstream":"127.0.0.1:9"}`))
	assert.Contains(t, ask(t, "GET", url+"/metrics", "").body, "toxiproxy_proxy_received_bytes_total"+labels("upstream", "127.0.0.1:9")+" 0\n")
}

// TestManyAtOnce is for the race detector: what clients do at the same time leaves a state that one of them made.
func TestManyAtOnce(t *testing.T) {
	_, url := serve(t, Options{})
	listen := newProxy(t, url, "a")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				name := fmt.Sprint("t", i)
				_ = ask(t, "POST", url+"/proxies/a/toxics", `{"type":"latency","name":"`+name+`","attributes":{"latency":1}}`)
				_ = ask(t, "PATCH", url+"/proxies/a/toxics/"+name, `{"attributes":{"jitter":1}}`)
				_ = ask(t, "GET", url+[]string{"/proxies", "/metrics", "/proxies/a/toxics"}[j%3], "")
				_ = ask(t, "PATCH", url+"/proxies/a", []string{`{"enabled":false}`, `{"enabled":true}`}[j%2])
				_ = ask(t, "DELETE", url+"/proxies/a/toxics/"+name, "")
			}
		})
	}
	all.Wait()
	require.Equal(t, 204, ask(t, "POST", url+"/reset", "").status)
	assert.Equal(t, "[]", ask(t, "GET", url+"/proxies/a/toxics", "").body)
	_, err := dial(t, listen).says("hello")
	assert.NoError(t, err)
}
