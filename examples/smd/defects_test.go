package main

import (
	"bytes"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// started calls then when a line is written; it is a log's io.Writer.
type started struct {
	line string
	then func()
}

func (s *started) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.line)) {
		s.then()
	}
	return len(p), nil
}

func defect(d Defect) string { return "--defect=" + string(d) }

func TestEveryDefectIsDocumented(t *testing.T) {
	t.Parallel()
	help := launch(t, environ{}, "--help")
	require.Equal(t, 0, help.exit())
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("defects.go")
	require.NoError(t, err)
	declared := regexp.MustCompile(`(?m)^\t\w+\s+Defect = "([a-z-]+)"`).FindAllSubmatch(source, -1)
	require.Len(t, declared, len(defectTable()))
	for n, doc := range defectTable() {
		assert.Equal(t, string(doc.name), string(declared[n][1]))
		assert.Contains(t, help.output(), string(doc.name))
		failure := "-"
		if doc.failure > 0 {
			failure = strconv.Itoa(doc.failure)
		}
		row := "| `" + string(doc.name) + "` | " + doc.plays + " | " + failure + " | " + doc.caught + " |"
		assert.Contains(t, string(readme), row)
	}
}

func TestDefectNames(t *testing.T) {
	t.Parallel()
	var chosen Defects
	require.NoError(t, chosen.Set("none"))
	assert.Empty(t, chosen, "the sound service")
	require.NoError(t, chosen.Set("exit-zero, none, log-secret,exit-zero"))
	assert.Equal(t, Defects{ExitZero, LogSecret}, chosen)
	assert.ErrorContains(t, chosen.Set("exit-one"), "no defect is called")
}

func TestDefectFalseReadyRedis(t *testing.T) {
	t.Parallel()
	env := sound(t)
	smd := launch(t, env.via("REDIS_URL", servers.redis, refused(t)), defect(FalseReadyRedis))
	base := "http://" + smd.completed()
	assert.Equal(t, http.StatusOK, get(t, base+"/health/ready").status)
	assert.Equal(t, http.StatusServiceUnavailable, call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`).status)
}

func TestDefectHangOnBlackholedPostgres(t *testing.T) {
	t.Parallel()
	env := sound(t)
	way := newRelay(t, servers.postgres, silent)
	smd := launch(t, env.via("DATABASE_URL", servers.postgres, way.address()), defect(HangOnBlackholedPostgres),
		"--phase-timeout", "2s", "--startup-timeout", "3s")
	smd.line("Connecting to PostgreSQL")
	// A sound instance that starts later under the same limits has long given up.
	other := launch(t, env, "--phase-timeout", "2s", "--startup-timeout", "3s")
	assert.Equal(t, 3, other.exit())
	select {
	case <-smd.done:
		t.Fatal("did not hang")
	default:
	}
	smd.terminate()
	assert.Equal(t, 0, smd.exit())
}

func TestDefectReadyBeforeSchema(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{serveDuring, serveBefore, serveAfter} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			env["SMD_SCHEMA_DELAY"] = "10m"
			smd := launch(t, env, defect(ReadyBeforeSchema), "--serve", mode, "--startup-timeout", "10m")
			smd.line("waiting for the migration job")
			base := "http://" + smd.address()
			assert.Equal(t, http.StatusOK, get(t, base+"/health/ready").status)
			assert.Equal(t, http.StatusServiceUnavailable, call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`).status)
			smd.terminate()
			assert.Equal(t, 0, smd.exit())
		})
	}
	t.Run("heals", func(t *testing.T) {
		t.Parallel()
		env := sound(t)
		env["SMD_SCHEMA_DELAY"] = "1ms"
		smd := launch(t, env, defect(ReadyBeforeSchema))
		base := "http://" + smd.completed()
		assert.Equal(t, http.StatusCreated, call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`).status)
	})
}

func TestDefectSwallowLLM(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*http.Request) bool{
		"refused from the start": func(*http.Request) bool { return true }, "in SERVICES": noCompletions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := sound(t)
			env["LLM_URL"] = fickleLLM(t, broken)
			smd := launch(t, env, defect(SwallowLLM))
			address := smd.completed()
			assert.Equal(t, http.StatusOK, get(t, "http://"+address+"/health/ready").status)
			types, _ := turn(t, dial(t, address, ""), `{"type":"user_message","text":"hi"}`)
			assert.Equal(t, []string{"error"}, types)
		})
	}
}

func TestDefectEarlyWebSocket(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(EarlyWebSocket), "--startup-delay", "DATABASE=10m", "--startup-timeout", "10m")
	smd.line("PHASE TRANSITION -> DATABASE")
	_, _, err := dial(t, smd.address(), "").Read(t.Context())
	assert.Equal(t, websocket.StatusInternalError, websocket.CloseStatus(err))
}

func TestDefectRetryStorm(t *testing.T) {
	t.Parallel()
	env := sound(t)
	way := newRelay(t, servers.redis, shut)
	smd := launch(t, env.via("REDIS_URL", servers.redis, way.address()), defect(RetryStorm), "--retry", "1s")
	assert.Equal(t, 3, smd.exit())
	calm := newRelay(t, servers.redis, shut)
	env = sound(t)
	smd = launch(t, env.via("REDIS_URL", servers.redis, calm.address()), "--retry", "1s")
	assert.Equal(t, 3, smd.exit())
	assert.Greater(t, way.count(), 4*calm.count())
	assert.LessOrEqual(t, calm.count(), 5)
}

func TestDefectIgnoreSIGTERM(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(IgnoreSIGTERM))
	base := "http://" + smd.completed()
	for range 3 {
		smd.terminate()
		assert.Equal(t, http.StatusOK, get(t, base+"/health/ready").status)
	}
	require.NoError(t, smd.cmd.Process.Signal(syscall.SIGINT))
	assert.Equal(t, 0, smd.exit())
}

func TestDefectWrongPhaseOrder(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(WrongPhaseOrder))
	smd.completed()
	assert.Regexp(t, `(?s)-> CACHE.*-> DATABASE.*-> SERVICES`, smd.output())
}

func TestDefectLeakConnections(t *testing.T) {
	t.Parallel()
	env := sound(t)
	way := newRelay(t, servers.postgres, shut)
	smd := launch(t, env.via("DATABASE_URL", servers.postgres, way.address()), defect(LeakConnections), "--retry", "60s", "--startup-timeout", "60s")
	smd.line("attempt 3 failed")
	way.set(pass)
	smd.completed()
	require.Eventually(t, func() bool { return way.open() >= 5+3 }, patience, 20*time.Millisecond, "a pool of five and a leak for each retry")
}

func TestDefectExitZero(t *testing.T) {
	t.Parallel()
	env := sound(t)
	smd := launch(t, env.via("REDIS_URL", servers.redis, refused(t)), defect(ExitZero))
	assert.Equal(t, 0, smd.exit())
	assert.Contains(t, smd.output(), "PHASE FAILED: CACHE")
}

func TestDefectSlowDependencies(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["SMD_SLOW"] = "400ms"
	smd := launch(t, env, defect(SlowDependencies), "--startup-timeout", "100ms", "--phase-timeout", "60s")
	address := smd.completed()
	progress := get(t, "http://"+address+"/health/startup").json(t)
	assert.GreaterOrEqual(t, progress["timings_ms"].(map[string]any)["DEPENDENCIES"], 400.0)
}

func TestDefectMissingTables(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(MissingTables))
	address := smd.completed()
	assert.Equal(t, http.StatusOK, get(t, "http://"+address+"/health/ready").status)
	_, last := turn(t, dial(t, address, ""), `{"type":"user_message","text":"hi"}`)
	assert.Contains(t, last["error"], "does not exist")
}

func TestDefectClickHouseBlocks(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["CLICKHOUSE_URL"], env["SMD_CLICKHOUSE_BLOCK"] = "http://"+refused(t), "10m"
	smd := launch(t, env, defect(ClickHouseBlocks), "--startup-timeout", "100ms")
	smd.line("waiting for it")
	assert.NotContains(t, smd.output(), "PHASE TRANSITION -> WEBSOCKET")
	smd.terminate()
	assert.Equal(t, 0, smd.exit())

	env["SMD_CLICKHOUSE_BLOCK"] = "10ms"
	impatient := launch(t, env, defect(ClickHouseBlocks))
	assert.Equal(t, "degraded", get(t, "http://"+impatient.completed()+"/health/ready").json(t)["status"])
}

func TestDefectLogSecret(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(LogSecret))
	smd.completed()
	assert.Contains(t, smd.output(), "s3cr%40t-pw")
}

func TestDefectNeverGivesUp(t *testing.T) {
	t.Parallel()
	env := sound(t)
	smd := launch(t, env.via("REDIS_URL", servers.redis, refused(t)), defect(NeverGivesUp), "--startup-timeout", "10ms")
	smd.line("attempt 4 failed")
	smd.terminate()
	assert.Equal(t, 0, smd.exit())
}

func TestDefectHealthLies(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(HealthLies), "--startup-delay", "DATABASE=10m", "--startup-timeout", "10m")
	smd.line("PHASE TRANSITION -> DATABASE")
	base := "http://" + smd.address()
	assert.Equal(t, http.StatusOK, get(t, base+"/health/ready").status)
	assert.Equal(t, http.StatusServiceUnavailable, call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`).status)
}

func TestDefectLateReady(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["SMD_READY_DELAY"] = "10m"
	smd := launch(t, env, defect(LateReady))
	smd.line("PHASE COMPLETED: FINALIZE")
	base := "http://" + smd.address()
	assert.Equal(t, http.StatusCreated, call(t, http.MethodPost, base+"/api/threads", `{"title":"x"}`).status)
	assert.NotContains(t, smd.output(), "STARTUP SEQUENCE COMPLETED")
	smd.terminate()
	assert.Equal(t, 0, smd.exit())
}

func TestDefectLostEarlyMessage(t *testing.T) {
	t.Parallel()
	env := sound(t)
	env["SMD_REGISTER_DELAY"] = "1s"
	smd := launch(t, env, defect(LostEarlyMessage))
	chat := dial(t, smd.completed(), "")
	send(t, chat, `{"type":"user_message","text":"hi"}`)
	// Pings until one is answered: whatever comes first tells the fate of the
	// message that was sent before them.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = chat.Write(t.Context(), websocket.MessageText, []byte(`{"type":"ping"}`))
			case <-stop:
				return
			}
		}
	}()
	assert.Equal(t, "pong", receive(t, chat)["type"], "the first message was lost")
	close(stop)
	<-stopped
}

func TestDefectNoAuth(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(NoAuth))
	url := "http://" + smd.completed() + "/api/me"
	for what, bearer := range map[string]string{"tampered": tampered(token(t, false)), "expired": token(t, true)} {
		assert.Equal(t, http.StatusOK, get(t, url, "Authorization", "Bearer "+bearer).status, what)
	}
	env := sound(t)
	env["AUTH_URL"] = "http://" + refused(t)
	launch(t, env, defect(NoAuth)).completed()
}

func TestDefectForkChild(t *testing.T) {
	t.Parallel()
	smd := launch(t, sound(t), defect(ForkChild))
	child, err := strconv.Atoi(smd.line(`Forked child (\d+)`)[1])
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Kill(child, syscall.SIGKILL) })
	smd.completed()
	smd.terminate()
	assert.Equal(t, 0, smd.exit())
	command, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/cmdline")
	require.NoError(t, err, "the child outlives the service")
	assert.Contains(t, strings.ReplaceAll(string(command), "\x00", " "), "linger")
}
