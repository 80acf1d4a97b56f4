package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
	"github.com/chaos-startup/chaos/internal/proxy"
	"github.com/chaos-startup/chaos/internal/servers"
)

func startPostgres(t *testing.T) *servers.Server {
	t.Helper()
	needServer(t, "postgres")
	s, err := servers.Start(t.Context(), "postgres", servers.Options{Dir: t.TempDir(), Prefer: servers.Real})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Stop(context.WithoutCancel(t.Context()))) })
	return s
}

// needServer skips without a server, or fails where CHAOS_REQUIRE_SERVERS=1 asks for it.
func needServer(t *testing.T, kind string) {
	t.Helper()
	if _, ok := servers.Find(kind); !ok {
		missing(t, "no "+kind+" server is installed")
	}
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
		t.Fatalf("%s, and CHAOS_REQUIRE_SERVERS=1 requires it", what)
	}
	t.Skip(what)
}

// before puts a proxy with one dormant fault, f1, before a server.
func before(t *testing.T, upstream, kind string, value any) *proxy.Proxy {
	t.Helper()
	spec, problems := faults.Parse(kind, value)
	require.Empty(t, problems)
	p, err := proxy.Start(t.Context(), proxy.Config{Name: kind, Upstream: upstream, Injections: []proxy.Injection{{ID: "f1", Fault: spec}}, Seed: 1})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(context.WithoutCancel(t.Context()))) })
	return p
}

// pgSession is a session in bytes.
type pgSession struct {
	net.Conn
	t *testing.T
}

func session(t *testing.T, addr, user, database string) *pgSession {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	s := &pgSession{Conn: c, t: t}
	s.say(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user, "database": database}})
	return s
}

func (s *pgSession) say(messages ...pgproto3.FrontendMessage) {
	s.t.Helper()
	var out []byte
	for _, m := range messages {
		var err error
		out, err = m.Encode(out)
		require.NoError(s.t, err)
	}
	_, err := s.Write(out)
	require.NoError(s.t, err)
}

// hear reads messages up to n ReadyForQuery, or to the end, and returns them in bytes.
func (s *pgSession) hear(n int) string {
	s.t.Helper()
	var out []byte
	for n > 0 {
		head := make([]byte, 5)
		if _, err := io.ReadFull(s, head); err != nil {
			return string(out) + "<end>"
		}
		size := int(head[1])<<24 | int(head[2])<<16 | int(head[3])<<8 | int(head[4])
		body := make([]byte, size-4)
		_, err := io.ReadFull(s, body)
		require.NoError(s.t, err)
		out = append(append(out, head...), body...)
		if head[0] == 'Z' {
			n--
		}
	}
	return string(out)
}

func (s *pgSession) ask(sql string) string {
	s.t.Helper()
	s.say(&pgproto3.Query{String: sql})
	return s.hear(1)
}

// lineNumbers are the numbers of lines of the server's source, which differ from version to version, and so does the message's length with their digits.
var lineNumbers = regexp.MustCompile(`(?s)E\x00\x00..S(.*?)\x00L[0-9]+\x00`)

func withoutLines(s string) string { return lineNumbers.ReplaceAllString(s, "E....S$1\x00L...\x00") }

// same compares in every byte but those, and in those too with the version that the catalogue was written from.
func same(t *testing.T, server *servers.Server, want, got, what string) {
	t.Helper()
	if strings.Contains(server.Version, "15.18") {
		assert.Equal(t, want, got, what)
		return
	}
	assert.Equal(t, withoutLines(want), withoutLines(got), what)
}

// What the fault says at the start of a session is what the server says, to the byte.
func TestPostgresErrorAtStartupIsTheServersOwn(t *testing.T) {
	server := startPostgres(t)
	p := before(t, server.Addr, "postgres_error", "3D000")
	p.Arm("f1")
	same(t, server, session(t, server.Addr, "app", "nope").hear(1), session(t, p.Addr().String(), "app", "nope").hear(1), "3D000")

	admin := session(t, server.Addr, "app", "app")
	admin.hear(1)
	for range 400 { // max_connections of a throwaway server, and the superuser's reserve
		s := session(t, server.Addr, "app", "app")
		if got := s.hear(1); strings.HasSuffix(got, "<end>") {
			p := before(t, server.Addr, "postgres_error", "53300")
			p.Arm("f1")
			same(t, server, got, session(t, p.Addr().String(), "app", "app").hear(1), "53300")
			return
		}
	}
	t.Error("the server let everybody in")
}

// What an open session is told when it is ended is what the server says.
func TestPostgresErrorEndsSessionsLikeTheServer(t *testing.T) {
	server := startPostgres(t)
	admin := session(t, server.Addr, "app", "app")
	admin.hear(1)
	real := session(t, server.Addr, "app", "app")
	real.hear(1)
	admin.ask("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and usename = 'app' and datname = 'app'")
	p := before(t, server.Addr, "postgres_error", "57P01")
	faulty := session(t, p.Addr().String(), "app", "app")
	faulty.hear(1)
	p.Arm("f1")
	same(t, server, real.hear(1), faulty.hear(1), "57P01")
	assert.Contains(t, session(t, p.Addr().String(), "app", "app").hear(1), "Mthe database system is shutting down\x00")
	p.Lift("f1")
	assert.True(t, strings.HasSuffix(session(t, p.Addr().String(), "app", "app").hear(1), "I"), "after the lift")
}

// Statements fail as they do at the server, and so does what follows in the transaction.
func TestPostgresErrorFailsStatementsLikeTheServer(t *testing.T) {
	server := startPostgres(t)
	p := before(t, server.Addr, "postgres_error", "42P01")
	real, faulty := session(t, server.Addr, "app", "app"), session(t, p.Addr().String(), "app", "app")
	real.hear(1)
	faulty.hear(1)
	real.ask("create table there (a int)")
	prepared := &pgproto3.Parse{Name: "there", Query: "select * from there"}
	for _, s := range []*pgSession{real, faulty} {
		s.say(prepared, &pgproto3.Sync{})
		s.hear(1)
	}
	p.Arm("f1")
	for _, sql := range []string{"select * from nope", "select 1 as a from public.nope", `select * from "No pe"`, "insert into nope(a) values (1)", "update nope set a = 1",
		"delete from Nope", "alter table nope add x int", "create index on nope(a)", "truncate nope", "copy nope from stdin", "select 1", "begin", "select * from nope",
		"select * from nope", "rollback", "begin", "savepoint s", "select * from nope", "rollback to s", "select 2", "commit", "begin", "select * from nope", "commit"} {
		same(t, server, real.ask(sql), faulty.ask(sql), sql)
	}
	both := []*pgSession{real, faulty}
	batches := [][]pgproto3.FrontendMessage{
		{&pgproto3.Parse{Name: "s", Query: "select * from nope"}, &pgproto3.Bind{PreparedStatement: "s"}, &pgproto3.Execute{}, &pgproto3.Sync{}},
		{&pgproto3.Query{String: "begin"}, &pgproto3.Query{String: "select * from nope"}, &pgproto3.Parse{Query: "select * from nope"}, &pgproto3.Sync{},
			&pgproto3.Query{String: "select 3"}, &pgproto3.Bind{PreparedStatement: "there"}, &pgproto3.Execute{}, &pgproto3.Sync{},
			&pgproto3.Query{String: "rollback"}, &pgproto3.Query{String: "select 4"}},
	}
	for i, batch := range batches {
		var got []string
		for _, s := range both {
			s.say(batch...)
			got = append(got, s.hear([]int{1, 7}[i]))
		}
		same(t, server, got[0], got[1], fmt.Sprintf("batch %d", i))
	}
	// Lifted in the transaction that failed under the fault.
	for _, sql := range []string{"begin", "select * from nope"} {
		real.ask(sql)
		faulty.ask(sql)
	}
	p.Lift("f1")
	for _, sql := range []string{"select 5", "commit", "select 6"} {
		same(t, server, real.ask(sql), faulty.ask(sql), sql)
	}
}

// The fault is lifted while the server is still busy with what came before the statement that was struck: it is answered nevertheless.
func TestPostgresErrorIsAnsweredAfterTheLift(t *testing.T) {
	server := startPostgres(t)
	p := before(t, server.Addr, "postgres_error", map[string]any{"code": "40001", "match": "^update"})
	admin, s := session(t, server.Addr, "app", "app"), session(t, p.Addr().String(), "app", "app")
	admin.hear(1)
	s.hear(1)
	admin.ask("select pg_advisory_lock(1)")
	p.Arm("f1")
	s.say(&pgproto3.Query{String: "select pg_advisory_lock(1)"}, &pgproto3.Query{String: "update t set a = 1"})
	require.Eventually(t, func() bool {
		return strings.Contains(admin.ask("select count(*) from pg_locks where locktype = 'advisory' and not granted"), "\x011")
	}, patience, 5*time.Millisecond)
	p.Lift("f1")
	admin.ask("select pg_advisory_unlock(1)")
	assert.Contains(t, s.hear(2), "C40001\x00Mcould not serialize access due to concurrent update\x00")
	assert.Contains(t, s.ask("select 'after'"), "after")
}

// pgx meets what the server would say.
func TestPostgresErrorWithPgx(t *testing.T) {
	server := startPostgres(t)
	for code, want := range map[string]string{
		"57P03": "the database system is starting up", "53300": "sorry, too many clients already", "28P01": `password authentication failed for user "app"`,
		"28000": "no pg_hba.conf entry", "3D000": `database "app" does not exist`,
	} {
		p := before(t, server.Addr, "postgres_error", code)
		p.Arm("f1")
		_, err := pgx.Connect(t.Context(), "postgres://app:secret@"+p.Addr().String()+"/app")
		var e *pgconn.PgError
		if assert.ErrorAs(t, err, &e, code) {
			assert.Equal(t, code, e.Code)
			assert.Contains(t, e.Message, want)
			assert.Equal(t, "FATAL", e.Severity)
		}
		t.Logf("pgx %s: %v", code, err)
		p.Lift("f1")
		c, err := pgx.Connect(t.Context(), "postgres://app:secret@"+p.Addr().String()+"/app")
		require.NoError(t, err, "after the lift")
		require.NoError(t, c.Close(t.Context()))
	}
	p := before(t, server.Addr, "postgres_error", "40001")
	c, err := pgx.Connect(t.Context(), "postgres://app@"+p.Addr().String()+"/app?sslmode=disable")
	require.NoError(t, err)
	defer c.Close(context.WithoutCancel(t.Context()))
	var n int
	require.NoError(t, c.QueryRow(t.Context(), "select $1::int", 7).Scan(&n), "prepared before")
	p.Arm("f1")
	for _, sql := range []string{"select $1::int", "select $1::int + 1"} {
		err = c.QueryRow(t.Context(), sql, 7).Scan(&n)
		var e *pgconn.PgError
		if assert.ErrorAs(t, err, &e) {
			assert.Equal(t, "40001", e.Code)
		}
	}
	t.Logf("pgx 40001: %v", err)
	p.Lift("f1")
	require.NoError(t, c.QueryRow(t.Context(), "select $1::int + 1", 7).Scan(&n))
	assert.Equal(t, 8, n)
}
