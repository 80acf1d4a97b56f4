package e2e

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/internal/process"
)

// startMariaDB starts one for a user app with the password secret, who may connect ten times at once.
func startMariaDB(t *testing.T) (addr string, stop func()) {
	t.Helper()
	binary, err := exec.LookPath("mariadbd")
	if err != nil {
		missing(t, "no mariadb server is installed")
	}
	dir, err := os.MkdirTemp("", "chaos-mariadb-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	var user *process.Credential
	if os.Geteuid() == 0 {
		user = &process.Credential{UID: 65534, GID: 65534} // nobody
		require.NoError(t, os.Chown(dir, 65534, 65534))
	}
	start := func(argv ...string) *process.Process {
		p, err := process.Start(process.Spec{Argv: argv, Dir: dir, User: user, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir},
			Line: func(_ process.Stream, line string) { t.Log(line) }})
		require.NoError(t, err)
		return p
	}
	data := filepath.Join(dir, "data")
	install := start("mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	<-install.Done()
	require.NoError(t, install.Close())
	first := filepath.Join(dir, "first.sql")
	require.NoError(t, os.WriteFile(first, []byte("CREATE USER app@'%' IDENTIFIED BY 'secret';\nCREATE DATABASE shop;\nGRANT ALL ON *.* TO app@'%';\n"), 0o644))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	require.NoError(t, l.Close())
	_, port, _ := net.SplitHostPort(addr)
	server := start(binary, "--no-defaults", "--datadir="+data, "--bind-address=127.0.0.1", "--port="+port, "--socket="+filepath.Join(dir, "s"),
		"--pid-file="+filepath.Join(dir, "pid"), "--max-connections=10", "--skip-log-bin", "--init-file="+first, "--innodb-buffer-pool-size=16M")
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			end := server.Stop(context.WithoutCancel(t.Context()), 15, patience)
			assert.NoError(t, errors.Join(end.Err, server.Close()))
		}
	}
	t.Cleanup(stop)
	require.Eventually(t, func() bool { return mysqlPing(t, addr, "secret", "shop") == nil }, patience, 50*time.Millisecond)
	return addr, stop
}

// mysqlPing logs in once and returns what the driver says.
func mysqlPing(t *testing.T, addr, password, database string) error {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName = "app", password, "tcp", addr, database
	config.Logger = &mysql.NopLogger{}
	db, err := sql.Open("mysql", config.FormatDSN())
	require.NoError(t, err)
	defer db.Close()
	c, err := db.Conn(t.Context())
	if err == nil {
		err = c.Close()
	}
	return err
}

// What the fault says is what MariaDB says, and the driver reads it the same.
func TestMySQLErrorIsTheServersOwn(t *testing.T) {
	addr, stop := startMariaDB(t)
	for code, ask := range map[string]struct{ password, database string }{"1045": {"wrong", "shop"}, "1049": {"secret", "nope"}} {
		want := mysqlPing(t, addr, ask.password, ask.database)
		p := before(t, addr, "mysql_error", code)
		p.Arm("f1")
		got := mysqlPing(t, p.Addr().String(), ask.password, ask.database)
		assert.Equal(t, want, got, code)
		t.Logf("go-sql-driver/mysql %s: %v", code, got)
		p.Lift("f1")
		assert.NoError(t, mysqlPing(t, p.Addr().String(), "secret", "shop"), "after the lift")
	}

	p := before(t, addr, "mysql_error", "1053")
	open := mysqlOpen(t, p.Addr().String())
	p.Arm("f1")
	_, err := open.ExecContext(t.Context(), "select 1")
	assert.Error(t, err)
	t.Logf("go-sql-driver/mysql 1053, open: %v", err)
	err = mysqlPing(t, p.Addr().String(), "secret", "shop")
	var e *mysql.MySQLError
	if assert.ErrorAs(t, err, &e) {
		assert.Equal(t, uint16(1053), e.Number)
	}
	t.Logf("go-sql-driver/mysql 1053, new: %v", err)
	p.Lift("f1")

	// At its own shutdown the server closes what is open without a word.
	real := mysqlOpen(t, addr)
	fullBytes(t, addr)
	stop()
	_, err = real.ExecContext(t.Context(), "select 1")
	assert.Error(t, err)
	assert.False(t, errors.As(err, &e) && e.Number == 1053, "it said %v", err)
}

func mysqlOpen(t *testing.T, addr string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", "app:secret@tcp("+addr+")/shop")
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	return c
}

// fullBytes brings the server to its limit and compares the bytes of 1040.
func fullBytes(t *testing.T, addr string) {
	t.Helper()
	p := before(t, addr, "mysql_error", "1040")
	p.Arm("f1")
	got := firstBytes(t, p.Addr().String())
	for range 30 {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		head := make([]byte, 5)
		_, err = io.ReadFull(c, head)
		require.NoError(t, err)
		if head[4] == 0xff {
			rest, err := io.ReadAll(c)
			require.NoError(t, err)
			assert.Equal(t, string(head)+string(rest), got)
			err = mysqlPing(t, p.Addr().String(), "secret", "shop")
			assert.True(t, strings.Contains(err.Error(), "Error 1040"), "%v", err)
			t.Logf("go-sql-driver/mysql 1040: %v", err)
			return
		}
	}
	t.Error("the server let everybody in")
}

func firstBytes(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(all)
}
