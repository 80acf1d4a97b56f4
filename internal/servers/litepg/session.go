package litepg

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"
)

// txState is where a session stands, as ReadyForQuery tells it.
type txState int

const (
	idle   txState = iota
	inTx           // inside of BEGIN
	failed         // inside of BEGIN, after an error
)

// lockWait is how long a statement waits for another transaction's write lock.
const lockWait = 10 * time.Second

// session is one client's connection: a SQLite connection and the state of the
// transaction. PostgreSQL's BEGIN does not begin SQLite's transaction: the first
// statement that writes does, so that sessions that only read never stand in a
// writer's way, and every read before it sees what is committed (READ COMMITTED,
// which is PostgreSQL's default).
type session struct {
	server         *Server
	database, user string
	remote         string
	pid, secret    int32
	conn           sqliteConn

	tx       txState
	implicit bool // a transaction that ends with the query or at Sync
	locked   bool // SQLite's transaction has begun
	begun    time.Time
	settings map[string]string

	mu      sync.Mutex
	stopped bool
	cancel  context.CancelFunc // of the running statement, nil when none runs
	done    <-chan struct{}    // closed when the running statement is cancelled
}

type sqliteConn interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
}

// open connects the session with its database.
func (s *session) open(path string) error {
	d, err := s.newDriver()
	if err != nil {
		return fmt.Errorf("prepare SQLite for database %s: %w", s.database, err)
	}
	dsn := fmt.Sprintf("file:%s?_dqs=0&_pragma=busy_timeout(%d)&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=foreign_keys(1)&_pragma=temp_store(memory)",
		(&url.URL{Path: path}).EscapedPath(), lockWait.Milliseconds())
	conn, err := d.Open(dsn)
	if err != nil {
		return fmt.Errorf("open database %s: %w", s.database, err)
	}
	full, ok := conn.(sqliteConn)
	if !ok {
		return errors.Join(errors.New("the SQLite driver lacks the context methods"), conn.Close())
	}
	s.conn = full
	for _, view := range catalogViews {
		if err := s.exec(context.Background(), view); err != nil {
			return errors.Join(fmt.Errorf("prepare the catalogue of %s: %w", s.database, err), conn.Close())
		}
	}
	return nil
}

// close ends the session; an open transaction is rolled back.
func (s *session) close() error {
	s.stop()
	s.server.locks.releaseAll(s, false)
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

// stop cancels what the session does and all that it is still asked for.
func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.cancel != nil {
		s.cancel()
	}
}

// interrupted is closed when the running statement is cancelled.
func (s *session) interrupted() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// statementContext makes the context of one statement, which ends with the
// session and by a cancel request.
func (s *session) statementContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	s.cancel, s.done = cancel, ctx.Done()
	if s.stopped {
		cancel()
	}
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		s.cancel, s.done = nil, nil
		s.mu.Unlock()
		cancel()
	}
}

// cancelStatement ends the running statement, if there is one.
func (s *session) cancelStatement() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

func named(args []any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return out
}

func (s *session) exec(ctx context.Context, sql string, args ...any) error {
	_, err := s.execCount(ctx, sql, args...)
	return err
}

// execCount runs a statement and tells how many rows it changed.
func (s *session) execCount(ctx context.Context, sql string, args ...any) (int64, error) {
	res, err := s.conn.ExecContext(ctx, sql, named(args))
	if err != nil || res == nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a statement and reads all it returns, so that nothing of SQLite
// stays open while the client takes its time.
func (s *session) query(ctx context.Context, sql string, args ...any) (*result, error) {
	rows, err := s.conn.QueryContext(ctx, sql, named(args))
	if err != nil {
		return nil, err
	}
	out, err := readAll(rows)
	return out, errors.Join(err, rows.Close())
}

func readAll(rows driver.Rows) (*result, error) {
	out := &result{names: rows.Columns()}
	if typed, ok := rows.(driver.RowsColumnTypeDatabaseTypeName); ok {
		for i := range out.names {
			out.decls = append(out.decls, typed.ColumnTypeDatabaseTypeName(i))
		}
	}
	for {
		row := make([]driver.Value, len(out.names))
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok {
				row[i] = append([]byte{}, b...)
			}
		}
		out.values = append(out.values, row)
	}
}

// catalogViews are the parts of the catalogue that start-up code asks for.
var catalogViews = []string{
	`CREATE TEMP VIEW information_schema_tables AS SELECT current_database() AS table_catalog, 'public' AS table_schema, name AS table_name,
		CASE type WHEN 'view' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type FROM main.sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'`,
	`CREATE TEMP VIEW information_schema_columns AS SELECT 'public' AS table_schema, m.name AS table_name, c.name AS column_name,
		c.cid + 1 AS ordinal_position, lower(c.type) AS data_type, CASE c."notnull" WHEN 1 THEN 'NO' ELSE 'YES' END AS is_nullable
		FROM main.sqlite_schema m, pragma_table_info(m.name) c WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'`,
	`CREATE TEMP VIEW information_schema_schemata AS SELECT current_database() AS catalog_name, 'public' AS schema_name`,
	`CREATE TEMP VIEW pg_tables AS SELECT 'public' AS schemaname, name AS tablename FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
	`CREATE TEMP VIEW pg_indexes AS SELECT 'public' AS schemaname, tbl_name AS tablename, name AS indexname FROM main.sqlite_schema WHERE type = 'index'`,
}
