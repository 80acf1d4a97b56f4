package session

import (
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) (*miniredis.Miniredis, *Cache) {
	t.Helper()
	server := miniredis.RunT(t)
	cache, err := Open("redis://"+server.Addr()+"/3", time.Minute)
	require.NoError(t, err)
	t.Cleanup(func() { _ = cache.Close() })
	return server, cache
}

func TestKeepsAndForgets(t *testing.T) {
	server, cache := open(t)
	require.NoError(t, cache.Ping(t.Context()))
	require.NoError(t, cache.RoundTrip(t.Context(), "x"))
	assert.Empty(t, server.DB(3).Keys(), "a check leaves nothing behind")
	require.NoError(t, cache.Put(t.Context(), "thread", "1", map[string]int{"a": 1}))
	assert.Equal(t, time.Hour, server.DB(3).TTL("smd:thread:1"))
	var got map[string]int
	require.NoError(t, cache.Get(t.Context(), "thread", "1", &got))
	assert.Equal(t, map[string]int{"a": 1}, got)
	require.NoError(t, cache.Remove(t.Context(), "thread", "1"))
	assert.ErrorIs(t, cache.Get(t.Context(), "thread", "1", &got), ErrMissing)
}

func TestHidesNoError(t *testing.T) {
	server, cache := open(t)
	server.SetError("LOADING Redis is loading the dataset in memory")
	assert.ErrorContains(t, cache.Ping(t.Context()), "ping: LOADING")
	err := cache.RoundTrip(t.Context(), "x")
	assert.ErrorContains(t, err, "set: LOADING")
	assert.False(t, Permanent(err))
	server.SetError("WRONGPASS invalid username-password pair")
	assert.True(t, Permanent(cache.Ping(t.Context())))
	assert.False(t, Permanent(nil))
	server.Close()
	err = cache.Ping(t.Context())
	require.Error(t, err)
	assert.False(t, errors.Is(err, ErrMissing))
}

func TestAWrongURLIsNotRepeated(t *testing.T) {
	_, err := Open("redis://:hush%zz@h", time.Second)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hush")
}
