package litepg

import (
	"database/sql/driver"
	"sync"
)

// lockKey names an advisory lock: PostgreSQL's are per database.
func lockKey(database string, args []driver.Value) string {
	key := database
	for _, a := range args {
		key += "/" + asText(a)
	}
	return key
}

var errInterrupted = raise(canceled, "canceling statement due to user request")

// advisoryLocks are the locks of pg_advisory_lock: exclusive, counted for their
// owner, gone with the session.
type advisoryLocks struct {
	mu    sync.Mutex
	held  map[string]*heldLock
	freed chan struct{} // closed and replaced at every release
}

type heldLock struct {
	owner *session
	count int
	xact  bool
}

func newAdvisoryLocks() *advisoryLocks {
	return &advisoryLocks{held: map[string]*heldLock{}, freed: make(chan struct{})}
}

func (a *advisoryLocks) acquire(s *session, key string, xact, wait bool) (bool, error) {
	for {
		a.mu.Lock()
		h := a.held[key]
		if h == nil || h.owner == s {
			if h == nil {
				h = &heldLock{owner: s, xact: xact}
				a.held[key] = h
			}
			h.count++
			a.mu.Unlock()
			return true, nil
		}
		freed := a.freed
		a.mu.Unlock()
		if !wait {
			return false, nil
		}
		select {
		case <-freed:
		case <-s.interrupted():
			return false, errInterrupted
		}
	}
}

func (a *advisoryLocks) release(s *session, key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.held[key]
	if h == nil || h.owner != s {
		return false
	}
	if h.count--; h.count == 0 {
		delete(a.held, key)
		a.announce()
	}
	return true
}

// releaseAll frees what a session holds; only the transaction's locks when xact.
func (a *advisoryLocks) releaseAll(s *session, xact bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, h := range a.held {
		if h.owner == s && (h.xact || !xact) {
			delete(a.held, key)
		}
	}
	a.announce()
}

func (a *advisoryLocks) announce() {
	close(a.freed)
	a.freed = make(chan struct{})
}
