package timeline

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRecorderNumbersEventsInTheOrderOfTheCalls(t *testing.T) {
	r := NewRecorder()
	zero := time.Now()
	r.SetZero(zero)
	assert.Equal(t, 0, r.AddAt(zero.Add(1500*time.Microsecond), Event{Kind: Log}))
	assert.Equal(t, 1, r.AddAt(zero.Add(-time.Second), Event{Kind: Exec}), "what was seen earlier may be told later")
	events := r.Events()
	require.Len(t, events, 2)
	assert.Equal(t, Event{ID: 0, MS: 1.5, Kind: Log}, events[0])
	assert.Equal(t, Event{ID: 1, MS: 0, Kind: Exec}, events[1], "nothing is before the exec")
	events[0].Text = "changed"
	assert.Empty(t, r.Events()[0].Text, "what was recorded can't be changed")
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	r := NewRecorder()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				r.Add(Event{Kind: Log})
			}
		})
	}
	wg.Wait()
	for i, e := range r.Events() {
		require.Equal(t, i, e.ID)
	}
	assert.Len(t, r.Events(), 800)
}

func TestDurationIsTextInJSON(t *testing.T) {
	data, err := json.Marshal(Duration(1500 * time.Millisecond))
	require.NoError(t, err)
	assert.Equal(t, `"1.5s"`, string(data))
	var back Duration
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, 1500.0, back.MS())
	for _, bad := range []string{`5`, `"5"`, `"soon"`, `null x`} {
		assert.Error(t, json.Unmarshal([]byte(bad), &back), bad)
	}
}
