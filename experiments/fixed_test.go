package experiments

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A port that the file names is had by one trial at a time, and the bound counts with that.
func TestFixedPort(t *testing.T) {
	for ready, want := range map[string]int{
		"{http: {url: 'http://127.0.0.1:8080/ready'}}":       8080,
		"{http: {url: 'http://localhost/ready'}}":            80,
		"{http: {url: 'http://127.0.0.1:${var.at}/'}}":       8081,
		"{grpc: {address: '[::1]:8082'}}":                    8082,
		"{tcp: {address: '0.0.0.0:8083'}}":                   8083,
		"{websocket: {url: 'ws://127.0.0.1:8084/ws'}}":       8084,
		"{http: {url: 'http://127.0.0.1:${port.http}/a:1'}}": 0,
		"{http: {url: 'http://${api}/app'}}":                 0,
		"{http: {url: 'http://127.0.0.1:9000/app'}}":         0,
		"{tcp: {address: '192.0.2.1:8080'}}":                 0,
		"{redis: {address: '127.0.0.1:8080'}}":               0,
		"{log: up}":                                          0,
	} {
		f, err := LoadBytes("experiments.yaml", []byte(`
version: 1
vars: {at: '8081'}
service: {command: [app], env: {AT: '${var.at}'}, ready: `+ready+`}
dependencies: {api: {upstream: '127.0.0.1:9000'}}
readiness: [{name: it works, exec: {command: ['true']}}]
experiments: [{name: plain, expect: {readiness: all}, repeat: 3}]
`), Options{})
		require.NoError(t, err, ready)
		p, err := f.Expand(Selection{})
		require.NoError(t, err, ready)
		require.Equal(t, want, p.Trials[0].FixedPort(), ready)
		if alone := p.Bound(1); want == 0 {
			require.Less(t, p.Bound(4), alone, ready)
		} else {
			require.Equal(t, alone, p.Bound(4), ready)
		}
	}
}
