package process

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestRestart(t *testing.T) {
	ok, failed, killed := Exit{}, Exit{Code: 3}, Exit{Code: -1, Signal: syscall.SIGSEGV}
	s := time.Second
	tests := []struct {
		name  string
		r     Restart
		n     int
		e     Exit
		delay time.Duration
		again bool
	}{
		{"the zero policy", Restart{}, 0, failed, 0, false},
		{"never", Restart{Policy: RestartNever}, 0, failed, 0, false},
		{"unknown", Restart{Policy: "Always"}, 0, failed, 0, false},
		{"on failure, success", Restart{Policy: RestartOnFailure}, 0, ok, 0, false},
		{"on failure, failure", Restart{Policy: RestartOnFailure}, 0, failed, 0, true},
		{"on failure, signal", Restart{Policy: RestartOnFailure}, 0, killed, 0, true},
		{"always, success", Restart{Policy: RestartAlways, Backoff: s}, 0, ok, s, true},
		{"doubles", Restart{Policy: RestartAlways, Backoff: s}, 3, ok, 8 * s, true},
		{"is limited", Restart{Policy: RestartAlways, Backoff: s, MaxBackoff: 5 * s}, 3, ok, 5 * s, true},
		{"starts above the limit", Restart{Policy: RestartAlways, Backoff: 9 * s, MaxBackoff: 5 * s}, 0, ok, 5 * s, true},
		{"does not overflow", Restart{Policy: RestartAlways, Backoff: s}, 1 << 30, ok, 1<<63 - 1, true},
		{"no backoff", Restart{Policy: RestartAlways}, 1 << 30, ok, 0, true},
		{"below max", Restart{Policy: RestartAlways, Max: 2}, 1, ok, 0, true},
		{"at max", Restart{Policy: RestartAlways, Max: 2}, 2, ok, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			delay, again := tt.r.Next(tt.n, tt.e)
			assert.Equal(t, tt.delay, delay)
			assert.Equal(t, tt.again, again)
		})
	}
}
