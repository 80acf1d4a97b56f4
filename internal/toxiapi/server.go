package toxiapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Version is the Toxiproxy whose API this is; clients ask for it.
const Version = "2.12.0"

// Config is a proxy that is there from the start.
type Config struct {
	Name, Listen, Upstream string
	Enabled                bool
	Toxics                 []Toxic
}

// Options say how an API is served.
type Options struct {
	Listen     string   // host:port of the API
	Token      string   // what every request must prove; "": nothing
	AllowHosts []string // names that a Host header may have besides loopback ones, where there is no token
	Seed       uint64   // of every random choice
	Version    string   // that clients are told; "" is Version
	Proxies    []Config
	Log        func(method, path string, status int) // is told of every request; nil: nobody
	On         func(Incident)                        // is told what happened besides, from many goroutines; it must be quick; nil: nobody

	start   starter  // nil: real ones
	resolve resolver // nil: the system's
}

// Server is an API with its proxies. Make it with Listen.
type Server struct {
	o        Options
	all      *collection
	listener net.Listener
}

// The limits of a request, as in Toxiproxy.
const (
	readTimeout  = 15 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
)

// Listen takes the API's address and starts the proxies; all of it or nothing. The caller must run Serve, which ends both. The error names what
// could not be started, and is wrapped from the kernel's.
func Listen(ctx context.Context, o Options) (*Server, error) {
	s := newServer(o)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.o.Listen)
	if err != nil {
		if inUse(err) {
			err = fmt.Errorf("%w: %s listens there: end it, or choose another address with --listen", err, holder(s.o.Listen))
		}
		return nil, fmt.Errorf("the API: %w", err)
	}
	s.listener, s.all.budget = l, budget()
	if err := s.all.load(ctx, o.Proxies); err != nil {
		return nil, errors.Join(err, s.all.close(ctx), l.Close())
	}
	return s, nil
}

func newServer(o Options) *Server {
	if o.Version == "" {
		o.Version = Version
	}
	if o.start == nil {
		o.start = startProxy
	}
	if o.resolve == nil {
		o.resolve = resolved
	}
	return &Server{o: o, all: newCollection(o)}
}

// Addr is where the API listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Proxies returns every proxy by name.
func (s *Server) Proxies() map[string]Proxy { return s.all.list() }

// Serve serves the API until ctx ends. Then it answers the requests that are under way, lifts every fault and ends every proxy and connection.
func (s *Server) Serve(ctx context.Context) error {
	h := &http.Server{
		Handler: s.logged(s.routes()), ReadTimeout: readTimeout, ReadHeaderTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 1 << 16,
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(s.listener) }()
	var err error
	select {
	case err = <-ended:
		err = fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
		err = s.shutdown(context.WithoutCancel(ctx), h, ended)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	return errors.Join(err, s.all.close(ctx))
}

// shutdown answers what is under way, for a while, and waits for the end of serving.
func (s *Server) shutdown(ctx context.Context, h *http.Server, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, closing)
	defer cancel()
	err := h.Shutdown(ctx)
	if err != nil {
		err = h.Close() // a request that does not end: its client has had its time
	}
	if serving := <-ended; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve the API: %w", serving))
	}
	return err
}

// logged tells Options.Log of every request.
func (s *Server) logged(next http.Handler) http.Handler {
	if s.o.Log == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(told, r)
		s.o.Log(r.Method, r.URL.Path, told.status)
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
