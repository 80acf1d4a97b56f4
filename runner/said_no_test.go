package runner

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/probes"
)

// A service that says that it can't do it, while a fault is on what it needs for that, has lost nothing: it is asked again. Without one, it has.
func TestANoUnderAFaultIsNoLoss(t *testing.T) {
	for name, faulted := range map[string]bool{"under a fault": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			var taken atomic.Int32
			service := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				conn, err := websocket.Accept(out, in, nil)
				if err != nil {
					return
				}
				defer func() { _ = conn.CloseNow() }()
				if _, _, err := conn.Read(in.Context()); err != nil {
					return
				}
				answer := `{"type":"done"}`
				if taken.Add(1) == 1 {
					answer = `{"type":"error"}`
				}
				_ = conn.Write(in.Context(), websocket.MessageText, []byte(answer))
				_, _, _ = conn.Read(in.Context())
			}))
			defer service.Close()
			s, err := newSooner(probes.Spec{WebSocket: &probes.WebSocket{
				URL: strings.Replace(service.URL, "http", "ws", 1), Send: "hello", Expect: []string{"done"}, FailOn: []string{"error"},
			}}, probes.Env{}, time.Minute, func() bool { return faulted })
			require.NoError(t, err)
			s.send(t.Context())
			if faulted {
				assert.NoError(t, s.sent.err)
				assert.EqualValues(t, 2, taken.Load())
			} else {
				assert.ErrorContains(t, s.sent.err, `{"type":"error"}`)
				assert.EqualValues(t, 1, taken.Load())
			}
		})
	}
}
