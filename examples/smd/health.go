package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
)

// How long readiness waits for a dependency. All are asked at the same time, so
// that this is also how long the answer takes at most.
const (
	requiredCheckLimit = time.Second
	optionalCheckLimit = 500 * time.Millisecond
)

// check proves that one dependency is usable, not merely there.
type check struct {
	name     string
	required bool
	limit    time.Duration
	run      func(ctx context.Context) error // nil: not configured
}

func (s *service) checks() []check {
	has := s.config.Defects.Has
	fine := func(context.Context) error { return nil }
	postgres := check{depPostgres, true, requiredCheckLimit, func(ctx context.Context) error {
		db, err := s.threads()
		if err != nil {
			return err
		}
		return db.Verify(ctx)
	}}
	redis := check{depRedis, true, requiredCheckLimit, func(ctx context.Context) error {
		return s.cache.Load().RoundTrip(ctx, "ready:"+s.id)
	}}
	auth := check{depAuth, true, requiredCheckLimit, func(ctx context.Context) error {
		_, err := s.keys.Fetch(ctx)
		return err
	}}
	model := check{depLLM, true, requiredCheckLimit, func(ctx context.Context) error {
		_, err := s.model.Models(ctx)
		return err
	}}
	clickHouse := check{name: depClickHouse, limit: optionalCheckLimit}
	if s.analytics != nil {
		clickHouse.run = s.analytics.Ping
	}
	if has(FalseReadyRedis) { // defect: false-ready-redis
		redis.run = fine
	}
	if has(NoAuth) { // defect: no-auth
		auth.run = fine
	}
	if has(SwallowLLM) { // defect: swallow-llm
		model.run = fine
	}
	if has(ClickHouseBlocks) { // defect: clickhouse-blocks
		clickHouse.limit = 10 * time.Second
	}
	return []check{postgres, redis, auth, model, clickHouse}
}

// dependencyStatus is one line of /health/ready.
type dependencyStatus struct {
	Status   string  `json:"status"` // ok, down or disabled
	Required bool    `json:"required"`
	MS       float64 `json:"ms"`
	Error    string  `json:"error,omitempty"`
}

// readiness is the body of /health/ready. Status is starting, ready, degraded
// (an optional dependency is down) or failed (a required one is, or the
// startup).
type readiness struct {
	Status       string                      `json:"status"`
	Phase        string                      `json:"phase"`
	Dependencies map[string]dependencyStatus `json:"dependencies"`
	Error        string                      `json:"error,omitempty"`
}

func (s *service) readiness(ctx context.Context) readiness {
	snap := s.state.Snapshot()
	r := readiness{Status: snap.Status, Phase: snap.Phase, Error: snap.Error, Dependencies: map[string]dependencyStatus{}}
	early := s.claimed.Load() && snap.Status == startup.Starting // defect: ready-before-schema
	if early || s.config.Defects.Has(HealthLies) {               // defect: health-lies
		r.Status = startup.Ready
		return r
	}
	if snap.Status != startup.Ready {
		return r
	}
	r.Dependencies = ask(ctx, s.checks())
	for name, d := range r.Dependencies {
		switch {
		case d.Status != "down":
		case d.Required:
			r.Status, r.Error = startup.Failed, name+": "+d.Error
			return r
		default:
			r.Status = "degraded"
		}
	}
	return r
}

// ask runs all checks at once.
func ask(ctx context.Context, checks []check) map[string]dependencyStatus {
	var mu sync.Mutex
	var all sync.WaitGroup
	answers := make(map[string]dependencyStatus, len(checks))
	for _, c := range checks {
		if c.run == nil {
			mu.Lock()
			answers[c.name] = dependencyStatus{Status: "disabled", Required: c.required}
			mu.Unlock()
			continue
		}
		all.Go(func() {
			began := time.Now()
			bounded, cancel := context.WithTimeout(ctx, c.limit)
			defer cancel()
			answer := dependencyStatus{Status: "ok", Required: c.required}
			if err := c.run(bounded); err != nil {
				answer.Status, answer.Error = "down", err.Error()
			}
			answer.MS = float64(time.Since(began).Microseconds()) / 1000
			mu.Lock()
			defer mu.Unlock()
			answers[c.name] = answer
		})
	}
	all.Wait()
	return answers
}

// live answers GET /health: the process serves, no more.
func (s *service) live(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "alive", "instance": s.id})
}

// ready answers GET /health/ready: 200 only while every required dependency is
// usable.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	answer := s.readiness(r.Context())
	status := http.StatusServiceUnavailable
	if answer.Status == startup.Ready || answer.Status == "degraded" {
		status = http.StatusOK
	} else {
		w.Header().Set("Retry-After", "1")
	}
	reply(w, status, answer)
}

// progress answers GET /health/startup, always with 200: it is a report.
func (s *service) progress(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.state.Snapshot())
}
