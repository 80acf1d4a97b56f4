package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/examples/smd/internal/llmserver"
)

// fickleLLM serves the LLM API until broken says so for a request.
func fickleLLM(t *testing.T, broken func(r *http.Request) bool) string {
	t.Helper()
	sound := llmserver.New()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken(r) {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return
		}
		sound.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	return api.URL
}

func noCompletions(r *http.Request) bool { return r.URL.Path == "/v1/chat/completions" }

// afterModels breaks the second listing of the models: the one of FINALIZE.
func afterModels() func(*http.Request) bool {
	var listed atomic.Int64
	return func(r *http.Request) bool { return r.URL.Path == "/v1/models" && listed.Add(1) > 1 }
}

func TestAFailingPhaseEndsTheStartup(t *testing.T) {
	t.Parallel()
	need(t, servers.postgres, servers.redis)
	for _, c := range []struct {
		name, phase, cause string
		break_             func(t *testing.T, env environ)
	}{
		{"auth refused", phaseDependencies, "auth: .*connection refused", func(t *testing.T, env environ) {
			env["AUTH_URL"] = "http://" + refused(t)
		}},
		{"llm refused", phaseDependencies, "llm: .*connection refused", func(t *testing.T, env environ) {
			env["LLM_URL"] = "http://" + refused(t)
		}},
		{"postgres refused", phaseDatabase, "postgres: .*connection refused", func(t *testing.T, env environ) {
			env.via("DATABASE_URL", servers.postgres, refused(t))
		}},
		{"postgres reset in a migration", phaseDatabase, "postgres: migration 004_threads_owner", func(t *testing.T, env environ) {
			env.via("DATABASE_URL", servers.postgres, newRelay(t, servers.postgres, pass).tripOn("ALTER TABLE threads").address())
		}},
		{"no such database", phaseDatabase, "postgres: .*does not exist", func(_ *testing.T, env environ) {
			env.via("DATABASE_URL", env.databaseName()+"?", "nowhere?")
		}},
		{"redis refused", phaseCache, "redis: .*connection refused", func(t *testing.T, env environ) {
			env.via("REDIS_URL", servers.redis, refused(t))
		}},
		{"llm without completions", phaseServices, "llm: .*503", func(t *testing.T, env environ) {
			env["LLM_URL"] = fickleLLM(t, noCompletions)
		}},
		{"redis lost", phaseWebSocket, "redis: ", func(t *testing.T, env environ) {
			env.via("REDIS_URL", servers.redis, newRelay(t, servers.redis, pass).tripOn("smd:session:").address())
		}},
		{"llm lost", phaseFinalize, "llm: .*503", func(t *testing.T, env environ) {
			env["LLM_URL"] = fickleLLM(t, afterModels())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			c.break_(t, env)
			smd := launch(t, env)
			assert.Equal(t, 3, smd.exit())
			log := smd.output()
			assert.Regexp(t, `(?m)PHASE FAILED: `+c.phase+` - `+c.cause+`.* \(after \d+\.\d\ds\)$`, log)
			assert.Regexp(t, `STARTUP SEQUENCE FAILED in `+c.phase+` - `+c.cause, log)
			assert.NotContains(t, log, "STARTUP SEQUENCE COMPLETED")
			for n, name := range phaseNames() {
				if name == c.phase {
					for _, later := range phaseNames()[n+1:] {
						assert.NotContains(t, log, "PHASE TRANSITION -> "+later)
					}
				}
			}
			assert.NotContains(t, log, "s3cr")
		})
	}
}

func TestABlackHoleIsGivenUp(t *testing.T) {
	t.Parallel()
	need(t, servers.postgres, servers.redis)
	for variable, c := range map[string]struct{ target, cause string }{
		"DATABASE_URL": {servers.postgres, "DATABASE - postgres: no answer within 1s"},
		"REDIS_URL":    {servers.redis, "CACHE - redis: no answer within 1s"},
		"AUTH_URL":     {servers.auth, "DEPENDENCIES - auth: no answer within 1s"},
		"LLM_URL":      {servers.llm, "DEPENDENCIES - llm: no answer within 1s"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			smd := launch(t, env.via(variable, c.target, newRelay(t, c.target, silent).address()), "--phase-timeout", "1s")
			assert.Equal(t, 3, smd.exit())
			assert.Contains(t, smd.output(), "PHASE FAILED: "+c.cause)
		})
	}
}

func TestRetriesUntilADependencyIsBack(t *testing.T) {
	t.Parallel()
	need(t, servers.postgres, servers.redis)
	for variable, target := range map[string]string{"DATABASE_URL": servers.postgres, "REDIS_URL": servers.redis, "AUTH_URL": servers.auth, "LLM_URL": servers.llm} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			way := newRelay(t, target, shut)
			smd := launch(t, env.via(variable, target, way.address()), "--retry", "60s", "--startup-timeout", "60s")
			smd.line("attempt 2 failed")
			way.set(pass)
			smd.line("answered at attempt")
			address := smd.completed()
			assert.Equal(t, http.StatusOK, get(t, "http://"+address+"/health/ready").status)
		})
	}
}

func TestAWrongPasswordIsFinal(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	server.RequireAuth("s3cr-right")
	for what, url := range map[string]string{"wrong": "redis://:s3cr-wrong@" + server.Addr(), "missing": "redis://" + server.Addr()} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			env["REDIS_URL"] = url
			smd := launch(t, env, "--retry", "10m", "--startup-timeout", "10m")
			assert.Equal(t, 3, smd.exit())
			assert.Regexp(t, "PHASE FAILED: CACHE - redis: .*(WRONGPASS|NOAUTH)", smd.output())
			assert.NotContains(t, smd.output(), "s3cr")
		})
	}
	t.Run("no such database", func(t *testing.T) {
		t.Parallel()
		env := sound(t)
		smd := launch(t, env.via("DATABASE_URL", env.databaseName()+"?", "nowhere?"), "--retry", "10m", "--startup-timeout", "10m")
		assert.Equal(t, 3, smd.exit())
	})
}

func TestTheStartupHasABudget(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), "--startup-timeout", "2s", "--startup-delay", "CACHE=10m")
	assert.Equal(t, 3, smd.exit())
	assert.Regexp(t, "PHASE FAILED: CACHE - the startup budget is used up", smd.output())
}

func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		set   environ
		flags []string
		says  string
	}{
		{"port missing", environ{"PORT": ""}, nil, "PORT"},
		{"port out of range", environ{"PORT": "70000"}, nil, "PORT"},
		{"database missing", environ{"DATABASE_URL": ""}, nil, "DATABASE_URL is not set"},
		{"database malformed", environ{"DATABASE_URL": "postgres://app:s3cr%zz@h/db"}, nil, "DATABASE_URL"},
		{"redis malformed", environ{"REDIS_URL": "http://s3cr@h"}, nil, "REDIS_URL"},
		{"auth malformed", environ{"AUTH_URL": "localhost"}, nil, "AUTH_URL"},
		{"llm missing", environ{"LLM_URL": ""}, nil, "LLM_URL is not set"},
		{"clickhouse malformed", environ{"CLICKHOUSE_URL": "tcp://h:9000"}, nil, "CLICKHOUSE_URL"},
		{"clickhouse database", environ{"CLICKHOUSE_URL": "http://h:1", "CLICKHOUSE_DATABASE": "a;b"}, nil, "a;b"},
		{"rate limit", environ{"RATE_LIMIT": "many"}, nil, "RATE_LIMIT"},
		{"serve mode", nil, []string{"--serve", "sometimes"}, "sometimes"},
		{"defect", nil, []string{"--defect", "no-such"}, "no-such"},
		{"delay", nil, []string{"--startup-delay", "LUNCH=1s"}, "LUNCH"},
		{"negative retry", nil, []string{"--retry", "-1s"}, "--retry"},
		{"argument", nil, []string{"sevre"}, "sevre"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := environ{"PORT": "0", "DATABASE_URL": "postgres://app@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0",
				"AUTH_URL": "http://127.0.0.1:1", "LLM_URL": "http://127.0.0.1:1"}
			for k, v := range c.set {
				env[k] = v
			}
			smd := launch(t, env, c.flags...)
			assert.Equal(t, 1, smd.exit())
			assert.Contains(t, smd.output(), c.says)
			assert.NotContains(t, smd.output(), "PHASE")
			assert.NotContains(t, smd.output(), "s3cr")
		})
	}
	t.Run("all mistakes at once", func(t *testing.T) {
		t.Parallel()
		smd := launch(t, environ{})
		assert.Equal(t, 1, smd.exit())
		for _, name := range []string{"PORT", "DATABASE_URL", "REDIS_URL", "AUTH_URL", "LLM_URL"} {
			assert.Contains(t, smd.output(), name)
		}
	})
	t.Run("port in use", func(t *testing.T) {
		t.Parallel()
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer taken.Close()
		_, port, _ := net.SplitHostPort(taken.Addr().String())
		env := sound(t)
		env["PORT"] = port
		smd := launch(t, env)
		assert.Equal(t, 1, smd.exit())
		assert.Contains(t, smd.output(), "address already in use")
		late := launch(t, env, "--serve", "after")
		assert.Equal(t, 3, late.exit(), "with --serve after the port is a matter of FINALIZE")
		assert.Contains(t, late.output(), "PHASE FAILED: FINALIZE - listen")
	})
}

func TestServesDuringTheStartup(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), "--startup-delay", "CACHE=10m", "--startup-timeout", "10m")
	smd.line("PHASE TRANSITION -> CACHE")
	base := "http://" + smd.address()
	assert.Equal(t, http.StatusOK, get(t, base+"/health").status)
	ready := get(t, base+"/health/ready")
	assert.Equal(t, http.StatusServiceUnavailable, ready.status)
	assert.Equal(t, "starting", ready.json(t)["status"])
	progress := get(t, base+"/health/startup").json(t)
	assert.Equal(t, "CACHE", progress["phase"])
	assert.Equal(t, []any{"INIT", "DEPENDENCIES", "DATABASE"}, progress["completed_phases"])
	thread := call(t, http.MethodPost, base+"/api/threads", `{"title":"early"}`)
	assert.Equal(t, http.StatusServiceUnavailable, thread.status)
	assert.Equal(t, "1", thread.header.Get("Retry-After"))
	assert.Equal(t, "CACHE", thread.json(t)["phase"])
	_, response, err := websocket.Dial(t.Context(), "ws://"+smd.address()+"/ws", nil)
	require.Error(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
}

func TestServesAfterTheStartup(t *testing.T) {
	t.Parallel()
	env := sound(t)
	port, err := freePort()
	require.NoError(t, err)
	env["PORT"] = port
	smd := launch(t, env, "--serve", "after", "--startup-delay", "FINALIZE=10m", "--startup-timeout", "10m")
	smd.line("PHASE TRANSITION -> FINALIZE")
	_, err = net.Dial("tcp", "127.0.0.1:"+port)
	assert.ErrorContains(t, err, "connection refused")

	later := launch(t, sound(t), "--serve", "after")
	assert.Equal(t, http.StatusOK, get(t, "http://"+later.completed()+"/health/ready").status)
}

func TestBindsBeforeTheStartupAndIsSilent(t *testing.T) {
	t.Parallel()
	// The connection is made while the startup waits for the LLM API, which
	// answers when the test lets it.
	answer := make(chan struct{})
	gate := llmserver.New()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		gate.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	env := sound(t)
	env["LLM_URL"] = api.URL
	smd := launch(t, env, "--serve", "before", "--phase-timeout", "60s", "--startup-timeout", "60s")
	address := smd.line(`bound to (\S+)`)[1]
	smd.line("LLM manager: listing")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET /health HTTP/1.0\r\n\r\n"))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	var first [12]byte
	_, err = conn.Read(first[:])
	assert.ErrorContains(t, err, "i/o timeout", "silence before the startup is complete")
	close(answer)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(first[:])
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.0 200", string(first[:]))
}

func TestSIGTERMInEveryPhase(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{serveDuring, serveBefore, serveAfter} {
		for _, phase := range phaseNames() {
			t.Run(mode+" "+phase, func(t *testing.T) {
				t.Parallel()
				smd := launch(t, sound(t), "--serve", mode, "--startup-delay", phase+"=10m", "--startup-timeout", "10m")
				smd.line("PHASE TRANSITION -> " + phase)
				smd.terminate()
				assert.Equal(t, 0, smd.exit())
				log := smd.output()
				assert.Contains(t, log, "STARTUP SEQUENCE INTERRUPTED in "+phase)
				assert.Contains(t, log, "SHUTDOWN COMPLETE")
				assert.NotContains(t, log, "PHASE FAILED")
			})
		}
	}
}

func TestSIGTERMWhileADependencyIsSilent(t *testing.T) {
	t.Parallel()
	need(t, servers.postgres, servers.redis)
	for variable, c := range map[string]struct{ target, step string }{
		"DATABASE_URL": {servers.postgres, "Connecting to PostgreSQL"},
		"REDIS_URL":    {servers.redis, "Connecting to Redis"},
		"AUTH_URL":     {servers.auth, "Key manager: fetching"},
		"LLM_URL":      {servers.llm, "LLM manager: listing"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			way := newRelay(t, c.target, silent)
			smd := launch(t, env.via(variable, c.target, way.address()), "--phase-timeout", "10m", "--startup-timeout", "10m")
			smd.line(c.step)
			require.Eventually(t, func() bool { return way.open() > 0 }, patience, 5*time.Millisecond)
			smd.terminate()
			assert.Equal(t, 0, smd.exit())
			assert.Contains(t, smd.output(), "SHUTDOWN COMPLETE")
		})
	}
}

func TestSIGTERMWhileRequestsAreStuck(t *testing.T) {
	t.Parallel()
	env := sound(t)
	way := newRelay(t, servers.llm, pass)
	smd := launch(t, env.via("LLM_URL", servers.llm, way.address()))
	address := smd.completed()
	way.set(silent)
	chat := dial(t, address, "")
	send(t, chat, `{"type":"user_message","text":"hello?"}`)
	for receive(t, chat)["type"] != "tool_completed" {
	}
	smd.terminate()
	assert.Equal(t, 0, smd.exit(), "a turn that waits for the LLM does not keep the process")
}

func TestHelperServices(t *testing.T) {
	t.Parallel()
	keys := get(t, "http://"+servers.auth+"/.well-known/jwks.json")
	assert.Equal(t, http.StatusOK, keys.status)
	var set struct{ Keys []map[string]string }
	require.NoError(t, json.Unmarshal([]byte(keys.text), &set))
	assert.Equal(t, "RS256", set.Keys[0]["alg"])
	assert.Equal(t, http.StatusBadRequest, call(t, http.MethodPost, "http://"+servers.auth+"/token", `{}`).status)
	assert.Equal(t, http.StatusOK, get(t, "http://"+servers.auth+"/healthz").status)
	assert.Equal(t, http.StatusOK, get(t, "http://"+servers.llm+"/healthz").status)
	completion := `{"model":"smd-echo-1","messages":[{"role":"user","content":"ping"}]}`
	said := call(t, http.MethodPost, "http://"+servers.llm+"/v1/chat/completions", completion)
	assert.Contains(t, said.text, "You said: ping")
	assert.Equal(t, said.text, call(t, http.MethodPost, "http://"+servers.llm+"/v1/chat/completions", completion).text)
	assert.Equal(t, http.StatusBadRequest, call(t, http.MethodPost, "http://"+servers.llm+"/v1/chat/completions", `{}`).status)

	for _, name := range []string{"auth-server", "llm-server"} {
		helper := launch(t, environ{}, name, "--listen", "127.0.0.1:0")
		helper.line("listening on 127.0.0.1:")
		helper.terminate()
		assert.Equal(t, 0, helper.exit())
		again := launch(t, environ{}, name, "--listen", "nonsense")
		assert.Equal(t, 1, again.exit())
	}
}

func TestTheDriversKeepNoGoroutineAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	// In-process, so that goleak in TestMain sees what the service leaves behind.
	env := sound(t)
	config, err := loadConfig([]string{"--serve", "after"}, func(name string) string { return env[name] })
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	out := &started{line: "STARTUP SEQUENCE COMPLETED", then: cancel}
	s, err := newService(config, newLogger(out, config.secrets()))
	require.NoError(t, err)
	assert.Equal(t, exitOK, s.run(ctx))
}
