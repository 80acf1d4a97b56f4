package probes

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAddress(t *testing.T) {
	for want, s := range map[string]Spec{
		"":                        {Log: "up"},
		"127.0.0.1:1":             {TCP: &TCP{Address: "127.0.0.1:1"}},
		"localhost:2":             {GRPC: &GRPC{Address: "localhost:2"}},
		"127.0.0.1:${port.http}":  {HTTP: &HTTP{URL: "http://127.0.0.1:${port.http}/ready?x=a:b"}},
		"localhost:80":            {HTTP: &HTTP{URL: "http://localhost"}},
		"[::1]:443":               {HTTP: &HTTP{URL: "https://[::1]/a"}},
		"[::1]:8080":              {HTTP: &HTTP{URL: "https://me:pw@[::1]:8080/a@b"}},
		"127.0.0.1:443":           {WebSocket: &WebSocket{URL: "wss://127.0.0.1/ws"}},
		"127.0.0.1:3":             {Metrics: &Metrics{URL: "http://127.0.0.1:3"}},
		"127.0.0.1:4":             {JWT: &JWT{URL: "http://127.0.0.1:4#x"}},
		"${api.host}:${api.port}": {HTTP: &HTTP{URL: "http://${api.host}:${api.port}/"}},
	} {
		assert.Equal(t, want, s.Address())
	}
	assert.Empty(t, Spec{Redis: &Redis{Address: "127.0.0.1:6379"}}.Address())
}

func TestHere(t *testing.T) {
	for _, host := range []string{"", "localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"} {
		assert.True(t, Here(host), host)
	}
	for _, host := range []string{"10.0.0.1", "example.com", "${api.host}", "2001:db8::1"} {
		assert.False(t, Here(host), host)
	}
}
