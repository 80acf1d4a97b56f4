package e2e

import (
	"context"
	"database/sql"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/lib/pq"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
)

// on makes the fault f1 come on: one that was there from the beginning, or, late, one that saw nothing of the sessions that are open.
func on(t *testing.T, p *proxy.Proxy, spec faults.Spec, late bool) {
	t.Helper()
	if late {
		require.NoError(t, p.Add(proxy.Injection{ID: "f1", Fault: spec}))
	}
	p.Arm("f1")
}

// libpq's prepared statements, of a pgbench that is in full swing.
func TestPostgresErrorMeetsPgbench(t *testing.T) {
	pgbench, err := exec.LookPath("pgbench")
	if err != nil {
		missing(t, "pgbench is not installed")
	}
	server := startPostgres(t)
	bench := func(addr string, args ...string) *exec.Cmd {
		u := url.URL{Scheme: "postgres", User: url.User("app"), Host: addr, Path: "/app", RawQuery: "sslmode=disable"}
		return exec.CommandContext(t.Context(), pgbench, append(args, u.String())...) // #nosec G204 -- the address of a server of ours
	}
	out, err := bench(server.Addr, "-i", "-q").CombinedOutput()
	require.NoError(t, err, string(out))
	admin := session(t, server.Addr, "app", "app")
	admin.hear(1)
	for name, c := range map[string]struct {
		value any
		late  bool
	}{"from the beginning": {"40001", false}, "late": {"40001", true}, "matching": {map[string]any{"code": "40001", "match": "^UPDATE pgbench_tellers"}, false}} {
		admin.ask("truncate pgbench_history")
		p, spec := flippable(t, server.Addr, "postgres_error", c.value, c.late)
		run := bench(p.Addr().String(), "-n", "-M", "prepared", "-c", "1", "-t", "1500", "--max-tries=1")
		var said strings.Builder
		run.Stdout, run.Stderr = &said, &said
		require.NoError(t, run.Start())
		require.Eventually(t, func() bool {
			return strings.Contains(admin.ask("select 'warm' from pgbench_history having count(*) > 20"), "warm")
		}, patience, time.Millisecond)
		on(t, p, spec, c.late)
		require.NoError(t, run.Wait(), said.String())
		found := regexp.MustCompile(`number of failed transactions: (\d+)`).FindStringSubmatch(said.String())
		require.NotNil(t, found, said.String())
		failed, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		assert.Greater(t, failed, 100, "%s: %s", name, said.String())
		assert.Contains(t, admin.ask("select 'done '||count(*) from pgbench_history"), "done "+strconv.Itoa(1500-failed), name)
	}
}

// The statement cache of pgx, also in a transaction, which can be given up.
func TestPostgresErrorMeetsCachedStatements(t *testing.T) {
	server := startPostgres(t)
	for _, late := range []bool{false, true} {
		p, spec := flippable(t, server.Addr, "postgres_error", "40001", late)
		c, err := pgx.Connect(t.Context(), "postgres://app@"+p.Addr().String()+"/app?sslmode=disable")
		require.NoError(t, err)
		t.Cleanup(func() { c.Close(context.WithoutCancel(t.Context())) })
		add := func(q interface {
			QueryRow(context.Context, string, ...any) pgx.Row
		}) error {
			var n int
			return q.QueryRow(t.Context(), "select $1::int + 1", 7).Scan(&n)
		}
		require.NoError(t, add(c))
		on(t, p, spec, late)
		if late {
			require.NoError(t, c.Ping(t.Context()), "shows where messages begin")
		}
		for range 3 {
			var e *pgconn.PgError
			require.ErrorAs(t, add(c), &e, "late %v", late)
			assert.Equal(t, "40001", e.Code)
		}
		tx, err := c.Begin(t.Context())
		require.NoError(t, err)
		require.Error(t, add(tx))
		require.NoError(t, tx.Rollback(t.Context()))
		p.Lift("f1")
		require.NoError(t, add(c), "the statement is still prepared")
	}
}

// Statements that lib/pq has prepared, with and without match.
func TestPostgresErrorMeetsPreparedLibPQ(t *testing.T) {
	server := shop(t)
	for _, c := range []struct {
		value any
		late  bool
	}{{"40001", false}, {"40001", true}, {map[string]any{"code": "40001", "match": "orders"}, false}, {"42P01", false}} {
		p, spec := flippable(t, server.Addr, "postgres_error", c.value, c.late)
		db, err := sql.Open("postgres", "postgres://app@"+p.Addr().String()+"/app?sslmode=disable")
		require.NoError(t, err)
		db.SetMaxOpenConns(1)
		struck, err := db.PrepareContext(t.Context(), "select id from orders where id = $1")
		require.NoError(t, err)
		other, err := db.PrepareContext(t.Context(), "select 1")
		require.NoError(t, err)
		ask := func(s *sql.Stmt, args ...any) error {
			rows, err := s.QueryContext(t.Context(), args...)
			if err == nil {
				err = rows.Close()
			}
			return err
		}
		require.NoError(t, ask(struck, 1))
		on(t, p, spec, c.late)
		if c.late {
			require.NoError(t, ask(other), "without values it could be a COMMIT")
		}
		for range 2 {
			var e *pq.Error
			require.ErrorAs(t, ask(struck, 1), &e, "%v", c)
		}
		if c.value != "40001" {
			require.NoError(t, ask(other), "%v", c)
		}
		p.Lift("f1")
		require.NoError(t, ask(struck, 1), "%v", c)
		require.NoError(t, db.Close())
	}
}

// A statement of SQL's own PREPARE is used by EXECUTE, which fails like any, or as its words match.
func TestPostgresErrorMeetsExecute(t *testing.T) {
	server := startPostgres(t)
	for match, struck := range map[string]bool{"": true, "^execute": true, "orders": false} {
		p := before(t, server.Addr, "postgres_error", map[string]any{"code": "40001", "match": match})
		s := session(t, p.Addr().String(), "app", "app")
		s.hear(1)
		s.ask("prepare s as select 'mine'")
		p.Arm("f1")
		got := s.ask("execute s")
		assert.Equal(t, struck, strings.Contains(got, "C40001\x00"), "%q: %q", match, got)
		assert.Equal(t, !struck, strings.Contains(got, "mine"), "%q: %q", match, got)
	}
}

// The backend's rules after an error: what follows is dropped up to Sync, and a transaction is failed.
func TestPostgresErrorOfThePreparedFollowsTheRules(t *testing.T) {
	server := startPostgres(t)
	for _, late := range []bool{false, true} {
		p, spec := flippable(t, server.Addr, "postgres_error", "40001", late)
		s := session(t, p.Addr().String(), "app", "app")
		s.hear(1)
		s.say(&pgproto3.Parse{Name: "plus", Query: "select 'sum', $1::int + 1"}, &pgproto3.Parse{Name: "end", Query: "commit"}, &pgproto3.Sync{})
		s.hear(1)
		s.ask("begin")
		on(t, p, spec, late)
		s.ask("savepoint s")
		one := []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: "plus", Parameters: [][]byte{[]byte("1")}}, &pgproto3.Execute{}}
		s.say(append(append(append([]pgproto3.FrontendMessage{}, one...), one...), &pgproto3.Sync{})...)
		got := s.hear(1)
		assert.Equal(t, 1, strings.Count(got, "SERROR\x00"), "%q", got)
		assert.Contains(t, got, "C40001\x00")
		assert.True(t, strings.HasSuffix(got, "E"), "%q", got)
		s.say(append(append([]pgproto3.FrontendMessage{}, one...), &pgproto3.Sync{})...)
		assert.Contains(t, s.hear(1), "C25P02\x00")
		s.say(&pgproto3.Bind{PreparedStatement: "end"}, &pgproto3.Execute{}, &pgproto3.Sync{})
		got = s.hear(1)
		assert.Contains(t, got, "ROLLBACK\x00", "a COMMIT passes, and gives up")
		assert.True(t, strings.HasSuffix(got, "I"), "%q", got)
		p.Lift("f1")
		s.say(append(append([]pgproto3.FrontendMessage{}, one...), &pgproto3.Sync{})...)
		assert.Contains(t, s.hear(1), "sum")
	}
}
