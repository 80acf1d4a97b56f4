package main

import (
	"context"
	"fmt"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
)

func (s *service) databaseSteps() []startup.Step {
	steps := []startup.Step{
		{Text: "Connecting to PostgreSQL", Run: s.connectPostgres},
		{Text: "PostgreSQL: applying migrations", Run: func(ctx context.Context) error {
			if s.config.Defects.Has(ReadyBeforeSchema) { // defect: ready-before-schema
				if err := startup.Wait(ctx, defectDuration("SMD_SCHEMA_DELAY", time.Second)); err != nil {
					return err
				}
			}
			return s.db.Migrate(ctx, func(name string) { s.log.Printf("Migration %s applied", name) })
		}},
		{Text: "PostgreSQL: verifying the core tables", Run: func(ctx context.Context) error { return s.db.Verify(ctx) }},
		{Text: "PostgreSQL: creating, reading and deleting a thread", Run: func(ctx context.Context) error {
			if err := s.db.RoundTrip(ctx); err != nil {
				return err
			}
			s.store.Store(s.db) // usable, and not before
			return nil
		}},
	}
	for i := range steps {
		steps[i].Dependency = depPostgres
		if s.config.Defects.Has(HangOnBlackholedPostgres) { // defect: hang-on-blackholed-postgres
			steps[i].Timeout = -1
		}
	}
	if s.config.Defects.Has(ReadyBeforeSchema) { // defect: ready-before-schema
		steps[1].Timeout = -1 // the migration job takes its time
		claim := startup.Step{Text: "Opening for traffic; the migration job runs on its own", Run: func(context.Context) error {
			s.claimed.Store(true)
			return s.openUp()
		}}
		steps = append([]startup.Step{claim}, steps...)
	}
	return steps
}

func (s *service) connectPostgres(ctx context.Context) error {
	options := store.Options{ConnectTimeout: s.config.AttemptTimeout}
	if s.config.Defects.Has(HangOnBlackholedPostgres) { // defect: hang-on-blackholed-postgres
		options.ConnectTimeout = 0
	}
	if s.config.Defects.Has(MissingTables) { // defect: missing-tables
		options.MessagesTable = "messages_v2"
	}
	db, err := store.Open(ctx, s.config.DatabaseURL, options)
	if err != nil {
		return err
	}
	s.db = db
	s.log.Printf("PostgreSQL: connected, pool of %d", store.PoolSize)
	return nil
}

// threads returns the session factory, or why there is none.
func (s *service) threads() (*store.Store, error) {
	if db := s.store.Load(); db != nil {
		return db, nil
	}
	return nil, fmt.Errorf("%s: the session factory is not initialised", depPostgres)
}
