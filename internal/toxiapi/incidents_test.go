package toxiapi

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// incidents collects what is told.
type incidents struct {
	mu  sync.Mutex
	all []Incident
}

func (i *incidents) on(one Incident) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, one)
}

// of returns those of a kind, and how often it happened in all.
func (i *incidents) of(kind IncidentKind) (list []Incident, times int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, one := range i.all {
		if one.Kind == kind {
			list = append(list, one)
			times += one.Times
		}
	}
	return list, times
}

// TestUnreachableUpstream: the first is told at once, and many are told together, so that none is lost and nobody is flooded.
func TestUnreachableUpstream(t *testing.T) {
	var told incidents
	s, url := serve(t, Options{On: told.on})
	require.Equal(t, 201, ask(t, "POST", url+"/proxies", `{"name":"a","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}`).status)
	const n = 20
	began := time.Now()
	for i := range n {
		_, err := dial(t, s.Proxies()["a"].Listen).says("hello")
		require.Error(t, err)
		if i == 0 {
			require.Eventually(t, func() bool { _, times := told.of(Unreachable); return times == 1 }, waitFor, tick)
		}
	}
	require.Eventually(t, func() bool { _, times := told.of(Unreachable); return times == n }, waitFor, tick)
	list, _ := told.of(Unreachable)
	assert.LessOrEqual(t, len(list), 2+int(time.Since(began)/tellEach))
	assert.Equal(t, "a", list[0].Proxy)
	assert.Equal(t, "127.0.0.1:1", list[0].Upstream)
	assert.ErrorIs(t, list[0].Err, syscall.ECONNREFUSED)
	assert.Contains(t, ask(t, "GET", url+"/metrics", "").body, fmt.Sprintf("chaos_proxy_upstream_errors_total{proxy=\"a\"} %d\n", n))
}

// TestTheRestIsTold when a proxy ends before its second is over.
func TestTheRestIsTold(t *testing.T) {
	var told incidents
	r := &reporter{tell: told.on, name: "a"}
	for range 3 {
		r.unreachable(Incident{Kind: Unreachable, Times: 1})
	}
	r.finish()
	_, times := told.of(Unreachable)
	assert.Equal(t, 3, times)
}

// TestBudgetLeavesSome: whatever the limit is.
func TestBudgetLeavesSome(t *testing.T) {
	assert.Positive(t, opened())
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	assert.Equal(t, limit.Cur >= 1<<30, budget() == nil)
}
