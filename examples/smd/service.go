package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/agent"
	"github.com/chaos-startup/chaos/examples/smd/internal/analytics"
	"github.com/chaos-startup/chaos/examples/smd/internal/llm"
	"github.com/chaos-startup/chaos/examples/smd/internal/session"
	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
	"github.com/chaos-startup/chaos/examples/smd/internal/tokens"
)

// The names of the dependencies, in errors and in /health/ready.
const (
	depPostgres   = "postgres"
	depRedis      = "redis"
	depAuth       = "auth"
	depLLM        = "llm"
	depClickHouse = "clickhouse"
)

// How long an orderly stop may take: together less than 2 s.
const (
	drainRequests = 800 * time.Millisecond
	drainSockets  = 400 * time.Millisecond
	closeStores   = 500 * time.Millisecond
)

// service is one instance. What a phase makes is stored in an atomic pointer
// when it is usable and not before, because handlers may already run.
type service struct {
	config Config
	log    *logger
	id     string
	state  startup.State

	keys       *tokens.Keys
	model      *llm.Client
	analytics  *analytics.Client // nil without CLICKHOUSE_URL
	tools      *agent.Dispatcher
	hub        *hub
	limits     *limits
	db         *store.Store // the phases' own; handlers use store, once the schema is verified
	store      atomic.Pointer[store.Store]
	cache      atomic.Pointer[session.Cache]
	supervisor atomic.Pointer[agent.Supervisor]

	open    atomic.Bool // the gate: requests other than health are let in
	claimed atomic.Bool // defect ready-before-schema: ready was claimed too early

	server   *http.Server
	listener net.Listener
	served   chan error
	abandon  context.CancelFunc // ends what the handlers still do
	leaks    leaks
	session  sync.Mutex // defect shared-session: the one session of all requests
	stuck    sync.Map   // defect stuck-session: the chats that never left, by session
	visitors visitors
	hoard    hoard
}

func newService(config Config, log *logger) (*service, error) {
	s := &service{config: config, log: log, id: store.NewID("smd"),
		keys: tokens.New(config.AuthURL), model: llm.New(config.LLMURL), hub: newHub(),
		limits: newLimits(config.RateLimit)}
	if config.ClickHouseURL != "" {
		client, err := analytics.New(config.ClickHouseURL, config.ClickHouseDatabase, clickHouseTimeout)
		if err != nil {
			return nil, err
		}
		s.analytics = client
	}
	base, abandon := context.WithCancel(context.Background())
	s.abandon = abandon
	s.server = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return base }}
	return s, nil
}

// run is the life of the service; it returns the exit code.
func (s *service) run(ctx context.Context) int {
	if s.config.Serve != serveAfter {
		if err := s.listen(); err != nil {
			s.log.Printf("CONFIGURATION ERROR: %v; set another PORT", err)
			return exitConfig
		}
	}
	if s.config.Serve == serveDuring {
		s.accept()
	}
	s.seedDefects()
	code := exitOK
	err := s.start(ctx)
	switch {
	case errors.Is(err, startup.ErrInterrupted):
	case err != nil:
		code = exitStartup
		if s.config.Defects.Has(ExitZero) { // defect: exit-zero
			code = exitOK
		}
	default:
		code = s.wait(ctx)
	}
	s.shutdown(code == exitOK)
	if code == exitOK {
		s.unlock()
	}
	return code
}

// wait returns when the service is told to stop or can not serve any more.
func (s *service) wait(ctx context.Context) int {
	select {
	case <-ctx.Done():
		return exitOK
	case err := <-s.served:
		s.served <- err // for shutdown, which waits for it too
		s.log.Printf("SERVING FAILED: %v", err)
		return exitServing
	}
}

func (s *service) listen() error {
	listener, err := net.Listen("tcp", net.JoinHostPort(s.config.Host, s.config.Port))
	if err != nil {
		return err
	}
	s.listener = listener
	s.log.Printf("bound to %s", listener.Addr())
	return nil
}

// accept begins to serve on the bound port; further calls do nothing.
func (s *service) accept() {
	if s.served != nil {
		return
	}
	s.served = make(chan error, 1)
	go func() { s.served <- s.server.Serve(s.listener) }()
	s.log.Printf("serving on %s", s.listener.Addr())
}

// openUp binds and serves, whatever of it has not been done yet, and lets
// requests in.
func (s *service) openUp() error {
	if s.listener == nil {
		if err := s.listen(); err != nil {
			return err
		}
	}
	s.open.Store(true)
	s.accept()
	return nil
}

// shutdown ends everything within its time limits; gently lets requests and
// chats finish first.
func (s *service) shutdown(gently bool) {
	s.log.Printf("SHUTDOWN BEGINS")
	began := time.Now()
	if gently {
		s.drain()
	}
	s.abandon()
	_ = s.server.Close() // whatever is still there has had its time
	if s.listener != nil && s.served == nil {
		_ = s.listener.Close()
	}
	if s.served != nil {
		<-s.served //nolint:errcheck // it was told to end, and says so
	}
	s.hub.closeNow()
	if !within(closeStores, s.closeDependencies) {
		s.log.Printf("WARNING: connections were still busy after %s; leaving them to the kernel", closeStores)
	}
	s.log.Printf("SHUTDOWN COMPLETE (%.3fs)", time.Since(began).Seconds())
}

func (s *service) drain() {
	var both sync.WaitGroup
	both.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainRequests)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			s.log.Printf("WARNING: requests were still running after %s", drainRequests)
		}
	})
	both.Go(func() { s.hub.closeGently(drainSockets) })
	both.Wait()
}

func (s *service) closeDependencies() {
	s.leaks.wait()
	if s.analytics != nil {
		s.analytics.Stop()
	}
	if cache := s.cache.Load(); cache != nil {
		_ = cache.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
}

// within runs do and waits for it, but not longer than limit: the process is
// about to end, and a dead peer must not keep it.
func within(limit time.Duration, do func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}
