package main

import (
	"context"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/session"
)

// drawnFrom returns a backoff that doubles from base up to limit, each pause
// multiplied by what draw says; for the defects no-jitter and same-seed.
func drawnFrom(base, limit time.Duration, draw func() float64) func(int) time.Duration {
	return func(n int) time.Duration {
		return time.Duration(float64(min(base<<min(n-1, 20), limit)) * draw())
	}
}

// stormWorkers is how many of the parallel-storm defect connect besides the
// one that is needed.
const stormWorkers = 7

// crowd lets the workers of the parallel-storm defect connect to Redis too;
// what is returned waits for them.
func (s *service) crowd(ctx context.Context) *sync.WaitGroup {
	var all sync.WaitGroup
	for range stormWorkers {
		all.Go(func() {
			cache, err := session.Open(s.config.RedisURL, s.config.AttemptTimeout)
			if err != nil {
				return
			}
			defer func() { _ = cache.Close() }()
			stop := context.AfterFunc(ctx, func() { _ = cache.Close() })
			defer stop()
			_ = cache.Ping(ctx)
		})
	}
	return &all
}
