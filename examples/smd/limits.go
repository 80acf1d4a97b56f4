package main

import (
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// maxClients bounds how many clients are told apart at a time.
const maxClients = 1000

// refill is how long it takes until a client that used up its limit has all of
// it again, in seconds.
const refill = 10

// limits allows each client a burst of requests.
type limits struct {
	mu      sync.Mutex
	burst   int
	clients map[string]*rate.Limiter
}

func newLimits(burst int) *limits {
	return &limits{burst: burst, clients: map[string]*rate.Limiter{}}
}

// allow says whether the client may ask once more.
func (l *limits) allow(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter, ok := l.clients[client]
	if !ok {
		if len(l.clients) == maxClients {
			clear(l.clients) // who used up a limit gets it again: better than to grow without end
		}
		limiter = rate.NewLimiter(rate.Limit(float64(l.burst)/refill), l.burst)
		l.clients[client] = limiter
	}
	return limiter.Allow()
}

// limited answers GET /api/limited?client=NAME as often as the rate limit
// allows that client.
func (s *service) limited(w http.ResponseWriter, r *http.Request) {
	if !s.limits.allow(r.URL.Query().Get("client")) && !s.config.Defects.Has(NoRateLimit) { // defect: no-rate-limit
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusTooManyRequests, map[string]string{"error": "too many requests"})
		return
	}
	reply(w, http.StatusOK, map[string]string{"status": "ok"})
}
