package e2e

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goRedis has one connection and does not try again by itself.
func goRedis(t *testing.T, addr, password string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, Password: password, PoolSize: 1, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { c.Close() })
	return c
}

// driverError is what every driver says in most states: the server's own words.
var driverErrors = map[string]string{
	"LOADING":    "LOADING Redis is loading the dataset in memory",
	"NOAUTH":     "NOAUTH Authentication required.",
	"READONLY":   "READONLY You can't write against a read only replica.",
	"MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
	"MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are " +
		"disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). " +
		"Please check the Redis logs for details about the RDB error.",
	"OOM":         "OOM command not allowed when used memory > 'maxmemory'.",
	"BUSY":        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
	"NOREPLICAS":  "NOREPLICAS Not enough good replicas to write.",
	"CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestRedisDrivers: what the drivers say while the fault is on, and that after the lift the same connection works.
func TestRedisDrivers(t *testing.T) {
	healthy := startRedis(t, t.TempDir())
	for state, want := range driverErrors {
		t.Run(state, func(t *testing.T) {
			p := spoken(t, healthy.addr, "redis_error", state)
			addr := p.Addr().String()
			ctx, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			open, bare := goRedis(t, addr, ""), dialRedis(t, addr)
			id, err := open.ClientID(ctx).Result()
			require.NoError(t, err)
			bareID := bare.ask(t, "CLIENT", "ID")

			for range 2 { // it may come again
				p.Arm("f")
				assert.Equal(t, want, text(open.Set(ctx, "k", "v", 0).Err()), "go-redis, an open connection")
				assert.Equal(t, want, text(goRedis(t, addr, "").Set(ctx, "k", "v", 0).Err()), "go-redis, a new connection")
				assert.Equal(t, want, redisCLI(t, addr, "SET", "k", "v"))
				assert.Equal(t, "-"+want+"\r\n", bare.ask(t, "SET", "k", "v"))

				p.Lift("f")
				assert.NoError(t, open.Set(ctx, "k", "v", 0).Err())
				again, err := open.ClientID(ctx).Result()
				require.NoError(t, err)
				if state != "READONLY" { // go-redis leaves a replica by itself, to find the master
					assert.Equal(t, id, again, "the same connection")
				}
				assert.Equal(t, "OK", redisCLI(t, addr, "SET", "k", "v"))
				assert.Equal(t, "+OK\r\n", bare.ask(t, "SET", "k", "v"))
				assert.Equal(t, bareID, bare.ask(t, "CLIENT", "ID"), "the same connection")
			}
		})
	}
}

func redisCLI(t *testing.T, addr string, words ...string) string {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), installed(t, "redis-cli"), append([]string{"-u", "redis://" + addr}, words...)...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// TestRedisPassword: a password that was changed, or that the service does not have, looks like that of a real server.
func TestRedisPassword(t *testing.T) {
	locked, ctx := startRedis(t, t.TempDir(), "--requirepass", "another"), t.Context()
	const wrong = "WRONGPASS invalid username-password pair or user is disabled."
	want := text(goRedis(t, locked.addr, "secret").Ping(ctx).Err())
	assert.Contains(t, want, wrong)
	wantNone := text(goRedis(t, locked.addr, "").Ping(ctx).Err())
	wantCLI := redisCLI(t, locked.addr, "--pass", "secret", "PING")

	server := startRedis(t, t.TempDir(), "--requirepass", "secret")
	for _, state := range []string{"WRONGPASS", "NOAUTH"} {
		p := spoken(t, server.addr, "redis_error", state)
		addr := p.Addr().String()
		open := goRedis(t, addr, "secret")
		require.NoError(t, open.Ping(ctx).Err())
		p.Arm("f")
		assert.Equal(t, want, text(goRedis(t, addr, "secret").Ping(ctx).Err()), state)
		assert.Equal(t, wantNone, text(goRedis(t, addr, "").Ping(ctx).Err()), state)
		assert.Equal(t, wantCLI, redisCLI(t, addr, "--pass", "secret", "PING"))
		stubborn := dialRedis(t, addr) // goes on although its password was refused
		assert.Equal(t, "-"+wrong+"\r\n", stubborn.ask(t, "HELLO", "3", "AUTH", "default", "secret"))
		assert.Equal(t, "-NOAUTH Authentication required.\r\n", stubborn.ask(t, "GET", "nokey"))
		if state == "WRONGPASS" {
			assert.NoError(t, open.Ping(ctx).Err(), "who is in stays in")
		} else {
			assert.EqualError(t, open.Ping(ctx).Err(), "NOAUTH Authentication required.")
		}
		p.Lift("f")
		assert.NoError(t, open.Ping(ctx).Err())
		assert.Equal(t, "$-1\r\n", stubborn.ask(t, "GET", "nokey"), "and works after the lift")
	}
	t.Logf("go-redis: %q, without a password %q; redis-cli: %q", want, wantNone, wantCLI)
}

// TestRedisGreetings: a server that turns new connections away.
func TestRedisGreetings(t *testing.T) {
	full := startRedis(t, t.TempDir(), "--maxclients", "1")
	answer := ""
	for tries := 0; answer != "+PONG\r\n"; tries++ { // whoever looked whether the server is up may still hold the only place
		require.Less(t, tries, 1000, answer)
		answer = dialRedis(t, full.addr).ask(t, "PING")
	}
	want, err := readRedis(dialRedis(t, full.addr).in)
	require.NoError(t, err)

	healthy := startRedis(t, t.TempDir())
	for state, want := range map[string]string{"MAXCLIENTS": want, "DENIED": "-DENIED Redis is running in protected mode"} {
		p := spoken(t, healthy.addr, "redis_error", state)
		addr := p.Addr().String()
		open := dialRedis(t, addr)
		require.Equal(t, "+PONG\r\n", open.ask(t, "PING"))
		p.Arm("f")
		fresh := dialRedis(t, addr)
		got, err := readRedis(fresh.in)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(got, want), got)
		_, err = fresh.in.ReadByte()
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, "+PONG\r\n", open.ask(t, "PING"), "who is in stays in")
		assert.Equal(t, strings.TrimSpace(got[1:]), redisCLI(t, addr, "PING"))
		t.Logf("go-redis, %s: %v", state, goRedis(t, addr, "").Ping(t.Context()).Err())
		p.Lift("f")
		assert.NoError(t, goRedis(t, addr, "").Ping(t.Context()).Err())
		if state == "DENIED" { // it is not for loopback, so that the words are looked for where they come from
			program, err := os.ReadFile(installed(t, "redis-server"))
			require.NoError(t, err)
			assert.True(t, bytes.Contains(program, []byte(got)), "redis-server does not say %q", got)
		}
	}
	t.Logf("go-redis, a real server: %v", goRedis(t, full.addr, "").Ping(t.Context()).Err())
}
