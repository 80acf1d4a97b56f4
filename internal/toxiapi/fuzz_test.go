package toxiapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzAPI throws requests at the API, one in a line of its own: METHOD PATH BODY. Whatever they are, every answer is one of the API's, and what
// the proxies have armed is what the API tells.
func FuzzAPI(f *testing.F) {
	const a = `POST /proxies {"name":"a","listen":"127.0.0.1:1025","upstream":"127.0.0.1:9"}` + "\n"
	for _, story := range stories() {
		var lines []string
		for _, s := range story {
			lines = append(lines, s.method+" "+s.path+" "+strings.ReplaceAll(s.body, "PORT", "1025"))
		}
		f.Add(strings.Join(lines, "\n"))
	}
	for _, name := range typeNames() {
		f.Add(a + `POST /proxies/a/toxics {"type":"` + name + `","stream":"upstream","toxicity":0.5,"attributes":{"rate":1,"average_size":2,"up":"2s","timeout":3}}`)
	}
	f.Add(a + `PATCH /proxies/a {"listen":"0.0.0.0:0","upstream":"x:y","enabled":null}` + "\n" + `POST /populate [null,{"name":"\ud800","upstream":"[::1]:http"}]`)
	f.Add(a + `POST /proxies/a/toxics {"type":"slicer","attributes":{"average_size":9223372036854775808,"size_variation":-1e999}}`)
	f.Add(`POST /populate [{"name":"a","upstream":"x:1","toxics":[{"type":"latency"}]}]` + "\n" + `POST /populate [{"name":"a","upstream":"x:2","toxics":[{"type":"noop"}]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var fronts engines
		s := newServer(Options{start: fronts.start, resolve: func(_ context.Context, listen string) string { return listen }})
		h := s.routes()
		for i, line := range strings.Split(text, "\n") {
			if i > 30 {
				break
			}
			send(t, h, line)
			agrees(t, s, &fronts)
		}
		require.NoError(t, s.all.close(t.Context()))
		for _, e := range fronts.all {
			assert.True(t, e.closed, "%s was left open", e.c.Name)
		}
	})
}

func send(t *testing.T, h http.Handler, line string) {
	method, rest, _ := strings.Cut(line, " ")
	path, body, _ := strings.Cut(rest, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:8474", strings.NewReader(body))
	if err != nil || path == "/metrics" { // what the runtime says differs each time
		return
	}
	r.URL.Path = path
	r.Header.Set("User-Agent", "test")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	known := []int{200, 201, 204, 301, 307, 308, 400, 404, 405, 409, 500}
	require.True(t, slices.Contains(known, w.Code), "%q: %d", line, w.Code)
	if w.Code < 300 && w.Code != 204 || w.Code == 400 || w.Code == 409 {
		require.True(t, json.Valid(w.Body.Bytes()), "%q: %s", line, w.Body)
	}
	if w.Code == 400 {
		var e apiError
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &e))
		require.Equal(t, 400, e.Status)
		require.NotEmpty(t, e.Message)
	}
}

// agrees compares what the API tells with what the proxies hold.
func agrees(t *testing.T, s *Server, fronts *engines) {
	for name, p := range s.Proxies() {
		e := fronts.of(name)
		if e == nil {
			require.False(t, p.Enabled, name)
			continue
		}
		require.Equal(t, p.Enabled, !e.disabled, name)
		require.Equal(t, p.Upstream, e.upstream, name)
		plays := 0
		for _, toxic := range p.Toxics {
			in, there := e.have[toxic.Name]
			require.Equal(t, toxic.plays(), there, toxic.Name)
			if there {
				plays++
				require.Equal(t, toxic.spec, in.Fault)
				require.Equal(t, toxic.Toxicity, in.Toxicity)
			}
		}
		require.Len(t, e.have, plays, "%s has faults that nobody sees", name)
		require.Len(t, e.armed, plays, "%s", name)
	}
}
