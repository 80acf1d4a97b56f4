package main

import (
	"net/http"
	"os"
	"sync"
	"time"
)

// The bounds of the defects that only many users at once bring to light.
const (
	coldRequests = 20               // that cold-pool makes wait for one another
	crowdLimit   = 30               // requests within crowdWindow that stampede-crash does not survive
	crowdWindow  = 10 * time.Second // wide, so that it takes no fast machine
)

// visitors is what the defects remember of the requests that came.
type visitors struct {
	mu     sync.Mutex
	served int
	recent []time.Time
}

// admit lets a request in once the startup is complete.
func (s *service) admit(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if s.config.Defects.Has(ColdPool) { // defect: cold-pool
		s.visitors.warm(defectDuration("SMD_COLD", 250*time.Millisecond))
	}
	if s.config.Defects.Has(StampedeCrash) && s.visitors.overrun() { // defect: stampede-crash
		s.log.Printf("fatal error: concurrent map read and map write")
		os.Exit(exitCrashed)
	}
	next.ServeHTTP(w, r)
}

// warm is the work that a sound service does before it says that it is ready: each of the first requests does some of it, one after the other.
func (v *visitors) warm(each time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.served++; v.served <= coldRequests {
		time.Sleep(each)
	}
}

// overrun tells whether too many requests came within a short time.
func (v *visitors) overrun() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.recent = append(v.recent, now)
	for now.Sub(v.recent[0]) > crowdWindow {
		v.recent = v.recent[1:]
	}
	return len(v.recent) > crowdLimit
}
