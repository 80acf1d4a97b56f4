// Package store keeps threads, messages and agent runs in PostgreSQL.
//
// Its SQL is deliberately plain: identifiers and timestamps are text made in
// Go, no SERIAL, no RETURNING, no catalogue tables, so that anything which
// speaks the PostgreSQL wire protocol can serve it. It refuses to hand out a
// connection or a pool: callers get operations, each of which gives its
// connection back.
package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// PoolSize is how many connections a store opens at most.
const PoolSize = 5

// ErrNotFound is returned for a thread that does not exist.
var ErrNotFound = errors.New("thread not found")

// Options changes how a store is opened.
type Options struct {
	// ConnectTimeout limits one connection attempt; 0 leaves it to the driver
	// (two minutes).
	ConnectTimeout time.Duration
	// MessagesTable is the table that turns are written to; "" means messages.
	MessagesTable string
}

// Thread is a conversation.
type Thread struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Owner   string `json:"owner,omitempty"`
	Created string `json:"created_at"`
}

// Store is a pool of sessions; safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	messages string
}

// Config parses a postgres:// URL for one connection. The error never repeats
// the URL, which holds a password.
func Config(url string, opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("not a PostgreSQL URL like postgres://user:password@host:5432/database")
	}
	config.MaxConns, config.MinConns = PoolSize, 0
	config.ConnConfig.ConnectTimeout = opts.ConnectTimeout
	// Nothing prepared and nothing described: works behind every pooler, and one
	// round trip per statement.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	return config, nil
}

// Open makes a pool and proves that one session answers. On error nothing stays
// open.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	config, err := Config(url, opts)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("make pool: %w", err)
	}
	s := &Store{pool: pool, messages: opts.MessagesTable}
	if s.messages == "" {
		s.messages = "messages"
	}
	if err := s.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return s, nil
}

// Close ends all sessions and waits for the ones in use.
func (s *Store) Close() { s.pool.Close() }

// Ping proves that a session answers a statement.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT 1")
	return err
}

// Verify fails unless every core table can be read; it names the first that
// can not.
func (s *Store) Verify(ctx context.Context) error {
	for _, table := range []string{"threads", "messages", "agent_runs"} {
		// An impossible id: the statement proves the table without reading it all.
		if _, err := count(ctx, s.pool, "SELECT count(*) FROM "+table+" WHERE id = ''"); err != nil {
			return fmt.Errorf("verify table %s: %w", table, err)
		}
	}
	return nil
}

// CreateThread stores a new thread; owner may be empty.
func (s *Store) CreateThread(ctx context.Context, title, owner string) (Thread, error) {
	thread := Thread{ID: NewID("thr"), Title: title, Owner: owner, Created: now()}
	_, err := s.pool.Exec(ctx, "INSERT INTO threads (id, title, created_at, owner) VALUES ($1, $2, $3, $4)",
		thread.ID, thread.Title, thread.Created, thread.Owner)
	if err != nil {
		return Thread{}, fmt.Errorf("create thread: %w", err)
	}
	return thread, nil
}

// Thread reads one thread, or ErrNotFound.
func (s *Store) Thread(ctx context.Context, id string) (Thread, error) {
	thread := Thread{ID: id}
	row := s.pool.QueryRow(ctx, "SELECT title, created_at, owner FROM threads WHERE id = $1", id)
	err := row.Scan(&thread.Title, &thread.Created, &thread.Owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return Thread{}, ErrNotFound
	}
	if err != nil {
		return Thread{}, fmt.Errorf("read thread %s: %w", id, err)
	}
	return thread, nil
}

// DeleteThread removes a thread; deleting one that does not exist is no error.
func (s *Store) DeleteThread(ctx context.Context, id string) error {
	if _, err := s.pool.Exec(ctx, "DELETE FROM threads WHERE id = $1", id); err != nil {
		return fmt.Errorf("delete thread %s: %w", id, err)
	}
	return nil
}

// SaveTurn stores one user message, its answer and the agent's run in a single
// transaction and returns the turn's id.
func (s *Store) SaveTurn(ctx context.Context, threadID, question, answer string) (string, error) {
	turn, at := NewID("turn"), now()
	message := "INSERT INTO " + s.messages + // #nosec G202 -- a table name from our own code
		" (id, thread_id, role, body, created_at, turn_id) VALUES ($1, $2, $3, $4, $5, $6)"
	err := s.transact(ctx, func(tx pgx.Tx) error {
		for _, m := range []struct{ role, body string }{{"user", question}, {"assistant", answer}} {
			if _, err := tx.Exec(ctx, message, NewID("msg"), threadID, m.role, m.body, at, turn); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "INSERT INTO agent_runs (id, thread_id, status, created_at) VALUES ($1, $2, $3, $4)",
			turn, threadID, "completed", at)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store turn in thread %s: %w", threadID, err)
	}
	return turn, nil
}

// RoundTrip proves the whole life of a thread: created, read, deleted.
func (s *Store) RoundTrip(ctx context.Context) error {
	made, err := s.CreateThread(ctx, "startup check", "smd")
	if err != nil {
		return err
	}
	read, err := s.Thread(ctx, made.ID)
	if err != nil {
		return err
	}
	if read != made {
		return fmt.Errorf("thread %s was read back different from what was written", made.ID)
	}
	return s.DeleteThread(ctx, made.ID)
}

// Warm opens the whole pool, all sessions at once, and proves that each one
// answers while the others are in use.
func (s *Store) Warm(ctx context.Context) error {
	var mu sync.Mutex
	var opening sync.WaitGroup
	var held []*pgxpool.Conn
	var failed error
	for range PoolSize {
		opening.Go(func() {
			conn, err := s.pool.Acquire(ctx)
			if err == nil {
				_, err = conn.Exec(ctx, "SELECT 1")
			}
			mu.Lock()
			defer mu.Unlock()
			if conn != nil {
				held = append(held, conn)
			}
			if failed == nil {
				failed = err
			}
		})
	}
	opening.Wait()
	for _, conn := range held {
		conn.Release()
	}
	if failed != nil {
		return fmt.Errorf("open %d sessions: %w", PoolSize, failed)
	}
	return nil
}

// Permanent reports errors that waiting does not mend: a wrong password, a
// missing role or database.
func Permanent(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "28P01", "28000", "3D000":
		return true
	}
	return false
}

// transact commits what do did, or rolls it back; a failed statement must not
// leave its session in an aborted transaction.
func (s *Store) transact(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.pool, do)
}

type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// count reads a number as text, because servers disagree on the type of
// count(*).
func count(ctx context.Context, q querier, sql string, args ...any) (int64, error) {
	var text string
	if err := q.QueryRow(ctx, sql, args...).Scan(&text); err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// NewID returns prefix, an underscore and 16 random hexadecimal digits.
func NewID(prefix string) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return prefix + "_" + hex.EncodeToString(b[:])
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") }
