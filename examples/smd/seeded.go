package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
)

// lingerTime bounds the life of the child that the fork-child defect leaves
// behind.
const lingerTime = 300 * time.Second

// seedDefects does what a defect does at the very beginning.
func (s *service) seedDefects() {
	for _, d := range s.config.Defects {
		s.log.Printf("DEFECT %s is switched on", d)
	}
	if s.config.Defects.Has(ForkChild) { // defect: fork-child
		s.forkChild()
	}
}

func (s *service) forkChild() {
	self, err := os.Executable()
	if err != nil {
		s.log.Printf("WARNING: fork: %v", err)
		return
	}
	child := exec.Command(self, "linger") // #nosec G204 -- ourselves
	// A session of its own keeps a signal to the group from reaching it; the
	// inherited output is what makes readers of our log wait for it.
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	if err := child.Start(); err != nil {
		s.log.Printf("WARNING: fork: %v", err)
		return
	}
	s.log.Printf("Forked child %d", child.Process.Pid)
}

// linger is that child.
func linger() int {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	ctx, stop := interruptible(false)
	defer stop()
	_ = startup.Wait(ctx, lingerTime)
	return exitOK
}

// leaks holds what the leak-connections defect never closes.
type leaks struct {
	mu     sync.Mutex
	cancel []context.CancelFunc
	kept   []*pgx.Conn
	all    sync.WaitGroup
}

// maxLeaks bounds the defect.
const maxLeaks = 50

// reconnect starts one more reconnector, which goes on until it is connected;
// the connection is then forgotten.
func (l *leaks) reconnect(url string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.cancel) == maxLeaks {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = append(l.cancel, cancel)
	l.all.Go(func() {
		for {
			conn, err := pgx.Connect(ctx, url)
			if err == nil {
				l.mu.Lock()
				l.kept = append(l.kept, conn)
				l.mu.Unlock()
				return
			}
			if startup.Wait(ctx, 200*time.Millisecond) != nil {
				return
			}
		}
	})
}

// wait ends the reconnectors; what they connected stays open.
func (l *leaks) wait() {
	l.mu.Lock()
	for _, cancel := range l.cancel {
		cancel()
	}
	l.mu.Unlock()
	l.all.Wait()
}
