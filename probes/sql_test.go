package probes

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/timeline"
)

// postgresTool returns the path of one of PostgreSQL's programs: on PATH or in Debian's versioned folder, the newest.
func postgresTool(name string) (string, bool) {
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", false
	}
	sort.Strings(found)
	return found[len(found)-1], true
}

// unprivileged returns how to run a program that refuses to run as root, and gives it the folder. nil: nobody needs to be found.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{}
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	require.NoError(t, err, "root needs a user postgres or nobody to run PostgreSQL")
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, int(uid), int(gid)))
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// startPostgres runs a real PostgreSQL with a password and returns its address.
func startPostgres(t *testing.T) string {
	t.Helper()
	initdb, ok1 := postgresTool("initdb")
	postgres, ok2 := postgresTool("postgres")
	requireServer(t, "PostgreSQL", ok1 && ok2)
	dir, err := os.MkdirTemp("", "probes-postgres") // t.TempDir is in a folder that only root may enter
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	attr := unprivileged(t, dir)
	password := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(password, []byte(secret), 0o644))
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "-U", "app", "-A", "scram-sha-256", "--pwfile", password, "-N", "--no-locale", "-E", "UTF8")
	cmd.SysProcAttr, cmd.Dir = attr, dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	address := closedPort(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	server := exec.Command(postgres, "-D", data, "-p", port, "-h", "127.0.0.1", "-k", dir, "-F", "-c", "shared_buffers=16MB")
	server.SysProcAttr, server.Dir = &syscall.SysProcAttr{Credential: attr.Credential}, dir
	startServer(t, server, Spec{SQL: &SQL{DSN: dsn(address, secret, "postgres")}})
	return address
}

func dsn(address, password, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("app", password), Host: address, Path: database}
	return u.String()
}

func TestSQLOnPostgreSQL(t *testing.T) {
	address := startPostgres(t)
	sql := func(query string, expect any) SQL {
		return SQL{DSN: dsn(address, secret, "postgres"), Query: query, Expect: expect}
	}
	holds := func(s SQL, body string) {
		t.Helper()
		got, err := ask(t, Spec{SQL: &s}, Env{})
		require.NoError(t, err)
		assert.Equal(t, body, got.Body)
	}
	holds(sql("", nil), "1")
	holds(sql("select 1", 1), "1")
	holds(sql("select 1.50", 1.5), "1.50")
	holds(sql("select 12345678901234567890", uint64(12345678901234567890)), "12345678901234567890")
	holds(sql("select true", true), "true")
	holds(sql("select 'a text'", "a text"), "a text")
	holds(sql("select null", "null"), "null")
	holds(sql("create table threads (id serial primary key, title text)", nil), "")
	holds(sql("begin; insert into threads (title) values ('probe'); select title from threads where title = 'probe'; rollback", "probe"), "probe")
	holds(sql("select count(*) from threads", 0), "0") // the round trip left nothing behind
	holds(sql("select x from generate_series(7, 9) x", 7), "7")

	for name, c := range map[string]struct {
		sql  SQL
		want string
	}{
		"other value":     {sql("select count(*) from threads", 1), fmt.Sprintf(`sql "select count(*) from threads" on %s: expected 1, got 0`, address)},
		"no row":          {sql("select id from threads", 1), "expected 1, got no row"},
		"empty text":      {sql("select ''", "x"), "expected x, got an empty text"},
		"no table":        {sql("select * from messages", nil), `expected an answer, got ERROR 42P01: relation "messages" does not exist`},
		"syntax":          {sql("selec 1", 1), "expected 1, got ERROR 42601: syntax error"},
		"late error":      {sql("select 1; select 1/0", 1), "expected 1, got ERROR 22012: division by zero"},
		"huge row":        {sql("select repeat('x', 2000000)", nil), "got a row of more than 1 MiB"},
		"endless rows":    {sql("with recursive r(n) as (select 1 union all select n + 1 from r) select repeat('x', 500000) from r", nil), "got more bytes than a probe reads"},
		"slow":            {sql("select pg_sleep(600)", nil), "got no answer within 3s"},
		"wrong password":  {SQL{DSN: dsn(address, "wrong"+secret, "postgres")}, "got FATAL 28P01: password authentication failed"},
		"no database":     {SQL{DSN: dsn(address, secret, "chat")}, `got FATAL 3D000: database "chat" does not exist`},
		"needs TLS":       {SQL{DSN: dsn(address, secret, "postgres") + "?sslmode=require"}, "server refused TLS connection"},
		"echoes password": {sql("select '"+secret+"'", "x"), "expected x, got xxxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := timeline.Duration(time.Minute)
			if name == "slow" {
				timeout = timeline.Duration(3 * time.Second)
			}
			_, err := ask(t, Spec{SQL: &c.sql, Timeout: timeout}, Env{})
			require.ErrorContains(t, err, c.want)
		})
	}

	// A pool for three does not serve five at once, and serves as many one after the other.
	holds(sql("create role few login connection limit 3 password 'few-few-few'", nil), "")
	few := SQL{DSN: strings.Replace(dsn(address, "few-few-few", "postgres"), "app:", "few:", 1), Query: "select pg_sleep(2)"}
	_, err := ask(t, Spec{SQL: &few, Parallel: 5}, Env{})
	require.ErrorContains(t, err, "one of 5 at once: sql ")
	require.ErrorContains(t, err, `got FATAL 53300: too many connections for role "few"`)
	plenty := sql("select pg_sleep(0.1)", nil)
	_, err = ask(t, Spec{SQL: &plenty, Parallel: 20}, Env{})
	require.NoError(t, err)

	// Nothing goes on: what was cut off is cancelled, and every session ends with its connection.
	idle := SQL{DSN: dsn(address, secret, "postgres"), Expect: 0,
		Query: "select count(*) from pg_stat_activity where application_name = 'chaos-probe' and pid <> pg_backend_pid()"}
	p, err := New(Spec{SQL: &idle}, Env{})
	require.NoError(t, err)
	_, err = Poll(t.Context(), p, Timing{Within: 20 * time.Second, Interval: 50 * time.Millisecond}, nil)
	require.NoError(t, err)
}
