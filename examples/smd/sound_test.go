package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dial opens a chat.
func dial(t *testing.T, address, query string) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+address+"/ws"+query, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func send(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	require.NoError(t, conn.Write(t.Context(), websocket.MessageText, []byte(text)))
}

// receive reads the next event.
func receive(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, text, err := conn.Read(ctx)
	require.NoError(t, err)
	var event map[string]any
	require.NoError(t, json.Unmarshal(text, &event))
	return event
}

// turn sends a message and returns the types of the events up to the last one,
// and that one.
func turn(t *testing.T, conn *websocket.Conn, message string) ([]string, map[string]any) {
	t.Helper()
	send(t, conn, message)
	var types []string
	for {
		event := receive(t, conn)
		types = append(types, event["type"].(string))
		if event["type"] == "agent_completed" || event["type"] == "error" {
			return types, event
		}
	}
}

var wholeTurn = []string{"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"}

func TestSoundService(t *testing.T) {
	t.Parallel()
	need(t, servers.clickhouse)
	env := sound(t)
	name := env.databaseName()
	env["CLICKHOUSE_URL"], env["CLICKHOUSE_DATABASE"] = "http://"+servers.clickhouse, name
	smd := launch(t, env)
	address := smd.completed()
	base := "http://" + address

	t.Run("logs its phases in order", func(t *testing.T) {
		log := smd.output()
		var entered, left []string
		for _, m := range regexp.MustCompile(`(?m)^\S+Z PHASE TRANSITION -> (\w+)$`).FindAllStringSubmatch(log, -1) {
			entered = append(entered, m[1])
		}
		for _, m := range regexp.MustCompile(`(?m)^\S+Z PHASE COMPLETED: (\w+) \(\d+\.\d{3}s\)$`).FindAllStringSubmatch(log, -1) {
			left = append(left, m[1])
		}
		assert.Equal(t, phaseNames(), entered)
		assert.Equal(t, phaseNames(), left)
		assert.Regexp(t, `PHASE 3: DATABASE - \w+`, log)
		assert.Regexp(t, `(?m)^\S+Z Step 9: `, log)
		assert.NotContains(t, log, "s3cr", "the password is in the log")
	})
	t.Run("reports its health", func(t *testing.T) {
		assert.Equal(t, http.StatusOK, get(t, base+"/health").status)
		ready := get(t, base+"/health/ready")
		assert.Equal(t, http.StatusOK, ready.status)
		body := ready.json(t)
		assert.Equal(t, "ready", body["status"])
		for _, dependency := range []string{"postgres", "redis", "auth", "llm", "clickhouse"} {
			assert.Equal(t, "ok", body["dependencies"].(map[string]any)[dependency].(map[string]any)["status"], dependency)
		}
		progress := get(t, base+"/health/startup").json(t)
		assert.Equal(t, "ready", progress["status"])
		assert.Len(t, progress["completed_phases"], 7)
		assert.Len(t, progress["timings_ms"], 7)
	})
	t.Run("stores threads", func(t *testing.T) { testThreads(t, base, env) })
	t.Run("answers a chat", func(t *testing.T) { testChat(t, address, env) })
	t.Run("checks tokens", func(t *testing.T) { testTokens(t, base) })
	t.Run("answers preflights", func(t *testing.T) { testPreflight(t, base) })
	t.Run("limits the rate", func(t *testing.T) {
		var limited answer
		for range 200 {
			if a := get(t, base+"/api/limited?client=a"); a.status == http.StatusTooManyRequests {
				limited = a
				break
			}
		}
		assert.Equal(t, http.StatusOK, get(t, base+"/api/limited?client=b").status, "another client has a limit of its own")
		require.Equal(t, http.StatusTooManyRequests, limited.status)
		assert.Equal(t, "1", limited.header.Get("Retry-After"))
	})
	t.Run("shows metrics", func(t *testing.T) {
		page := get(t, base+"/metrics")
		require.Equal(t, http.StatusOK, page.status)
		assert.Contains(t, page.text, `smd_worker_up{worker="analytics"} 1`)
		assert.Contains(t, page.text, "smd_open 1")
	})
	t.Run("stops on SIGTERM", func(t *testing.T) {
		chat := dial(t, address, "")
		send(t, chat, `{"type":"ping"}`)
		require.Equal(t, "pong", receive(t, chat)["type"])
		smd.terminate()
		_, _, err := chat.Read(t.Context())
		assert.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
		assert.Equal(t, 0, smd.exit())
		assert.Contains(t, smd.output(), "SHUTDOWN COMPLETE")
	})
}

func testThreads(t *testing.T, base string, env environ) {
	made := call(t, http.MethodPost, base+"/api/threads", `{"title":"first"}`)
	require.Equal(t, http.StatusCreated, made.status, made.text)
	id := made.json(t)["id"].(string)
	assert.Equal(t, []string{"first"}, query(t, env.databaseName(), "SELECT title FROM threads WHERE id = $1", id))

	options, err := redis.ParseURL(env["REDIS_URL"])
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	cached, err := client.Get(t.Context(), "smd:thread:"+id).Result()
	require.NoError(t, err)
	assert.Contains(t, cached, "first")

	read := get(t, base+made.header.Get("Location"))
	assert.Equal(t, http.StatusOK, read.status)
	assert.Equal(t, "first", read.json(t)["title"])
	require.NoError(t, client.Del(t.Context(), "smd:thread:"+id).Err())
	assert.Equal(t, read.text, get(t, base+"/api/threads/"+id).text, "read from PostgreSQL")
	assert.Equal(t, http.StatusNotFound, get(t, base+"/api/threads/none").status)
	assert.Equal(t, http.StatusBadRequest, call(t, http.MethodPost, base+"/api/threads", `{}`).status)
}

func testChat(t *testing.T, address string, env environ) {
	chat := dial(t, address, "?session=s1")
	types, last := turn(t, chat, `{"type":"user_message","text":"good morning"}`)
	assert.Equal(t, wholeTurn, types)
	assert.Equal(t, "You said: good morning [word_count: 2]", last["text"])
	thread := last["thread_id"].(string)
	assert.Equal(t, []string{"user: good morning", "assistant: You said: good morning [word_count: 2]"},
		query(t, env.databaseName(), "SELECT role || ': ' || body FROM messages WHERE thread_id = $1 AND turn_id = $2 ORDER BY role DESC",
			thread, last["turn_id"]))
	require.NoError(t, chat.Close(websocket.StatusNormalClosure, ""))

	again := dial(t, address, "?session=s1")
	_, resumed := turn(t, again, `{"type":"user_message","text":"still me"}`)
	assert.Equal(t, thread, resumed["thread_id"], "a reconnect goes on in its thread")
	_, other := turn(t, dial(t, address, ""), `{"type":"user_message","text":"me not"}`)
	assert.NotEqual(t, thread, other["thread_id"])
	types, _ = turn(t, again, `{"type":"nonsense"}`)
	assert.Equal(t, []string{"error"}, types)

	url := env["CLICKHOUSE_URL"] + "/?query=SELECT+count()+FROM+" + env["CLICKHOUSE_DATABASE"] + ".smd_events+WHERE+name='turn'"
	require.Eventually(t, func() bool { return strings.TrimSpace(get(t, url).text) == "3" }, patience, 20*1e6)
}

func testTokens(t *testing.T, base string) {
	good := token(t, false)
	me := get(t, base+"/api/me", "Authorization", "Bearer "+good)
	assert.Equal(t, http.StatusOK, me.status, me.text)
	assert.Equal(t, "ada", me.json(t)["user"])
	for what, header := range map[string]string{
		"no token": "", "tampered": "Bearer " + tampered(good), "expired": "Bearer " + token(t, true), "nonsense": "Bearer x.y.z",
	} {
		refused := get(t, base+"/api/me", "Authorization", header)
		assert.Equal(t, http.StatusUnauthorized, refused.status, what)
		assert.NotEmpty(t, refused.header.Get("WWW-Authenticate"), what)
	}
}

// tampered changes the signature.
func tampered(token string) string {
	cut := strings.LastIndex(token, ".") + 1
	if token[cut] == 'A' {
		return token[:cut] + "B" + token[cut+1:]
	}
	return token[:cut] + "A" + token[cut+1:]
}

func testPreflight(t *testing.T, base string) {
	ask := func(origin string) answer {
		return call(t, http.MethodOptions, base+"/api/threads", "", "Origin", origin, "Access-Control-Request-Method", "POST")
	}
	allowed := ask("http://localhost:3000")
	assert.Equal(t, http.StatusNoContent, allowed.status)
	assert.Equal(t, "http://localhost:3000", allowed.header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, allowed.header.Get("Access-Control-Allow-Methods"), "POST")
	refused := ask("http://evil.example")
	assert.Equal(t, http.StatusForbidden, refused.status)
	assert.Empty(t, refused.header.Get("Access-Control-Allow-Origin"))
}

func TestGoesOnWithoutClickHouse(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["CLICKHOUSE_URL"] = "http://" + refused(t)
	smd := launch(t, env)
	address := smd.completed()
	ready := get(t, "http://"+address+"/health/ready")
	assert.Equal(t, http.StatusOK, ready.status)
	assert.Equal(t, "degraded", ready.json(t)["status"])
	assert.Regexp(t, `WARNING: .*clickhouse`, smd.output())
	types, _ := turn(t, dial(t, address, ""), `{"type":"user_message","text":"hi"}`)
	assert.Equal(t, wholeTurn, types)
}

func TestReadinessFollowsItsDependencies(t *testing.T) {
	t.Parallel()
	for variable, target := range map[string]string{"DATABASE_URL": servers.postgres, "REDIS_URL": servers.redis, "AUTH_URL": servers.auth, "LLM_URL": servers.llm} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			way := newRelay(t, target, pass)
			smd := launch(t, env.via(variable, target, way.address()))
			url := "http://" + smd.completed() + "/health/ready"
			require.Equal(t, http.StatusOK, get(t, url).status)
			way.set(shut)
			down := get(t, url)
			assert.Equal(t, http.StatusServiceUnavailable, down.status)
			assert.Equal(t, "failed", down.json(t)["status"])
			way.set(pass)
			require.Eventually(t, func() bool { return get(t, url).status == http.StatusOK }, patience, 50*1e6)
		})
	}
}

func TestInstancesMigrateTheSameDatabaseAtOnce(t *testing.T) {
	t.Parallel()
	env := sound(t)
	var all []*instance
	for range 4 {
		all = append(all, launch(t, env))
	}
	for _, smd := range all {
		smd.completed()
	}
	assert.Equal(t, []string{"6"}, query(t, env.databaseName(), "SELECT count(*)::text FROM schema_migrations"))
}

func TestTwentyUsersAtOnce(t *testing.T) {
	t.Parallel()
	env := sound(t)
	address := launch(t, env).completed()
	var users sync.WaitGroup
	for range 20 {
		chat := dial(t, address, "")
		users.Go(func() {
			for range 3 {
				types, last := turn(t, chat, `{"type":"user_message","text":"all at once"}`)
				assert.Equal(t, wholeTurn, types, last)
			}
		})
	}
	users.Wait()
	assert.Equal(t, []string{"120"}, query(t, env.databaseName(), "SELECT count(*)::text FROM messages"))
}
