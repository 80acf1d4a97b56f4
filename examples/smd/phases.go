package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/session"
	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
)

// The seven phases, in their order.
const (
	phaseInit         = "INIT"
	phaseDependencies = "DEPENDENCIES"
	phaseDatabase     = "DATABASE"
	phaseCache        = "CACHE"
	phaseServices     = "SERVICES"
	phaseWebSocket    = "WEBSOCKET"
	phaseFinalize     = "FINALIZE"
)

func phaseNames() []string {
	return []string{phaseInit, phaseDependencies, phaseDatabase, phaseCache, phaseServices, phaseWebSocket, phaseFinalize}
}

func isPhase(name string) bool { return slices.Contains(phaseNames(), name) }

// start plays the phases.
func (s *service) start(ctx context.Context) error {
	if !s.config.Defects.unbounded() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.config.StartupTimeout, startup.ErrBudget)
		defer cancel()
	}
	sequence := startup.Sequence{
		Phases: s.phases(), Policy: s.policy(), State: &s.state, Logf: s.log.Printf,
		Delay: func(ctx context.Context, phase string) error {
			return startup.Wait(ctx, s.config.Delay.of(phase))
		},
	}
	if s.config.Defects.Has(VagueFailure) { // defect: vague-failure
		sequence.Logf = vaguely(s.log.Printf)
	}
	if s.config.Defects.Has(LateReady) { // defect: late-ready
		sequence.Linger = func(ctx context.Context) { _ = startup.Wait(ctx, defectDuration("SMD_READY_DELAY", 5*time.Second)) }
	}
	return sequence.Run(ctx)
}

func (s *service) phases() []startup.Phase {
	phases := []startup.Phase{
		{Number: 1, Name: phaseInit, Title: "Foundation setup and environment validation", Steps: s.initSteps()},
		{Number: 2, Name: phaseDependencies, Title: "Core service managers and keys", Steps: s.dependencySteps()},
		{Number: 3, Name: phaseDatabase, Title: "Database connections and schema", Steps: s.databaseSteps()},
		{Number: 4, Name: phaseCache, Title: "Redis and caching systems", Steps: s.cacheSteps()},
		{Number: 5, Name: phaseServices, Title: "Chat pipeline and critical services", Steps: s.serviceSteps()},
		{Number: 6, Name: phaseWebSocket, Title: "WebSocket integration and validation", Steps: s.webSocketSteps()},
		{Number: 7, Name: phaseFinalize, Title: "Validation and optional services", Steps: s.finalizeSteps()},
	}
	if s.config.Defects.Has(WrongPhaseOrder) { // defect: wrong-phase-order
		phases[2], phases[3] = phases[3], phases[2]
	}
	return phases
}

// firstPause is how long the first pause between two tries is; the others grow from it.
const firstPause = 100 * time.Millisecond

// policy is how steps are limited and tried again.
func (s *service) policy() startup.Policy {
	p := startup.Policy{
		StepTimeout: s.config.AttemptTimeout, RetryFor: s.config.Retry,
		Backoff:   startup.Exponential(firstPause, s.config.MaxBackoff),
		Permanent: func(err error) bool { return store.Permanent(err) || session.Permanent(err) },
	}
	if s.config.Defects.Has(RetryStorm) { // defect: retry-storm
		p.Backoff = func(int) time.Duration { return 5 * time.Millisecond } // 200 a second at most
		p.Permanent = nil
		if p.RetryFor == 0 {
			p.RetryFor = s.config.PhaseTimeout
		}
	}
	if s.config.Defects.Has(NoJitter) { // defect: no-jitter
		p.Backoff = drawnFrom(firstPause, s.config.MaxBackoff, func() float64 { return 1 })
	}
	if s.config.Defects.Has(SameSeed) { // defect: same-seed
		seeded := rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- the defect
		p.Backoff = drawnFrom(firstPause, s.config.MaxBackoff, func() float64 { return (2 + 2*seeded.Float64()) / 3 })
	}
	if s.config.Defects.Has(NeverGivesUp) { // defect: never-gives-up
		p.RetryFor = startup.Forever
	}
	if s.config.Defects.Has(LeakConnections) { // defect: leak-connections
		p.OnRetry = func(ctx context.Context, dependency string) {
			if dependency == depPostgres {
				s.leaks.reconnect(s.config.DatabaseURL)
			}
		}
	}
	if d := s.config.Defects; d.Has(LeakDescriptors) || d.Has(Balloon) || d.Has(ThreadPile) {
		p.OnRetry = s.hoards()
	}
	return p
}

func (s *service) initSteps() []startup.Step {
	return []startup.Step{
		{Text: "Validating the environment", Run: func(context.Context) error {
			s.log.Printf("Instance %s; database %s, cache %s, auth %s, llm %s, analytics %s", s.id,
				redacted(s.config.DatabaseURL), redacted(s.config.RedisURL), redacted(s.config.AuthURL),
				redacted(s.config.LLMURL), redacted(s.config.ClickHouseURL))
			if s.config.Defects.Has(LogSecret) { // defect: log-secret
				s.log.leak("DEBUG DATABASE_URL=" + s.config.DatabaseURL)
			}
			if s.config.Defects.Has(StaleLock) { // defect: stale-lock
				if err := s.lockFile(); err != nil {
					return err
				}
			}
			return s.config.validate()
		}},
		{Text: "Setting traffic limits", Run: func(context.Context) error {
			if s.limits.burst < 1 {
				return errors.New("the rate limiter lets nothing through")
			}
			s.log.Printf("Rate limit %d; browsers from %s", s.config.RateLimit, s.config.CORSOrigin)
			return nil
		}},
	}
}

func (s *service) dependencySteps() []startup.Step {
	steps := []startup.Step{
		{Text: "Key manager: fetching the signing keys from the auth service", Dependency: depAuth, Run: func(ctx context.Context) error {
			_, err := s.keys.Fetch(ctx)
			if err != nil && s.config.Defects.Has(NoAuth) { // defect: no-auth
				s.log.Printf("Key manager: going on without keys")
				return nil
			}
			return err
		}},
		{Text: "LLM manager: listing the models", Dependency: depLLM, Run: func(ctx context.Context) error {
			_, err := s.model.Models(ctx)
			if s.config.Defects.Has(SwallowLLM) { // defect: swallow-llm
				return nil
			}
			return err
		}},
	}
	if s.config.Defects.Has(SlowDependencies) { // defect: slow-dependencies
		steps = append(steps, startup.Step{Text: "Loading key managers one after the other", Timeout: -1, Run: func(ctx context.Context) error {
			return startup.Wait(ctx, defectDuration("SMD_SLOW", 31*time.Second))
		}})
	}
	return steps
}

func (s *service) cacheSteps() []startup.Step {
	return []startup.Step{
		{Text: "Connecting to Redis", Dependency: depRedis, Run: s.redisStep(s.connectRedis)},
		{Text: "Redis: writing, reading and removing a key", Dependency: depRedis, Run: s.redisStep(func(ctx context.Context) error {
			return s.cache.Load().RoundTrip(ctx, s.id)
		})},
	}
}

func (s *service) connectRedis(ctx context.Context) error {
	if s.config.Defects.Has(ParallelStorm) { // defect: parallel-storm
		defer s.crowd(ctx).Wait()
	}
	cache, err := session.Open(s.config.RedisURL, s.config.AttemptTimeout)
	if err != nil {
		return err
	}
	if s.config.Defects.Has(FalseReadyRedis) { // defect: false-ready-redis
		s.cache.Store(cache)
		return cache.Ping(ctx)
	}
	// Redis commands do not notice that their context was cancelled: an
	// interrupted startup closes their connections instead.
	stop := context.AfterFunc(ctx, func() { _ = cache.Close() })
	if err := cache.Ping(ctx); err != nil {
		stop()
		_ = cache.Close()
		return err
	}
	if !stop() {
		return context.Cause(ctx)
	}
	s.cache.Store(cache)
	return nil
}

// redisStep makes a step stoppable, and under its defect blind.
func (s *service) redisStep(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			if cache := s.cache.Load(); cache != nil && errors.Is(context.Cause(ctx), startup.ErrInterrupted) {
				_ = cache.Close()
			}
		})
		defer stop()
		err := do(ctx)
		if err != nil && ctx.Err() == nil && s.config.Defects.Has(FalseReadyRedis) { // defect: false-ready-redis
			s.log.Printf("Redis: connected")
			return nil
		}
		return err
	}
}
