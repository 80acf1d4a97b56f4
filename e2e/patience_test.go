package e2e

import (
	"testing"
	"time"

	"github.com/chaos-startup/chaos/internal/racedetector"
)

// patience is how long anything may take that must happen: it bounds a test that fails.
const patience = 30 * time.Second

// programsOnly skips a test of which the race detector would see nothing but what others see too: it starts other people's programs, many and slowly.
func programsOnly(t *testing.T) {
	t.Helper()
	if racedetector.Enabled {
		t.Skip("other people's programs have no race detector")
	}
}
