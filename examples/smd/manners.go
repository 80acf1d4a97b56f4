package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
)

// What a retry hoards under its defect, and how often at most.
const (
	hoardSockets = 8
	hoardBytes   = 40 << 20
	hoardThreads = 16
	hoardTimes   = 5
)

// hoard is what the defects leak-descriptors, balloon and thread-pile never give back.
type hoard struct {
	mu      sync.Mutex
	times   int
	sockets []net.Conn
	files   []*os.File
	bytes   [][]byte
}

// hoards makes every retry of a dependency cost something for good.
func (s *service) hoards() func(context.Context, string) {
	return func(ctx context.Context, _ string) {
		s.hoard.mu.Lock()
		defer s.hoard.mu.Unlock()
		if s.hoard.times++; s.hoard.times > hoardTimes {
			return
		}
		if s.config.Defects.Has(LeakDescriptors) { // defect: leak-descriptors
			s.leakDescriptors(ctx)
		}
		if s.config.Defects.Has(Balloon) { // defect: balloon
			b := make([]byte, hoardBytes)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			s.hoard.bytes = append(s.hoard.bytes, b)
		}
		if s.config.Defects.Has(ThreadPile) { // defect: thread-pile
			for range hoardThreads {
				go func() {
					runtime.LockOSThread()
					select {}
				}()
			}
		}
	}
}

// leakDescriptors opens what a pool for Redis would, and forgets it.
func (s *service) leakDescriptors(ctx context.Context) {
	redis, err := url.Parse(s.config.RedisURL)
	if err != nil {
		return
	}
	dialer := net.Dialer{Timeout: time.Second}
	for range hoardSockets {
		if conn, err := dialer.DialContext(ctx, "tcp", redis.Host); err == nil {
			s.hoard.sockets = append(s.hoard.sockets, conn)
		}
	}
	if file, err := os.Open(os.DevNull); err == nil {
		s.hoard.files = append(s.hoard.files, file)
	}
}

// deaf makes steps that do not notice that their context has ended: the deaf-database defect.
func deaf(steps []startup.Step) {
	for i := range steps {
		run := steps[i].Run
		steps[i].Run = func(ctx context.Context) error { return run(context.WithoutCancel(ctx)) }
	}
}

// halfMigration is the half-migration defect: the schema counts as dirty while a migration runs, as with tools that record that apart from
// the migration itself, and a dirty one is refused.
func (s *service) halfMigration(ctx context.Context, name string) (ran bool, err error) {
	if err := s.db.MarkDirty(ctx, name); err != nil {
		return false, err
	}
	if ran, err = s.db.Migrate(ctx, name); err != nil {
		return ran, err
	}
	return ran, s.db.MarkClean(ctx, name)
}

// lockFile is the stale-lock defect: a file keeps a second instance away, and only an orderly stop removes it.
func (s *service) lockFile() error {
	path := os.Getenv("SMD_LOCK")
	if path == "" {
		return errors.New("SMD_LOCK is not set")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 G703 -- named by who starts it
	if err != nil {
		return fmt.Errorf("another instance seems to run: %w", err)
	}
	return f.Close()
}

func (s *service) unlock() {
	if s.config.Defects.Has(StaleLock) { // defect: stale-lock
		_ = os.Remove(os.Getenv("SMD_LOCK")) // #nosec G703 -- named by who starts it
	}
}

// vaguely is the vague-failure defect: it says that something failed, but not what.
func vaguely(logf func(string, ...any)) func(string, ...any) {
	return func(format string, args ...any) {
		if strings.Contains(format, "FAILED") {
			format, args = "STARTUP FAILED: something went wrong", nil
		}
		logf(format, args...)
	}
}
