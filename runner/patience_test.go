package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// However often a claim comes and goes, proofs are waited for only so long in all, but for as long again after a lift.
func TestPatienceIsForAllClaims(t *testing.T) {
	var p patience
	now := time.Now()
	left := func(lifts int64) time.Duration { return p.next(now, lifts).Sub(now) }
	pass := func(d time.Duration) { now = now.Add(d) }
	assert.Equal(t, proofWindow, left(0))
	pass(proofWindow)
	p.rest(now)
	pass(time.Hour) // it claims nothing meanwhile
	assert.Equal(t, proofWindow, left(0))
	pass(proofWindow + time.Second)
	assert.Equal(t, proofWindow-time.Second, left(0), "what is left")
	pass(time.Hour)
	p.rest(now)
	assert.LessOrEqual(t, left(0), time.Duration(0), "none is left")
	assert.Equal(t, proofWindow, left(1), "a fault was lifted")
}
