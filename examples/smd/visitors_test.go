package main

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDefectColdPool(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["SMD_COLD"] = "50ms"
	base := "http://" + launch(t, env, defect(ColdPool)).completed()
	began := time.Now()
	var users sync.WaitGroup
	for range coldRequests {
		users.Go(func() { assert.Equal(t, http.StatusUnauthorized, get(t, base+"/api/me").status) })
	}
	users.Wait()
	assert.GreaterOrEqual(t, time.Since(began), coldRequests*50*time.Millisecond, "one after the other")
}

func TestDefectEarlyError(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(EarlyError), "--startup-delay", "DATABASE=10m", "--startup-timeout", "10m")
	smd.line("PHASE TRANSITION -> DATABASE")
	base := "http://" + smd.address()
	assert.Equal(t, http.StatusInternalServerError, get(t, base+"/api/me").status)
	assert.Equal(t, http.StatusServiceUnavailable, get(t, base+"/health/ready").status, "health tells the truth")
}

func TestDefectStampedeCrash(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(StampedeCrash))
	base := "http://" + smd.completed()
	for range crowdLimit {
		assert.Equal(t, http.StatusUnauthorized, get(t, base+"/api/me").status, "few are served")
	}
	answer, err := http.Get(base + "/api/me")
	if err == nil {
		_ = answer.Body.Close()
	}
	assert.Error(t, err, "one more is too many")
	assert.Equal(t, exitCrashed, smd.exit())
	assert.Contains(t, smd.output(), "fatal error")
}
