package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
)

func (s *service) databaseSteps() []startup.Step {
	steps := []startup.Step{
		{Text: "Connecting to PostgreSQL", Run: s.connectPostgres},
		{Text: "PostgreSQL: preparing migrations", Run: func(ctx context.Context) error { return s.db.PrepareMigrations(ctx) }},
	}
	for _, name := range store.Migrations() {
		steps = append(steps, startup.Step{Text: "PostgreSQL: migration " + name, Run: func(ctx context.Context) error {
			migrate := s.db.Migrate
			if s.config.Defects.Has(HalfMigration) { // defect: half-migration
				migrate = s.halfMigration
			}
			ran, err := migrate(ctx, name)
			if ran {
				s.log.Printf("Migration %s applied", name)
			}
			return err
		}})
	}
	steps = append(steps,
		startup.Step{Text: "PostgreSQL: verifying the core tables", Run: func(ctx context.Context) error { return s.db.Verify(ctx) }},
		startup.Step{Text: "PostgreSQL: creating, reading and deleting a thread", Run: func(ctx context.Context) error {
			if err := s.db.RoundTrip(ctx); err != nil {
				return err
			}
			s.store.Store(s.db) // usable, and not before
			return nil
		}})
	for i := range steps {
		steps[i].Dependency = depPostgres
		if s.config.Defects.Has(HangOnBlackholedPostgres) { // defect: hang-on-blackholed-postgres
			steps[i].Timeout = -1
		}
	}
	if s.config.Defects.Has(DeafDatabase) { // defect: deaf-database
		deaf(steps)
	}
	if s.config.Defects.Has(ReadyBeforeSchema) { // defect: ready-before-schema
		steps = slices.Insert(steps, 1, s.claimTooEarly())
	}
	return steps
}

// claimTooEarly is the ready-before-schema defect: open for traffic while the
// migrations are somebody else's job, which takes its time.
func (s *service) claimTooEarly() startup.Step {
	return startup.Step{Text: "Opening for traffic; waiting for the migration job", Timeout: -1, Run: func(ctx context.Context) error {
		s.claimed.Store(true)
		if err := s.openUp(); err != nil {
			return err
		}
		return startup.Wait(ctx, defectDuration("SMD_SCHEMA_DELAY", time.Second))
	}}
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
