package experiments

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEchoes(t *testing.T) {
	const url = `'http://127.0.0.1:${port.http}/ready'`
	for _, c := range []struct {
		ready, proof string
		want         bool
	}{
		{`http: {url: ` + url + `, status: 200}`, `http: {url: ` + url + `, status: 200}`, true},
		{`http: {url: ` + url + `, status: 200}`, `{http: {url: ` + url + `, method: GET}, timeout: 2s, needs: [redis]}`, true},
		{`http: {url: ` + url + `}`, `http: {url: 'http://localhost:${port.http}/ready/'}`, true},
		{`http: {url: ` + url + `, json: $.status, equals: ok}`, `http: {url: ` + url + `}`, true},
		{`http: {url: ` + url + `, json: $.status, equals: ok}`, `http: {url: ` + url + `, json: $.status}`, true},
		{`http: {url: ` + url + `}`, `tcp: {address: '127.0.0.1:${port.http}'}`, true},
		{`log: '^READY'`, `log: '^READY'`, true},
		{`http: {url: ` + url + `}`, `http: {url: 'http://127.0.0.1:${port.http}/orders'}`, false},
		{`http: {url: ` + url + `}`, `http: {url: ` + url + `, json: $.redis, equals: up}`, false},
		{`http: {url: ` + url + `, json: $.status}`, `http: {url: ` + url + `, json: $.status, equals: ok}`, false},
		{`http: {url: ` + url + `}`, `http: {url: ` + url + `, match: up}`, false},
		{`http: {url: ` + url + `}`, `http: {url: ` + url + `, header: {server: x}}`, false},
		{`http: {url: ` + url + `}`, `http: {url: ` + url + `, headers: {authorization: x}}`, false},
		{`http: {url: ` + url + `}`, `http: {url: ` + url + `, method: POST}`, false},
		{`http: {url: ` + url + `}`, `http: {url: ` + url + `, cors: 'https://a.example'}`, false},
		{`http: {url: ` + url + `}`, `{http: {url: ` + url + `}, parallel: 10}`, false},
		{`http: {url: ` + url + `}`, `{http: {url: ` + url + `}, then: {redis: {address: '${redis.upstream}'}}}`, false},
		{`http: {url: ` + url + `}`, `tcp: {address: '${redis}'}`, false},
		{`log: '^READY'`, `http: {url: ` + url + `}`, false},
	} {
		f := echoFile(t, c.ready, c.proof, "")
		assert.Equal(t, c.want, f.Readiness[0].Echoes(f.Service.Ready), "%s, %s", c.ready, c.proof)
		assert.Len(t, f.Warnings, map[bool]int{true: 1}[c.want], c.proof)
		p, err := f.Expand(Selection{})
		require.NoError(t, err)
		assert.Equal(t, c.want, p.Trials[0].Spec().Readiness[0].Echo, c.proof)
	}
}

// echoFile has one proof, written without its name, and perhaps more proofs.
func echoFile(t *testing.T, ready, proof, more string) *File {
	t.Helper()
	if proof[0] == '{' {
		proof = proof[1 : len(proof)-1]
	}
	f, err := LoadBytes("x.yaml", fmt.Appendf(nil, `version: 1
service: {command: ./app, ready: {%s}}
dependencies: {redis: {server: redis}}
readiness:
  - {name: p, %s}
%sinvariants: [no_false_ready]
experiments: [{name: e, expect: {readiness: all}}]
`, ready, proof, more), Options{})
	require.NoError(t, err)
	return f
}

// A file is warned of once, where no proof of it asks more.
func TestWarnings(t *testing.T) {
	f := echoFile(t, "log: up", "log: up", "")
	require.Len(t, f.Warnings, 1)
	assert.Equal(t, "x.yaml:4:1: warning: every proof asks only what `service.ready` asks: a service that lies about being ready passes, and `no_false_ready` shows nothing\n"+
		"    4 | readiness:\n      | ^\n   "+moreThanReady, f.Warnings[0].String())
	assert.Empty(t, echoFile(t, "log: up", "log: up", "  - {name: q, redis: {address: '${redis}'}}\n").Warnings, "one of them asks more")

	f, err := LoadBytes("x.yaml", []byte(`version: 1
service: {command: ./app, ready: {log: up}}
invariants: [no_false_ready]
experiments: [{name: e, expect: {expr: 'true'}}]
`), Options{})
	require.NoError(t, err)
	require.Len(t, f.Warnings, 1)
	assert.Contains(t, f.Warnings[0].String(), "x.yaml:3:1: warning: there is no proof under `readiness`: ")
	assert.Empty(t, load(t, "full", Options{}).Warnings)
}

// What init writes is warned of until its proof asks for work.
func TestStarterWarns(t *testing.T) {
	text, err := Starter{Checklist: true}.Text()
	require.NoError(t, err)
	f, err := LoadBytes("x.yaml", []byte(text), Options{})
	require.NoError(t, err)
	require.Len(t, f.Warnings, 1)
	assert.Contains(t, text, "# EDIT THIS: the proof below asks only what service.ready asks")
	assert.Contains(t, text, "  #   needs: [postgres]\n")
}
