package analytics

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house records statements and answers as told.
type house struct {
	mu         sync.Mutex
	statements []string
	answer     func(statement string) int
	got        chan string
}

func newHouse(t *testing.T, answer func(string) int) (*house, string) {
	t.Helper()
	h := &house{answer: answer, got: make(chan string, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		statement := strings.TrimSpace(r.URL.Query().Get("query") + " " + string(body))
		h.mu.Lock()
		h.statements = append(h.statements, statement)
		h.mu.Unlock()
		h.got <- statement
		w.WriteHeader(h.answer(statement))
		_, _ = w.Write([]byte("Code: 1, e.displayText() = DB::Exception\nsecond line"))
	}))
	t.Cleanup(server.Close)
	return h, server.URL
}

func fine(string) int { return http.StatusOK }

func TestCreatesOnceAndInserts(t *testing.T) {
	h, url := newHouse(t, fine)
	client, err := New(url+"/", "stats", time.Minute)
	require.NoError(t, err)
	defer client.Stop()
	require.NoError(t, client.Check(t.Context()))
	require.NoError(t, client.Insert(t.Context(), Event{At: 7, Name: "turn", Thread: "thr"}))
	require.NoError(t, client.Ping(t.Context()))
	require.Len(t, h.statements, 5)
	assert.Equal(t, "CREATE DATABASE IF NOT EXISTS stats", h.statements[0])
	assert.Contains(t, h.statements[1], "CREATE TABLE IF NOT EXISTS stats.smd_events")
	assert.Equal(t, `INSERT INTO stats.smd_events (at, name, thread) FORMAT JSONEachRow {"at":7,"name":"turn","thread":"thr"}`, h.statements[3])
}

func TestRecordsInTheBackgroundAndLosesWithoutBlocking(t *testing.T) {
	h, url := newHouse(t, fine)
	client, err := New(url, "default", time.Minute)
	require.NoError(t, err)
	for range queueLength + 3 {
		client.Record("turn", "thr") // nobody sends yet
	}
	assert.EqualValues(t, 3, client.Dropped())
	client.Start()
	for !strings.HasPrefix(<-h.got, "INSERT") {
	}
	client.Stop()
	client.Record("after the end", "")
}

func TestSaysWhatClickHouseSaid(t *testing.T) {
	_, url := newHouse(t, func(s string) int {
		if strings.HasPrefix(s, "INSERT") {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	client, err := New(url, "default", time.Minute)
	require.NoError(t, err)
	defer client.Stop()
	err = client.Check(t.Context())
	assert.ErrorContains(t, err, "insert check: 500 Internal Server Error: Code: 1, e.displayText() = DB::Exception")
	assert.NotContains(t, err.Error(), "second line")
	client.Start()
	client.Record("turn", "thr")
	require.Eventually(t, func() bool { return client.Dropped() == 1 }, time.Minute, time.Millisecond)
}

func TestRefusesNamesThatAreNoNames(t *testing.T) {
	_, err := New("http://127.0.0.1:1", "a; DROP DATABASE b", time.Second)
	assert.ErrorContains(t, err, "DROP")
}

func TestStopInterruptsAnInsert(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is a lost client noticed
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	client, err := New(server.URL, "default", time.Hour)
	require.NoError(t, err)
	client.Start()
	client.Record("turn", "thr")
	<-asked
	client.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Error(t, client.Ping(ctx))
}
