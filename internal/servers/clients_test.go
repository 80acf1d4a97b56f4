package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func nopLogger() *zap.Logger { return zap.NewNop() }

func dsn(s *Server, vars map[string]string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", vars["user"], s.Addr, vars["database"])
}

func pgConnect(t *testing.T, s *Server, vars map[string]string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn(s, vars))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// What start-up code does with PostgreSQL looks the same on both.
func TestPostgresSuite(t *testing.T) {
	each(t, "postgres", func(t *testing.T, s *Server) {
		ctx := t.Context()
		conn := pgConnect(t, s, s.Vars)
		_, err := conn.Exec(ctx, `CREATE TABLE users (id BIGSERIAL PRIMARY KEY, email TEXT NOT NULL UNIQUE, born TIMESTAMPTZ DEFAULT now(), ok BOOLEAN DEFAULT true, n INT)`)
		require.NoError(t, err)
		born := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
		var id int64
		require.NoError(t, conn.QueryRow(ctx, "INSERT INTO users (email, born, n) VALUES ($1, $2, $3) RETURNING id", "a@b.c", born, 7).Scan(&id))
		assert.EqualValues(t, 1, id)
		var email string
		var at time.Time
		var ok bool
		var n int
		require.NoError(t, conn.QueryRow(ctx, "SELECT email, born, ok, n FROM users WHERE id = $1 AND born <= $2", id, time.Now()).Scan(&email, &at, &ok, &n))
		assert.Equal(t, "a@b.c", email)
		assert.True(t, born.Equal(at))
		assert.True(t, ok)
		assert.Equal(t, 7, n)

		postgresErrors(t, s, conn)
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "DELETE FROM users")
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "SELECT * FROM nowhere")
		assert.Equal(t, "42P01", sqlState(err))
		_, err = tx.Exec(ctx, "SELECT 1")
		assert.Equal(t, "25P02", sqlState(err))
		assert.EqualValues(t, 'E', conn.PgConn().TxStatus())
		require.NoError(t, tx.Rollback(ctx))
		require.NoError(t, conn.QueryRow(ctx, "SELECT count(*) FROM users").Scan(&n))
		assert.Equal(t, 1, n)
		var exists bool
		require.NoError(t, conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2)", "public", "users").Scan(&exists))
		assert.True(t, exists)
		var version string
		require.NoError(t, conn.QueryRow(ctx, "SELECT version()").Scan(&version))
		assert.Equal(t, s.Standin, strings.Contains(version, "not PostgreSQL"), version)
		_, err = conn.Exec(ctx, "SELECT pg_sleep(0)")
		if s.Standin {
			require.ErrorContains(t, err, "pg_sleep() is not supported by this stand-in (PostgreSQL wire protocol over SQLite, not PostgreSQL)")
		} else {
			require.NoError(t, err)
		}
	})
}

// postgresErrors are the SQLSTATEs that start-up code looks at.
func postgresErrors(t *testing.T, s *Server, conn *pgx.Conn) {
	t.Helper()
	ctx := t.Context()
	for query, want := range map[string]string{
		"INSERT INTO users (email) VALUES ('a@b.c')": "23505",
		"INSERT INTO users (n) VALUES (1)":           "23502",
		"SELECT * FROM nowhere":                      "42P01",
		"SELECT nothing FROM users":                  "42703",
		"SELEC 1":                                    "42601",
		"ALTER TABLE users ADD COLUMN n INT":         "42701",
		"CREATE TABLE users (id INT)":                "42P07",
		"CREATE DATABASE app":                        "42P04",
		"SELECT frobnicate(1)":                       "42883",
		"SHOW nonsense":                              "42704",
	} {
		_, err := conn.Exec(ctx, query)
		assert.Equal(t, want, sqlState(err), "%s: %v", query, err)
	}
	_, err := conn.Exec(ctx, "INSERT INTO users (email) VALUES ($1)", "a@b.c")
	var violation *pgconn.PgError
	require.ErrorAs(t, err, &violation)
	assert.Equal(t, "users_email_key", violation.ConstraintName)
	_, err = pgx.Connect(ctx, dsn(s, map[string]string{"user": "app", "database": "nowhere"}))
	assert.Equal(t, "3D000", sqlState(err))
}

func TestPostgresNamespaces(t *testing.T) {
	each(t, "postgres", func(t *testing.T, s *Server) {
		first, second := namespace(t, s, "t1"), namespace(t, s, "t2")
		conn := pgConnect(t, s, first.Vars)
		_, err := conn.Exec(t.Context(), "CREATE TABLE only_here (n INT)")
		require.NoError(t, err)
		_, err = pgConnect(t, s, second.Vars).Exec(t.Context(), "SELECT * FROM only_here")
		assert.Equal(t, "42P01", sqlState(err))
		require.NoError(t, first.Drop(t.Context()), "also under an open connection")
		require.Error(t, conn.Ping(t.Context()))
		_, err = pgx.Connect(t.Context(), dsn(s, first.Vars))
		assert.Equal(t, "3D000", sqlState(err))
		_, err = pgConnect(t, s, namespace(t, s, "t1").Vars).Exec(t.Context(), "SELECT * FROM only_here")
		assert.Equal(t, "42P01", sqlState(err), "the name is new again")
		require.NoError(t, second.Drop(t.Context()))
	})
}

func TestPostgresTwentyConnections(t *testing.T) {
	each(t, "postgres", func(t *testing.T, s *Server) {
		pool, err := pgxpool.New(t.Context(), dsn(s, s.Vars)+"&pool_max_conns=20&pool_min_conns=20")
		require.NoError(t, err)
		defer pool.Close()
		_, err = pool.Exec(t.Context(), "CREATE TABLE hits (who INT)")
		require.NoError(t, err)
		errs := make(chan error)
		for who := range 20 {
			go func() {
				errs <- pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					for range 5 {
						if _, err := tx.Exec(t.Context(), "INSERT INTO hits VALUES ($1)", who); err != nil {
							return err
						}
					}
					return nil
				})
			}()
		}
		for range 20 {
			assert.NoError(t, <-errs)
		}
		var n int
		require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM hits").Scan(&n))
		assert.Equal(t, 100, n)
	})
}

func redisClient(t *testing.T, s *Server, vars map[string]string) *redis.Client {
	t.Helper()
	number, err := strconv.Atoi(vars["database"])
	require.NoError(t, err)
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DB: number, Protocol: 3, PoolSize: 20})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestRedisSuite(t *testing.T) {
	each(t, "redis", func(t *testing.T, s *Server) {
		ctx := t.Context()
		c := redisClient(t, s, s.Vars)
		hello, err := c.Do(ctx, "HELLO", "3").Result()
		require.NoError(t, err)
		assert.Contains(t, hello, "server")
		require.NoError(t, c.Set(ctx, "a", "1", 0).Err())
		require.NoError(t, c.Incr(ctx, "a").Err())
		assert.Equal(t, "2", c.Get(ctx, "a").Val())
		_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, "h", "f", "v")
			p.LPush(ctx, "l", "x", "y")
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, "v", c.HGet(ctx, "h", "f").Val())
		assert.Equal(t, "script 2", c.Eval(ctx, "return 'script ' .. redis.call('GET', KEYS[1])", []string{"a"}).Val())
		require.ErrorContains(t, c.LPush(ctx, "a", "x").Err(), "WRONGTYPE")
		require.NoError(t, c.Set(ctx, "brief", "1", 100*time.Millisecond).Err())
		assert.Eventually(t, func() bool { return c.Exists(ctx, "brief").Val() == 0 }, 30*time.Second, 10*time.Millisecond, "keys expire by themselves")
		errs := make(chan error)
		for range 20 {
			go func() { errs <- c.Incr(ctx, "hits").Err() }()
		}
		for range 20 {
			assert.NoError(t, <-errs)
		}
		assert.Equal(t, "20", c.Get(ctx, "hits").Val())
	})
}

func TestRedisNamespaces(t *testing.T) {
	each(t, "redis", func(t *testing.T, s *Server) {
		ctx := t.Context()
		first, second := namespace(t, s, "t1"), namespace(t, s, "t2")
		assert.NotEqual(t, "0", first.Vars["database"])
		require.NoError(t, redisClient(t, s, first.Vars).Set(ctx, "k", "1", 0).Err())
		require.ErrorIs(t, redisClient(t, s, second.Vars).Get(ctx, "k").Err(), redis.Nil)
		require.NoError(t, first.Drop(ctx))
		again := namespace(t, s, "t3")
		assert.Equal(t, first.Vars["database"], again.Vars["database"], "numbers are used again")
		require.ErrorIs(t, redisClient(t, s, again.Vars).Get(ctx, "k").Err(), redis.Nil, "and are empty then")
	})
}

func TestRedisNumbersRunOut(t *testing.T) {
	n := newNumbers(3)
	for want := 1; want < 3; want++ {
		got, err := n.take()
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := n.take()
	require.ErrorContains(t, err, "all 2 databases are in use")
	n.give(2)
	got, err := n.take()
	require.NoError(t, err)
	assert.Equal(t, 2, got)
}

// ask sends a query as a client would: the query in the URL, data in the body.
func ask(t *testing.T, s *Server, vars map[string]string, method, query, body string) (status int, answer string) {
	t.Helper()
	u := url.URL{Scheme: "http", Host: s.Addr, Path: "/", RawQuery: url.Values{"query": {query}, "database": {vars["database"]}}.Encode()}
	r, err := http.NewRequestWithContext(t.Context(), method, u.String(), strings.NewReader(body))
	require.NoError(t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(out)
}

func TestClickHouseSuite(t *testing.T) {
	each(t, "clickhouse", func(t *testing.T, s *Server) {
		must := func(query, body, want string) {
			t.Helper()
			status, got := ask(t, s, s.Vars, http.MethodPost, query, body)
			assert.Equal(t, http.StatusOK, status, got)
			assert.Equal(t, want, got, query)
		}
		must("SELECT 1", "", "1\n")
		must("", "SELECT 1 + 1", "2\n")
		must("CREATE DATABASE IF NOT EXISTS events", "", "")
		must("CREATE TABLE IF NOT EXISTS events.e (at UInt32, name String, thread String, score Float64, note Nullable(String), day Date DEFAULT toDate(at)) ENGINE = MergeTree(day, (at, name), 8192)", "", "")
		must("INSERT INTO events.e (at, name, thread) FORMAT JSONEachRow", `{"at":1,"name":"a'b\tc","thread":"t"}`+"\n"+`{"at":2,"name":"turn"}`, "")
		must("INSERT INTO events.e (at, name, note) VALUES", "(3, 'turn', NULL), (4, 'it\\'s', 'x')", "")
		must("INSERT INTO events.e (at, name) FORMAT TabSeparated", "5\tfive\n", "")
		must("SELECT count() FROM events.e", "", "5\n")
		must("SELECT count() FROM events.e WHERE name='turn'", "", "2\n")
		must("SELECT name, thread, note FROM events.e WHERE at = 1", "", "a\\'b\\tc\tt\t\\N\n")
		must("SELECT e.name FROM events.e WHERE at > 3 ORDER BY at DESC LIMIT 1", "", "five\n")
		must("SELECT at, name, score FROM events.e ORDER BY at LIMIT 1 FORMAT JSONEachRow", "", `{"at":1,"name":"a'b\tc","score":0}`+"\n")
		must("SELECT count() AS n FROM events.e FORMAT JSONEachRow", "", `{"n":"5"}`+"\n")
		must("EXISTS TABLE events.e", "", "1\n")
		must("EXISTS TABLE events.nope", "", "0\n")
		must("SHOW TABLES FROM events", "", "e\n")
		must("SELECT name FROM system.tables WHERE database = 'events'", "", "e\n")
		must("SELECT name FROM system.databases WHERE name = 'events'", "", "events\n")
		must("ALTER TABLE events.e ADD COLUMN more UInt8 AFTER name", "", "")
		must("SELECT max(at), sum(more) FROM events.e", "", "5\t0\n")
		must("DROP TABLE events.e", "", "")
		must("DROP TABLE IF EXISTS events.e", "", "")
		status, got := ask(t, s, s.Vars, http.MethodGet, "SELECT 1 FORMAT JSON", "")
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, got, `"rows": 1`)
	})
}

// A client sees the same status and the same code of an error on both.
func TestClickHouseErrors(t *testing.T) {
	each(t, "clickhouse", func(t *testing.T, s *Server) {
		status, got := ask(t, s, s.Vars, http.MethodPost, "CREATE TABLE t (a UInt8) ENGINE = Memory", "")
		defer ask(t, s, s.Vars, http.MethodPost, "DROP TABLE t", "")
		require.Equal(t, http.StatusOK, status, got)
		for _, tc := range []struct {
			method, query, body string
			status, code        int
		}{
			{"POST", "SELECT * FROM nowhere", "", 404, 60},
			{"POST", "INSERT INTO nowhere VALUES", "(1)", 404, 60},
			{"POST", "DROP TABLE nowhere", "", 404, 60},
			{"POST", "SELECT * FROM nowhere.t", "", 404, 81},
			{"POST", "CREATE TABLE nowhere.t (a UInt8) ENGINE = Memory", "", 404, 81},
			{"POST", "DROP DATABASE nowhere", "", 404, 81},
			{"POST", "SELECT nothing FROM t", "", 404, 47},
			{"POST", "SELECT frobnicate(1)", "", 404, 46},
			{"POST", "SELEC 1", "", 400, 62},
			{"POST", "CREATE TABLE t (a UInt8) ENGINE = Memory", "", 500, 57},
			{"POST", "CREATE DATABASE default", "", 500, 82},
			{"POST", "CREATE TABLE u (a Frob) ENGINE = Memory", "", 404, 50},
			{"POST", "SELECT 1 FORMAT Frob", "", 404, 73},
			{"POST", "INSERT INTO t FORMAT JSONEachRow", `{"a":1,"b":2}`, 500, 117},
			{"POST", "INSERT INTO t FORMAT JSONEachRow", `{"a":"x"}`, 500, 27},
			{"POST", "INSERT INTO t (b) VALUES", "(1)", 500, 16},
			{"GET", "DROP TABLE t", "", 500, 164},
		} {
			status, got := ask(t, s, s.Vars, tc.method, tc.query, tc.body)
			assert.Equal(t, tc.status, status, "%s: %s", tc.query, got)
			assert.Regexp(t, fmt.Sprintf(`^Code: %d, e.displayText\(\) = DB::Exception: `, tc.code), got, tc.query)
		}
		status, got = ask(t, s, map[string]string{"database": "nowhere"}, http.MethodPost, "SELECT 1", "")
		assert.Equal(t, 404, status)
		assert.Contains(t, got, "Code: 81, ")
		if s.Standin {
			_, got = ask(t, s, s.Vars, http.MethodPost, "SELECT sleep(1)", "")
			assert.Contains(t, got, "not supported by this stand-in: ClickHouse HTTP interface over SQLite, not ClickHouse")
		}
	})
}

func TestClickHouseNamespaces(t *testing.T) {
	each(t, "clickhouse", func(t *testing.T, s *Server) {
		first, second := namespace(t, s, "t1"), namespace(t, s, "t2")
		status, got := ask(t, s, first.Vars, http.MethodPost, "CREATE TABLE here (a UInt64, b Nullable(Int32)) ENGINE = Memory", "")
		require.Equal(t, 200, status, got)
		errs := make(chan int)
		for i := range 20 {
			go func() {
				status, _ := ask(t, s, first.Vars, http.MethodPost, "INSERT INTO here VALUES", fmt.Sprintf("(%d, NULL)", i))
				errs <- status
			}()
		}
		for range 20 {
			assert.Equal(t, 200, <-errs)
		}
		_, got = ask(t, s, first.Vars, http.MethodGet, "SELECT count(), max(a) FROM here", "")
		assert.Equal(t, "20\t19\n", got)
		status, _ = ask(t, s, second.Vars, http.MethodGet, "SELECT count() FROM here", "")
		assert.Equal(t, 404, status)
		require.NoError(t, first.Drop(t.Context()))
		status, got = ask(t, s, first.Vars, http.MethodGet, "SELECT 1", "")
		assert.Equal(t, 404, status, got)
		require.NoError(t, second.Drop(t.Context()))
	})
}

func TestNATSSuite(t *testing.T) {
	each(t, "nats", func(t *testing.T, s *Server) {
		c, err := nats.Connect("nats://" + s.Addr)
		require.NoError(t, err)
		defer c.Close()
		ns, other := namespace(t, s, "t1"), namespace(t, s, "t10")
		sub, err := c.SubscribeSync(ns.Vars["prefix"] + ".greet")
		require.NoError(t, err)
		require.NoError(t, c.Publish(ns.Vars["prefix"]+".greet", []byte("hi")))
		msg, err := sub.NextMsg(30 * time.Second)
		require.NoError(t, err)
		assert.Equal(t, "hi", string(msg.Data))
		js, err := c.JetStream()
		require.NoError(t, err)
		for _, prefix := range []string{ns.Vars["prefix"], other.Vars["prefix"]} {
			_, err = js.AddStream(&nats.StreamConfig{Name: "ORDERS_" + prefix, Subjects: []string{prefix + ".orders.*"}})
			require.NoError(t, err)
			_, err = js.Publish(prefix+".orders.new", []byte("1"))
			require.NoError(t, err)
		}
		require.NoError(t, ns.Drop(t.Context()))
		_, err = js.StreamInfo("ORDERS_t1")
		require.ErrorIs(t, err, nats.ErrStreamNotFound)
		info, err := js.StreamInfo("ORDERS_t10")
		require.NoError(t, err)
		assert.EqualValues(t, 1, info.State.Msgs)
	})
}
