package toxiapi

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// step is one request of a story that is told to stock Toxiproxy and to ours. PORT is replaced by a free port of its own for each.
type step struct{ method, path, body string }

// stories are sequences of requests to which ours must answer as stock Toxiproxy v2.12 does: status, content type and JSON.
func stories() map[string][]step {
	const a = `{"name":"a","listen":"127.0.0.1:PORT","upstream":"127.0.0.1:9"}`
	return map[string][]step{
		"an empty server": {{"GET", "/proxies", ""}, {"POST", "/reset", ""}, {"GET", "/nowhere", ""}, {"GET", "/proxies/", ""}, {"GET", "/proxies/a", ""},
			{"DELETE", "/proxies/a", ""}, {"POST", "/proxies/a", "{}"}, {"POST", "/proxies/a", "garbage"}, {"GET", "/proxies/a/toxics", ""},
			{"POST", "/proxies/a/toxics", `{"type":"noop"}`}, {"GET", "/proxies/a/toxics/t", ""}, {"PATCH", "/proxies/a/toxics/t", "{}"},
			{"DELETE", "/proxies/a/toxics/t", ""}},
		"a proxy lives": {{"POST", "/proxies", a}, {"GET", "/proxies", ""}, {"GET", "/proxies/a", ""}, {"POST", "/proxies", a},
			{"POST", "/proxies/a", `{"enabled":false}`}, {"GET", "/proxies/a", ""}, {"PATCH", "/proxies/a", `{"enabled":true}`},
			{"PATCH", "/proxies/a", `{"upstream":"127.0.0.1:10"}`}, {"PATCH", "/proxies/a", `{"name":"b","unknown":1}`}, {"PATCH", "/proxies/a", `{}`},
			{"DELETE", "/proxies/a", ""}, {"GET", "/proxies/a", ""}},
		"what a proxy needs": {{"POST", "/proxies", `{}`}, {"POST", "/proxies", `{"name":"a"}`}, {"POST", "/proxies", ""}, {"POST", "/proxies", "[]"},
			{"POST", "/proxies", `{"name":"a","listen":"127.0.0.1:PORT","upstream":"127.0.0.1:9","enabled":false}`}, {"GET", "/proxies", ""}, {"POST", "/reset", ""},
			{"GET", "/proxies/a", ""}},
		"one port for two": {{"POST", "/proxies", a}, {"POST", "/proxies", strings.Replace(a, `"a"`, `"b"`, 1)}, {"PATCH", "/proxies/a", `{"enabled":false}`},
			{"POST", "/proxies", strings.Replace(a, `"a"`, `"b"`, 1)}, {"PATCH", "/proxies/a", `{"enabled":true}`}, {"DELETE", "/proxies/b", ""},
			{"PATCH", "/proxies/a", `{"enabled":true}`}, {"GET", "/proxies", ""}},
		"populate": {{"POST", "/populate", "[" + a + "]"}, {"POST", "/proxies/a/toxics", `{"type":"latency"}`}, {"POST", "/populate", "[" + a + "]"},
			{"POST", "/populate", `[{"name":"a","listen":"127.0.0.1:PORT","upstream":"127.0.0.1:10"}]`}, {"GET", "/proxies", ""}, {"POST", "/populate", `[]`},
			{"POST", "/populate", `{}`}, {"POST", "/populate", ``}, {"POST", "/populate", `[{"name":"b","upstream":"u:1"},{"upstream":"u:1"}]`},
			{"POST", "/populate", `[{"name":"b","upstream":"127.0.0.1:9","listen":"127.0.0.1:PORT"},{"name":"c"}]`},
			{"POST", "/populate", `[{"name":"c","upstream":"127.0.0.1:9","listen":"127.0.0.1:PORT2","enabled":false},{"name":"b","upstream":"127.0.0.1:9","listen":"127.0.0.1:PORT"}]`},
			{"GET", "/proxies", ""}},
		"every stock toxic": {{"POST", "/proxies", a},
			{"POST", "/proxies/a/toxics", `{"type":"latency","attributes":{"latency":100,"jitter":10},"toxicity":0.5}`},
			{"POST", "/proxies/a/toxics", `{"type":"latency","stream":"upstream"}`},
			{"POST", "/proxies/a/toxics", `{"type":"bandwidth","attributes":{"rate":5}}`},
			{"POST", "/proxies/a/toxics", `{"type":"slow_close","name":"s","attributes":{"delay":7}}`},
			{"POST", "/proxies/a/toxics", `{"type":"timeout","attributes":null}`},
			{"POST", "/proxies/a/toxics", `{"type":"reset_peer","stream":"upstream","name":"r","toxicity":0,"attributes":{"timeout":3}}`},
			{"POST", "/proxies/a/toxics", `{"type":"slicer","attributes":{"average_size":64,"size_variation":64,"delay":10}}`},
			{"POST", "/proxies/a/toxics", `{"type":"limit_data","attributes":{"bytes":1000}}`},
			{"POST", "/proxies/a/toxics", `{"type":"noop"}`},
			{"GET", "/proxies/a/toxics", ""}, {"GET", "/proxies/a", ""}, {"GET", "/proxies/a/toxics/s", ""},
			{"PATCH", "/proxies/a/toxics/latency_downstream", `{"attributes":{"latency":50}}`},
			{"POST", "/proxies/a/toxics/latency_downstream", `{"toxicity":0.25}`}, {"POST", "/proxies/a/toxics/latency_downstream", `{}`},
			{"PATCH", "/proxies/a/toxics/latency_downstream", ``},
			{"GET", "/proxies/a/toxics", ""}, {"DELETE", "/proxies/a/toxics/s", ""}, {"DELETE", "/proxies/a/toxics/s", ""}, {"GET", "/proxies/a/toxics/s", ""},
			{"GET", "/proxies/a/toxics", ""}, {"POST", "/reset", ""}, {"GET", "/proxies/a/toxics", ""}, {"GET", "/proxies/a", ""}},
		"what clients rely on": {{"POST", "/proxies", a},
			{"POST", "/proxies/a/toxics", `{"type":"bandwidth","name":"CUT","attributes":{"rate":0}}`}, {"POST", "/proxies/a/toxics", `{"type":"bandwidth"}`},
			{"POST", "/proxies/a/toxics", `{"type":"timeout","attributes":{"timeout":86400000}}`},
			{"POST", "/proxies/a/toxics", `{"type":"latency","attributes":{"Latency":5,"JITTER":86400000}}`},
			{"POST", "/proxies/a/toxics", `{"type":"bandwidth","name":"fast","attributes":{"rate":20000000}}`},
			{"PATCH", "/proxies/a/toxics/CUT", `{"name":"b","type":"timeout","stream":"upstream","attributes":{"rate":7}}`},
			{"POST", "/proxies/a/toxics/latency_downstream", `{"stream":"sideways","toxicity":0.5}`}, {"GET", "/proxies/a/toxics", ""}},
		"what a toxic needs": {{"POST", "/proxies", a}, {"POST", "/proxies/a/toxics", `{"type":"latency","stream":"sideways"}`},
			{"POST", "/proxies/a/toxics", `{"type":"latency","stream":""}`}, {"POST", "/proxies/a/toxics", ``},
			{"POST", "/proxies/a/toxics", `{"type":"latency"}`}, {"POST", "/proxies/a/toxics", `{"type":"latency"}`},
			{"POST", "/proxies/a/toxics", `{"type":"slow_close","name":"latency_downstream"}`}, {"GET", "/proxies/a/toxics", ""}},
	}
}

// tell asks every step of a story and writes down the answers, with what differs from run to run taken out.
func tell(t *testing.T, url string, story []step) []string {
	t.Helper()
	port, second := freePort(t), freePort(t)
	named := strings.NewReplacer("PORT2", second, "PORT", port)
	back := strings.NewReplacer(second, "PORT2", port, "PORT")
	var told []string
	for _, s := range story {
		a := ask(t, s.method, url+s.path, named.Replace(s.body))
		told = append(told, fmt.Sprintf("%s %s %s -> %d %s\n%s", s.method, s.path, s.body, a.status, a.header.Get("Content-Type"), back.Replace(plain(a.body))))
	}
	return told
}

// plain writes JSON with its keys in order and without the Logger that stock Toxiproxy tells of each proxy by mistake.
func plain(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	clean(v)
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(out)
}

func clean(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "Logger")
		if e, ok := v["error"].(string); ok {
			v["error"], _, _ = strings.Cut(e, " into Go ") // names of Go types
		}
		for _, x := range v {
			clean(x)
		}
	case []any:
		for _, x := range v {
			clean(x)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// TestAnswersAsStock tells the same stories to stock Toxiproxy and to ours.
func TestAnswersAsStock(t *testing.T) {
	for name, story := range stories() {
		t.Run(name, func(t *testing.T) {
			stock := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
			server := httptest.NewServer(stock.Routes())
			defer server.Close()
			defer func() { require.NoError(t, stock.Collection.Clear()) }()
			_, url := serve(t, Options{})
			want, got := tell(t, server.URL, story), tell(t, url, story)
			for i := range want {
				assert.Equal(t, want[i], got[i])
			}
		})
	}
}
