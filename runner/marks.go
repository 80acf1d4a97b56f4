package runner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// marks is the run's one server behind $CHAOS_MARK_URL. A service posts to $CHAOS_MARK_URL/NAME and has its answer when the
// phase NAME and the faults bound to it are on.
type marks struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}

	mu   sync.Mutex
	take map[string]func(name string) // by trial marker
}

func startMarks(ctx context.Context) (*marks, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for marks: %w", err)
	}
	m := &marks{listener: l, done: make(chan struct{}), take: map[string]func(string){}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{trial}/{name}", m.serve)
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(m.done)
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return // the listener is gone: services get a refusal, which their own logs show
		}
	}()
	return m, nil
}

func (m *marks) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	take := m.take[r.PathValue("trial")]
	m.mu.Unlock()
	if take == nil {
		http.Error(w, "no such trial is running", http.StatusNotFound)
		return
	}
	take(r.PathValue("name"))
	w.WriteHeader(http.StatusNoContent)
}

// register makes take hear the marks of a trial; nil ends that.
func (m *marks) register(trial string, take func(string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if take == nil {
		delete(m.take, trial)
		return
	}
	m.take[trial] = take
}

func (m *marks) url(trial string) string {
	return "http://" + m.listener.Addr().String() + "/" + trial
}

func (m *marks) address() netip.AddrPort {
	a, err := netip.ParseAddrPort(strings.TrimSpace(m.listener.Addr().String()))
	if err != nil {
		return netip.AddrPort{}
	}
	return a
}

func (m *marks) close(ctx context.Context) error {
	err := m.server.Shutdown(ctx)
	<-m.done
	if err != nil {
		return fmt.Errorf("stop the mark server: %w", err)
	}
	return nil
}
