package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefectAcceptExpired(t *testing.T) {
	t.Parallel()
	url := "http://" + launch(t, sound(t), defect(AcceptExpired)).completed() + "/api/me"
	assert.Equal(t, http.StatusOK, get(t, url, "Authorization", "Bearer "+token(t, true)).status)
	assert.Equal(t, http.StatusUnauthorized, get(t, url, "Authorization", "Bearer "+tampered(token(t, true))).status, "it was never signed")
}

func TestDefectAnyOrigin(t *testing.T) {
	t.Parallel()
	base := "http://" + launch(t, sound(t), defect(AnyOrigin)).completed()
	got := call(t, http.MethodOptions, base+"/api/threads", "", "Origin", "http://evil.example", "Access-Control-Request-Method", "POST")
	assert.Equal(t, "http://evil.example", got.header.Get("Access-Control-Allow-Origin"))
}

func TestDefectNoRateLimit(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["RATE_LIMIT"] = "2"
	base := "http://" + launch(t, env, defect(NoRateLimit)).completed()
	for range 10 {
		assert.Equal(t, http.StatusOK, get(t, base+"/api/limited").status)
	}
}

// The session is held for so long that the second request certainly meets it.
func TestDefectSharedSession(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["SMD_SESSION_HOLD"] = "3s"
	base := "http://" + launch(t, env, defect(SharedSession)).completed()
	var both sync.WaitGroup
	var answers [2]answer
	for i := range answers {
		both.Go(func() { answers[i] = call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`) })
	}
	both.Wait()
	statuses := []int{answers[0].status, answers[1].status}
	assert.ElementsMatch(t, []int{http.StatusCreated, http.StatusServiceUnavailable}, statuses)
	assert.Contains(t, answers[0].text+answers[1].text, "another operation is in progress")
}

func TestDefectStuckSession(t *testing.T) {
	t.Parallel()
	address := launch(t, sound(t), defect(StuckSession)).completed()
	polite := dial(t, address, "?session=polite")
	send(t, polite, `{"type":"ping"}`)
	receive(t, polite)
	require.NoError(t, polite.Close(websocket.StatusNormalClosure, ""))
	broken := dial(t, address, "?session=broken")
	send(t, broken, `{"type":"ping"}`)
	receive(t, broken)
	require.NoError(t, broken.CloseNow())
	_, _, err := dial(t, address, "?session=broken").Read(t.Context())
	assert.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))
}

func TestDefectUnstoredThread(t *testing.T) {
	t.Parallel()
	env := sound(t)
	base := "http://" + launch(t, env, defect(UnstoredThread)).completed()
	made := call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`)
	require.Equal(t, http.StatusCreated, made.status)
	id := made.json(t)["id"].(string)
	assert.Equal(t, http.StatusOK, get(t, base+"/api/threads/"+id).status, "the cache has it")
	assert.Empty(t, query(t, env.databaseName(), "SELECT title FROM threads WHERE id = $1", id))
}

func TestDefectsOfAnalytics(t *testing.T) {
	t.Parallel()
	need(t, servers.clickhouse)
	for _, d := range []Defect{LostEvents, DeadWorker} {
		env := sound(t)
		env["CLICKHOUSE_URL"], env["CLICKHOUSE_DATABASE"] = "http://"+servers.clickhouse, env.databaseName()
		base := "http://" + launch(t, env, defect(d)).completed()
		assert.Equal(t, "ready", get(t, base+"/health/ready").json(t)["status"], "it says nothing")
		worker := strings.Contains(get(t, base+"/metrics").text, `smd_worker_up{worker="analytics"} 1`)
		assert.Equal(t, d == LostEvents, worker)
	}
}
