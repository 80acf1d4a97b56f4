package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/agent"
	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
)

// clickHouseTimeout is how long anything waits for the optional ClickHouse.
const clickHouseTimeout = 2 * time.Second

func (s *service) serviceSteps() []startup.Step {
	steps := []startup.Step{
		{Text: "Tool dispatcher: trying every tool", Run: func(ctx context.Context) (err error) {
			s.tools, err = agent.NewDispatcher(ctx)
			return err
		}},
		{Text: "LLM: a trial completion", Dependency: depLLM, Run: s.trialCompletion},
		{Text: "Thread service: opening the whole session pool", Dependency: depPostgres, Run: func(ctx context.Context) error {
			return s.store.Load().Warm(ctx)
		}},
	}
	if s.config.Defects.Has(HangOnBlackholedPostgres) { // defect: hang-on-blackholed-postgres
		steps[2].Timeout = -1
	}
	return append(steps, s.analyticsSteps()...)
}

// trialCompletion makes the supervisor once the model has really answered.
func (s *service) trialCompletion(ctx context.Context) error {
	const question = "Is anybody there?"
	answer, err := s.model.Complete(ctx, question)
	if err == nil && strings.TrimSpace(answer) == "" {
		err = fmt.Errorf("the trial completion is empty")
	}
	if err != nil && ctx.Err() == nil && s.config.Defects.Has(SwallowLLM) { // defect: swallow-llm
		return nil // up, and nobody made the supervisor
	}
	if err != nil {
		return err
	}
	supervisor, err := agent.NewSupervisor(s.model, s.tools, s.store.Load())
	if err != nil {
		return err
	}
	s.supervisor.Store(supervisor)
	s.log.Printf("Agent supervisor: ready")
	return nil
}

func (s *service) analyticsSteps() []startup.Step {
	if s.analytics == nil {
		return []startup.Step{{Text: "ClickHouse: not configured, no analytics", Run: func(context.Context) error { return nil }}}
	}
	start := startup.Step{Text: "Analytics: starting the worker", Run: func(context.Context) error {
		if !s.config.Defects.Has(DeadWorker) { // defect: dead-worker
			s.analytics.Start()
		}
		return nil
	}}
	if s.config.Defects.Has(ClickHouseBlocks) { // defect: clickhouse-blocks
		block := startup.Step{Text: "ClickHouse: creating the table and inserting an event", Timeout: -1, Run: s.waitForClickHouse}
		return []startup.Step{block, start}
	}
	return []startup.Step{{
		Text: "ClickHouse (optional): creating the table and inserting an event", Dependency: depClickHouse,
		Optional: true, Timeout: clickHouseTimeout, Run: s.analytics.Check,
	}, start}
}

// waitForClickHouse is the clickhouse-blocks defect: an optional dependency
// that is waited for like a critical one.
func (s *service) waitForClickHouse(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, defectDuration("SMD_CLICKHOUSE_BLOCK", 65*time.Second))
	defer cancel()
	for {
		err := s.analytics.Check(bounded)
		if err == nil {
			return nil
		}
		s.log.Printf("ClickHouse: %v; waiting for it", err)
		if startup.Wait(bounded, time.Second) != nil {
			return context.Cause(ctx) // nil when only our own patience is over
		}
	}
}

func (s *service) webSocketSteps() []startup.Step {
	return []startup.Step{
		{Text: "WebSocket manager: registering", Run: func(context.Context) error { return s.hub.start() }},
		{Text: "WebSocket manager: session state in Redis", Dependency: depRedis, Run: s.redisStep(s.checkSessions)},
		{Text: "WebSocket manager: a message there and back", Dependency: depRedis, Run: s.redisStep(s.checkChat)},
	}
}

// checkSessions proves that session state survives between two connections.
func (s *service) checkSessions(ctx context.Context) error {
	cache := s.cache.Load()
	wrote := sessionState{Thread: "startup-check"}
	if err := cache.Put(ctx, kindSession, s.id, wrote); err != nil {
		return err
	}
	var read sessionState
	if err := cache.Get(ctx, kindSession, s.id, &read); err != nil {
		return err
	}
	if read != wrote {
		return fmt.Errorf("session %s was read back different from what was written", s.id)
	}
	return cache.Remove(ctx, kindSession, s.id)
}

// finalizeSteps validates every required service once more, as readiness will,
// and opens the gate.
func (s *service) finalizeSteps() []startup.Step {
	var steps []startup.Step
	for _, check := range s.checks() {
		if !check.required {
			continue
		}
		step := startup.Step{Text: "Validating " + check.name, Dependency: check.name, Run: check.run}
		if check.name == depRedis {
			step.Run = s.redisStep(check.run)
		}
		if check.name == depPostgres && s.config.Defects.Has(HangOnBlackholedPostgres) { // defect: hang-on-blackholed-postgres
			step.Timeout = -1
		}
		steps = append(steps, step)
	}
	return append(steps, startup.Step{Text: "Opening for traffic", Run: func(context.Context) error { return s.openUp() }})
}
