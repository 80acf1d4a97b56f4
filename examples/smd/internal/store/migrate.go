package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type migration struct{ name, sql string }

// migrations are applied in this order, once each; an applied one never
// changes.
func migrations() []migration {
	return []migration{
		{"001_threads", `CREATE TABLE IF NOT EXISTS threads (id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at TEXT NOT NULL)`},
		{"002_messages", `CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, thread_id TEXT NOT NULL, role TEXT NOT NULL, body TEXT NOT NULL, created_at TEXT NOT NULL)`},
		{"003_agent_runs", `CREATE TABLE IF NOT EXISTS agent_runs (id TEXT PRIMARY KEY, thread_id TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL)`},
		{"004_threads_owner", `ALTER TABLE threads ADD COLUMN owner TEXT NOT NULL DEFAULT ''`},
		{"005_messages_turn", `ALTER TABLE messages ADD COLUMN turn_id TEXT NOT NULL DEFAULT ''`},
		{"006_messages_by_thread", `CREATE INDEX IF NOT EXISTS messages_by_thread ON messages (thread_id)`},
	}
}

// Migrations lists the names of all migrations, in their order.
func Migrations() []string {
	var names []string
	for _, m := range migrations() {
		names = append(names, m.name)
	}
	return names
}

// PrepareMigrations creates the table that records which migrations were
// applied.
func (s *Store) PrepareMigrations(ctx context.Context) error {
	create := `CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)`
	if err := contended(ctx, func() error { _, err := s.pool.Exec(ctx, create); return err }); err != nil {
		return fmt.Errorf("create schema_migrations: %w", err)
	}
	return nil
}

// Migrate applies one migration in a transaction of its own, together with its
// record, unless it was applied before; ran says which. Another instance may be
// doing the same at the same time.
func (s *Store) Migrate(ctx context.Context, name string) (ran bool, err error) {
	at := slices.IndexFunc(migrations(), func(m migration) bool { return m.name == name })
	if at < 0 {
		return false, fmt.Errorf("no migration is called %s", name)
	}
	err = contended(ctx, func() (err error) { ran, err = s.migrate(ctx, migrations()[at]); return err })
	if err != nil {
		return false, fmt.Errorf("migration %s: %w", name, err)
	}
	return ran, nil
}

func (s *Store) migrate(ctx context.Context, m migration) (ran bool, err error) {
	err = s.transact(ctx, func(tx pgx.Tx) error {
		n, err := count(ctx, tx, "SELECT count(*) FROM schema_migrations WHERE name = $1", m.name)
		if err != nil || n > 0 {
			return err
		}
		// The record goes first: its primary key makes a second instance wait
		// here, and then fail and look again, instead of running the DDL twice.
		if _, err := tx.Exec(ctx, "INSERT INTO schema_migrations (name, applied_at) VALUES ($1, $2)", m.name, now()); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return err
		}
		ran = true
		return nil
	})
	return ran && err == nil, err
}

// contended repeats do while it fails for no other reason than that another
// instance was creating the same thing.
func contended(ctx context.Context, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || n == 10 {
			return err
		}
		switch pg.Code {
		case "23505", "42710", "42P07", "42701", "40001", "40P01": // unique key, duplicate type, table or column, serialization, deadlock
		default:
			return err
		}
		select {
		case <-time.After(time.Duration(5+rand.IntN(10*n)) * time.Millisecond): // #nosec G404 -- jitter, not a secret
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
