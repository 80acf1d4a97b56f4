package litepg

import (
	"context"
	"database/sql"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // the database/sql driver under test
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTransactions(t *testing.T) {
	addr, _ := startTest(t)
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			conn, other := connect(t, addr, mode), connect(t, addr, mode)
			ctx := t.Context()
			_, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS x (n INT)")
			require.NoError(t, err)
			_, err = conn.Exec(ctx, "DELETE FROM x")
			require.NoError(t, err)
			count := func(c *pgx.Conn) (n int) {
				require.NoError(t, c.QueryRow(ctx, "SELECT count(*) FROM x").Scan(&n))
				return n
			}
			tx, err := conn.Begin(ctx)
			require.NoError(t, err)
			assert.EqualValues(t, 'T', conn.PgConn().TxStatus())
			assert.Zero(t, count(conn))
			_, err = tx.Exec(ctx, "INSERT INTO x VALUES (1)")
			require.NoError(t, err)
			assert.Equal(t, 1, count(conn), "sees its own")
			assert.Zero(t, count(other), "not committed")
			require.NoError(t, tx.Rollback(ctx))
			assert.EqualValues(t, 'I', conn.PgConn().TxStatus())
			assert.Zero(t, count(conn), "rolled back")

			tx, err = conn.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "INSERT INTO x VALUES (2)")
			require.NoError(t, err)
			inner, err := tx.Begin(ctx)
			require.NoError(t, err)
			_, err = inner.Exec(ctx, "INSERT INTO nowhere VALUES (2)")
			assert.Equal(t, "42P01", code(err))
			assert.EqualValues(t, 'E', conn.PgConn().TxStatus())
			_, err = inner.Exec(ctx, "SELECT 1")
			assert.Equal(t, "25P02", code(err))
			require.NoError(t, inner.Rollback(ctx))
			assert.EqualValues(t, 'T', conn.PgConn().TxStatus())
			require.NoError(t, tx.Commit(ctx))
			assert.Equal(t, 1, count(other), "committed, but for the failed part")

			tx, err = conn.Begin(ctx)
			require.NoError(t, err)
			_, _ = tx.Exec(ctx, "SELECT * FROM nowhere")
			assert.ErrorIs(t, tx.Commit(ctx), pgx.ErrTxCommitRollback)
		})
	}
}

// A simple query of many statements, and a batch until Sync, are one
// transaction.
func TestImplicitTransactions(t *testing.T) {
	addr, _ := startTest(t)
	conn, other := connect(t, addr, pgx.QueryExecModeExec), connect(t, addr, pgx.QueryExecModeExec)
	ctx := t.Context()
	_, err := conn.Exec(ctx, "CREATE TABLE x (n INT); INSERT INTO x VALUES (1); SELECT nothing FROM x", pgx.QueryExecModeSimpleProtocol)
	assert.Equal(t, "42703", code(err))
	_, err = other.Exec(ctx, "SELECT * FROM x")
	assert.Equal(t, "42P01", code(err), "the table went with the query that failed")
	_, err = conn.Exec(ctx, "CREATE TABLE x (n INT); INSERT INTO x VALUES (1); SELECT n FROM x", pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)

	b := &pgx.Batch{}
	b.Queue("INSERT INTO x VALUES ($1)", 2)
	b.Queue("INSERT INTO nowhere VALUES ($1)", 3)
	require.Error(t, conn.SendBatch(ctx, b).Close())
	var n int
	require.NoError(t, other.QueryRow(ctx, "SELECT count(*) FROM x").Scan(&n))
	assert.Equal(t, 1, n)
	b = &pgx.Batch{}
	b.Queue("INSERT INTO x VALUES ($1)", 2)
	b.Queue("INSERT INTO x VALUES ($1)", 3)
	require.NoError(t, conn.SendBatch(ctx, b).Close())
	require.NoError(t, other.QueryRow(ctx, "SELECT count(*) FROM x").Scan(&n))
	assert.Equal(t, 3, n)
}

func TestDatabasesAreApartAndDroppable(t *testing.T) {
	addr, srv := startTest(t)
	admin := connect(t, addr, pgx.QueryExecModeExec)
	ctx := t.Context()
	_, err := admin.Exec(ctx, "CREATE DATABASE trial_1")
	require.NoError(t, err)
	conn, err := pgx.Connect(ctx, dsn(addr, "trial_1"))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(ctx, "CREATE TABLE mine (n INT)")
	require.NoError(t, err)
	_, err = admin.Exec(ctx, "SELECT * FROM mine")
	assert.Equal(t, "42P01", code(err))
	_, err = admin.Exec(ctx, "DROP DATABASE trial_1")
	assert.Equal(t, "55006", code(err))
	_, err = admin.Exec(ctx, "DROP DATABASE IF EXISTS trial_1 WITH (FORCE)")
	require.NoError(t, err)
	require.Error(t, conn.Ping(ctx), "its sessions are ended")
	require.NoError(t, srv.CreateDatabase("trial_1"), "the name is free again")
}

func TestTwentySessionsWriteAtOnce(t *testing.T) {
	addr, _ := startTest(t)
	pool, err := pgxpool.New(t.Context(), dsn(addr, "app")+"&pool_max_conns=20")
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Exec(t.Context(), "CREATE TABLE hits (who INT, n INT)")
	require.NoError(t, err)
	errs := make(chan error)
	for who := range 20 {
		go func() {
			errs <- pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				var before int
				if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM hits").Scan(&before); err != nil {
					return err
				}
				for n := range 5 {
					if _, err := tx.Exec(t.Context(), "INSERT INTO hits VALUES ($1, $2)", who, n); err != nil {
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
}

// An advisory lock makes the second session wait until the first lets go, and a
// cancel request ends the wait.
func TestAdvisoryLocksAndCancel(t *testing.T) {
	addr, srv := startTest(t)
	first, second := connect(t, addr, pgx.QueryExecModeExec), connect(t, addr, pgx.QueryExecModeExec)
	_, err := first.Exec(t.Context(), "SELECT pg_advisory_lock($1)", 7)
	require.NoError(t, err)
	var got bool
	require.NoError(t, second.QueryRow(t.Context(), "SELECT pg_try_advisory_lock(7)").Scan(&got))
	assert.False(t, got)
	done := make(chan error)
	wait := func() {
		_, err := second.Exec(context.Background(), "SELECT pg_advisory_lock(7)")
		done <- err
	}
	running := func() bool {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		for s := range srv.sessions {
			if s.interrupted() != nil {
				return true
			}
		}
		return false
	}
	go wait()
	require.Eventually(t, func() bool { // a request that comes before the statement does cancels nothing
		select {
		case err = <-done:
			return true
		default:
			return assert.NoError(t, second.PgConn().CancelRequest(t.Context())) && false
		}
	}, 30*time.Second, 5*time.Millisecond)
	assert.Equal(t, "57014", code(err))
	go wait()
	require.Eventually(t, running, 10*time.Second, time.Millisecond)
	_, err = first.Exec(t.Context(), "SELECT pg_advisory_unlock(7)")
	require.NoError(t, err)
	assert.NoError(t, <-done)
}

func TestDatabaseSQL(t *testing.T) {
	addr, _ := startTest(t)
	db, err := sql.Open("pgx", dsn(addr, "app"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, db.Close()) }()
	require.NoError(t, db.PingContext(t.Context()))
	_, err = db.ExecContext(t.Context(), "CREATE TABLE a (id BIGSERIAL PRIMARY KEY, at TIMESTAMPTZ, ok BOOL)")
	require.NoError(t, err)
	now := time.Now()
	for range 3 {
		_, err = db.ExecContext(t.Context(), "INSERT INTO a (at, ok) VALUES ($1, $2)", now, true)
		require.NoError(t, err)
	}
	var n int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM a WHERE ok AND at <= $1", now).Scan(&n))
	assert.Equal(t, 3, n)
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelSerializable})
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "DELETE FROM a")
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
}

func TestPsql(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	addr, _ := startTest(t)
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), psql, append([]string{dsn(addr, "app"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"}, args...)...).CombinedOutput() // #nosec G204 -- a test
		require.NoError(t, err, string(out))
		return string(out)
	}
	assert.Equal(t, "CREATE TABLE\nINSERT 0 2\n", run("-c", "CREATE TABLE p (a INT, b BOOL)", "-c", "INSERT INTO p VALUES (1, true), (2, NULL)"))
	assert.Equal(t, "1|t\n2|\n", run("-c", "SELECT * FROM p ORDER BY a"))
	assert.Contains(t, run("-c", "SELECT version()"), Name)
}

// A stop with sessions idle, in a transaction and waiting for a lock ends them.
func TestCloseEndsBusySessions(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv, err := Start(l, t.TempDir())
	require.NoError(t, err)
	addr := l.Addr().String()
	holder, waiter := connect(t, addr, pgx.QueryExecModeExec), connect(t, addr, pgx.QueryExecModeExec)
	_, err = holder.Exec(t.Context(), "CREATE TABLE x (n INT)")
	require.NoError(t, err)
	tx, err := holder.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO x VALUES (1)")
	require.NoError(t, err)
	done := make(chan error)
	go func() {
		_, err := waiter.Exec(context.Background(), "INSERT INTO x VALUES (2)")
		done <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), lockWait/2)
	defer cancel()
	require.NoError(t, srv.Close(ctx))
	require.NoError(t, srv.Close(ctx), "again")
	require.Error(t, <-done)
	again, err := net.Listen("tcp", addr)
	require.NoError(t, err, "the port is free")
	require.NoError(t, again.Close())
}
