package store

import (
	"context"
	"fmt"
)

// MarkDirty records that a migration begins, and refuses to when another one never ended.
func (s *Store) MarkDirty(ctx context.Context, name string) error {
	if _, err := s.pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS schema_dirty (name TEXT PRIMARY KEY)"); err != nil {
		return fmt.Errorf("create schema_dirty: %w", err)
	}
	n, err := count(ctx, s.pool, "SELECT count(*) FROM schema_dirty WHERE name <> ''")
	if err != nil {
		return fmt.Errorf("read schema_dirty: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("migration %s: the schema is dirty: a migration before has not come to its end", name)
	}
	if _, err := s.pool.Exec(ctx, "INSERT INTO schema_dirty (name) VALUES ($1)", name); err != nil {
		return fmt.Errorf("mark the schema as dirty: %w", err)
	}
	return nil
}

// MarkClean records that a migration has ended.
func (s *Store) MarkClean(ctx context.Context, name string) error {
	if _, err := s.pool.Exec(ctx, "DELETE FROM schema_dirty WHERE name = $1", name); err != nil {
		return fmt.Errorf("mark the schema as clean: %w", err)
	}
	return nil
}
