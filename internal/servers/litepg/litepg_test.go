package litepg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startTest(t *testing.T) (addr string, srv *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv, err = Start(l, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		assert.NoError(t, srv.Close(ctx))
	})
	return l.Addr().String(), srv
}

func dsn(addr, database string) string {
	return fmt.Sprintf("postgres://app@%s/%s?sslmode=disable", addr, database)
}

func connect(t *testing.T, addr string, mode pgx.QueryExecMode) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dsn(addr, "app"))
	require.NoError(t, err)
	config.DefaultQueryExecMode = mode
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

var modes = map[string]pgx.QueryExecMode{
	"cache statement": pgx.QueryExecModeCacheStatement, "cache describe": pgx.QueryExecModeCacheDescribe,
	"describe exec": pgx.QueryExecModeDescribeExec, "exec": pgx.QueryExecModeExec, "simple": pgx.QueryExecModeSimpleProtocol,
}

const schema = `
CREATE TABLE IF NOT EXISTS public.users (
	id BIGSERIAL PRIMARY KEY,
	email VARCHAR(200) NOT NULL UNIQUE,
	age INTEGER,
	active BOOLEAN NOT NULL DEFAULT true,
	score DOUBLE PRECISION DEFAULT 0.5 CHECK (score >= 0),
	balance NUMERIC(10, 2),
	data JSONB NOT NULL DEFAULT '{}'::jsonb,
	avatar BYTEA,
	token UUID DEFAULT gen_random_uuid(),
	created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now()
);
CREATE TABLE threads (id UUID PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users(id) ON DELETE CASCADE, title TEXT);
CREATE INDEX CONCURRENTLY IF NOT EXISTS threads_user ON threads USING btree (user_id);
INSERT INTO users (email) VALUES ('first@example.org')`

// Every mode of pgx sends and reads different messages; all must see the same.
func TestEveryModeOfPgx(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			addr, _ := startTest(t)
			conn := connect(t, addr, mode)
			ctx := t.Context()
			_, err := conn.Exec(ctx, schema, pgx.QueryExecModeSimpleProtocol)
			require.NoError(t, err)
			born := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
			var id int64
			err = conn.QueryRow(ctx, `INSERT INTO users (email, age, active, score, data, avatar, created_at, balance) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) RETURNING id`,
				"ann@example.org", 41, false, 1.25, `{"a":1}`, []byte{0, 1, 255}, born, "12.50").Scan(&id)
			require.NoError(t, err)
			assert.EqualValues(t, 2, id)

			var email string
			var age *int
			var active bool
			var score float64
			var avatar []byte
			var created time.Time
			var data map[string]any
			query := "SELECT u.email, age, active, score, data, avatar, created_at FROM users u WHERE u.id = $1 AND email LIKE $2"
			require.NoError(t, conn.QueryRow(ctx, query, id, "ann%").Scan(&email, &age, &active, &score, &data, &avatar, &created))
			assert.Equal(t, "ann@example.org", email)
			assert.Equal(t, 41, *age)
			assert.False(t, active)
			assert.InDelta(t, 1.25, score, 0)
			assert.Equal(t, map[string]any{"a": 1.0}, data)
			assert.Equal(t, []byte{0, 1, 255}, avatar)
			assert.True(t, born.Equal(created), created)
			require.NoError(t, conn.QueryRow(ctx, "SELECT age FROM users WHERE id = $1", 1).Scan(&age))
			assert.Nil(t, age)

			tag, err := conn.Exec(ctx, "UPDATE users SET age = $1 WHERE age IS NULL OR age > $2", nil, 3)
			require.NoError(t, err)
			assert.EqualValues(t, 2, tag.RowsAffected())
			_, err = conn.Exec(ctx, "INSERT INTO users (email) VALUES ($1)", "ann@example.org")
			assert.Equal(t, "23505", code(err), "%v", err)
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg)
			assert.Equal(t, "users_email_key", pg.ConstraintName)
			assert.Equal(t, `duplicate key value violates unique constraint "users_email_key"`, pg.Message)
			require.NoError(t, conn.Ping(ctx))
		})
	}
}

// The type a client is told decides into what it can scan.
func TestResultsHaveTheTypesOfPostgreSQL(t *testing.T) {
	addr, _ := startTest(t)
	conn := connect(t, addr, pgx.QueryExecModeCacheStatement)
	_, err := conn.Exec(t.Context(), schema, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	tests := []struct {
		query, name string
		want        any
	}{
		{"SELECT 1", "?column?", int32(1)},
		{"SELECT 1 AS one", "one", int32(1)},
		{"SELECT 9999999999", "?column?", int64(9999999999)},
		{"SELECT 'a' || 'b'", "?column?", "ab"},
		{"SELECT true", "bool", true},
		{"SELECT 1 = 2 OR NOT false", "?column?", true},
		{"SELECT count(*) FROM users", "count", int64(1)},
		{"SELECT count(*)::int FROM users", "count", int32(1)},
		{"SELECT max(id) FROM users", "max", int64(1)},
		{"SELECT coalesce(max(age), 0) AS m FROM users WHERE id > 100", "m", int32(0)},
		{"SELECT EXISTS (SELECT 1 FROM users)", "exists", true},
		{"SELECT EXISTS (SELECT FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'users') ", "exists", true},
		{"SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'thr%'", "table_name", "threads"},
		{"SELECT to_regclass('public.users')::text", "to_regclass", "users"},
		{"SELECT n FROM (SELECT count(*) AS n FROM users) x", "n", int64(1)},
		{"WITH a AS (SELECT 2 AS two) SELECT two + 1 FROM a", "?column?", int32(3)},
		{"SELECT (SELECT email FROM users LIMIT 1)", "?column?", "first@example.org"},
		{"SELECT CASE WHEN active THEN 'yes' ELSE 'no' END FROM users", "case", "yes"},
		{"SELECT '5'::int + 1", "?column?", int32(6)},
		{"SELECT data->>'x' IS NULL FROM users", "?column?", true},
		{"SELECT now() - interval '1 day' < now()", "?column?", true},
		{"SELECT sum(id) FROM users", "sum", int64(1)},
		{"SELECT E'a\\nb'", "?column?", "a\nb"},
		{"SELECT current_database()", "current_database", "app"},
		{"VALUES (1), (2)", "column1", int32(1)},
	}
	for _, tc := range tests {
		t.Run(tc.query, func(t *testing.T) {
			rows, err := conn.Query(t.Context(), tc.query)
			require.NoError(t, err)
			defer rows.Close()
			require.True(t, rows.Next(), "%v", rows.Err())
			values, err := rows.Values()
			require.NoError(t, err)
			assert.Equal(t, []any{tc.want}, values)
			assert.Equal(t, tc.name, rows.FieldDescriptions()[0].Name)
			rows.Close()
			assert.NoError(t, rows.Err())
		})
	}
}

func TestErrorsHaveTheCodesOfPostgreSQL(t *testing.T) {
	addr, _ := startTest(t)
	for _, name := range []string{"exec", "simple", "cache statement"} {
		conn := connect(t, addr, modes[name])
		_, err := conn.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY, a TEXT NOT NULL, n INT CHECK (n > 0), r INT REFERENCES t(id))")
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "INSERT INTO t VALUES (1, 'x', 1, NULL) ON CONFLICT (id) DO NOTHING")
		require.NoError(t, err)
		for query, want := range map[string]string{
			"SELECT * FROM nowhere":                   "42P01",
			"SELECT nothing FROM t":                   "42703",
			"INSERT INTO t (nope) VALUES (1)":         "42703",
			"SELEC 1":                                 "42601",
			"SELECT , FROM t":                         "42601",
			"SELECT 'open":                            "42601",
			"INSERT INTO t (id, a) VALUES (1, 'x')":   "23505",
			"INSERT INTO t (id) VALUES (2)":           "23502",
			"INSERT INTO t (id,a,n) VALUES (2,'x',0)": "23514",
			"INSERT INTO t (id,a,r) VALUES (2,'x',9)": "23503",
			"CREATE TABLE t (id INT)":                 "42P07",
			"CREATE TABLE u (a INT, a INT)":           "42701",
			"ALTER TABLE t ADD COLUMN a TEXT":         "42701",
			"SELECT frobnicate(1)":                    "42883",
			"SELECT pg_sleep(1)":                      "0A000",
			"CREATE DATABASE app":                     "42P04",
			"DROP DATABASE nowhere":                   "3D000",
			"SHOW nonsense":                           "42704",
			"CREATE FUNCTION f() RETURNS int AS ''":   "0A000",
			"SELECT ARRAY[1,2]":                       "0A000",
			"COPY t FROM STDIN":                       "0A000",
			"SAVEPOINT s":                             "25P01",
			"SELECT x::frob FROM t":                   "42704",
		} {
			_, err := conn.Exec(t.Context(), query)
			assert.Equal(t, want, code(err), "%s: %s: %v", name, query, err)
		}
		_, err = conn.Exec(t.Context(), "SELECT pg_sleep(1)")
		assert.ErrorContains(t, err, Name)
	}
	_, err := pgx.Connect(t.Context(), dsn(addr, "nowhere"))
	assert.Equal(t, "3D000", code(err))
	assert.ErrorContains(t, err, `database "nowhere" does not exist`)
}

func TestArraysAsParameters(t *testing.T) {
	addr, _ := startTest(t)
	for name, mode := range modes {
		if name == "simple" || name == "exec" {
			continue // without a description the driver can't know that it is an array
		}
		conn := connect(t, addr, mode)
		_, err := conn.Exec(t.Context(), "CREATE TABLE IF NOT EXISTS a (n BIGINT PRIMARY KEY, s TEXT)")
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), "INSERT INTO a VALUES (1, 'x'), (2, 'it''s'), (3, 'z') ON CONFLICT DO NOTHING")
		require.NoError(t, err)
		for query, arg := range map[string]any{
			"SELECT count(*) FROM a WHERE n = ANY($1)":          []int64{1, 3, 9},
			"SELECT count(*) FROM a WHERE s = ANY ($1::text[])": []string{"it's", "z"},
			"SELECT count(*) FROM a t WHERE t.n <> ALL($1)":     []int64{2},
		} {
			var n int
			require.NoError(t, conn.QueryRow(t.Context(), query, arg).Scan(&n), "%s: %s", name, query)
			assert.Equal(t, 2, n, "%s: %s", name, query)
		}
	}
}

// Clients look at the name of the constraint, so one that was given must be told.
func TestNamesOfUniqueConstraints(t *testing.T) {
	addr, _ := startTest(t)
	conn := connect(t, addr, pgx.QueryExecModeCacheStatement)
	for _, q := range []string{
		`CREATE TABLE "public"."u" (a INT PRIMARY KEY, b INT UNIQUE, c INT, d INT, e INT, CONSTRAINT my_cd UNIQUE (c, d))`,
		`CREATE UNIQUE INDEX my_e ON u (e)`, `INSERT INTO "public"."u" VALUES (1, 1, 1, 1, 1)`,
	} {
		_, err := conn.Exec(t.Context(), q)
		require.NoError(t, err, q)
	}
	for row, want := range map[string]string{"1,2,2,2,2": "u_pkey", "2,1,2,2,2": "u_b_key", "2,2,1,1,2": "my_cd", "2,2,2,2,1": "my_e"} {
		_, err := conn.Exec(t.Context(), "INSERT INTO u VALUES ("+row+")")
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg)
		assert.Equal(t, want, pg.ConstraintName)
		assert.Equal(t, "23505", pg.Code)
	}
}

// What goose and golang-migrate ask before they migrate.
func TestQuestionsOfMigrationTools(t *testing.T) {
	addr, _ := startTest(t)
	conn := connect(t, addr, pgx.QueryExecModeCacheStatement)
	for _, q := range []string{
		"SELECT EXISTS ( SELECT 1 FROM pg_tables WHERE (current_schema() IS NULL OR schemaname = current_schema()) AND tablename = 'goose_db_version' )",
		"CREATE TABLE goose_db_version (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now())",
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true)",
		"SELECT CURRENT_DATABASE()", "SELECT CURRENT_SCHEMA()",
		`CREATE TABLE IF NOT EXISTS "public"."schema_migrations" (version bigint not null primary key, dirty boolean not null)`,
		`TRUNCATE "public"."schema_migrations"`, `SELECT version, dirty FROM "public"."schema_migrations" LIMIT 1`,
	} {
		_, err := conn.Exec(t.Context(), q)
		require.NoError(t, err, q)
	}
	var version int64
	var applied bool
	var at time.Time
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT version_id, is_applied, tstamp FROM goose_db_version ORDER BY id DESC").Scan(&version, &applied, &at))
	assert.True(t, applied)
	assert.WithinDuration(t, time.Now(), at, time.Minute)
}

func TestSchemaChangesOfMigrations(t *testing.T) {
	addr, _ := startTest(t)
	conn := connect(t, addr, pgx.QueryExecModeCacheStatement)
	for _, q := range []string{
		"CREATE EXTENSION IF NOT EXISTS pgcrypto",
		"CREATE SCHEMA IF NOT EXISTS public",
		"CREATE UNLOGGED TABLE a (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b TEXT)",
		"CREATE TABLE c (id SERIAL, b TEXT DEFAULT NULL, PRIMARY KEY (id))",
		"ALTER TABLE a ADD COLUMN IF NOT EXISTS b TEXT, ADD COLUMN d INT NOT NULL DEFAULT 0",
		"ALTER TABLE a DROP COLUMN IF EXISTS zzz",
		"ALTER TABLE a ADD CONSTRAINT a_b_key UNIQUE (b)",
		"ALTER TABLE a RENAME COLUMN d TO e",
		"ALTER TABLE a OWNER TO app",
		"INSERT INTO a (b, e) VALUES ('x', 1) ON CONFLICT (b) DO UPDATE SET e = EXCLUDED.e + 1",
		"INSERT INTO c (b) VALUES ('y')",
		"CREATE OR REPLACE VIEW v AS SELECT a.b, c.id FROM a JOIN c ON true",
		"SELECT pg_advisory_lock(42)", "SELECT pg_advisory_unlock(42)",
		"SET statement_timeout = '5s'", "SET LOCAL search_path TO public", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
		"GRANT ALL ON a TO app", "COMMENT ON TABLE a IS 'x'", "ANALYZE a",
		"TRUNCATE TABLE a, c RESTART IDENTITY CASCADE",
		"DROP VIEW v", "DROP TABLE IF EXISTS a, c, zzz CASCADE",
	} {
		_, err := conn.Exec(t.Context(), q)
		require.NoError(t, err, q)
	}
	var timeout string
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&timeout))
	assert.Equal(t, "5s", timeout)
	var version string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT version()").Scan(&version))
	assert.Contains(t, version, Name)
}
