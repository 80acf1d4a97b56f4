// Package servers starts throwaway dependencies for a run: PostgreSQL, Redis,
// ClickHouse and NATS. The installed server is used if its binary is found, as
// an unprivileged user, in a temporary folder and on a free loopback port; else
// an in-process stand-in, which says in its version that it is one.
//
// It refuses to install or download anything, to touch a server it did not
// start, to run a server as root, and to use a stand-in silently in the place of
// an installed server that does not start: that is an error.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Preference chooses between the installed server and the stand-in.
type Preference int

// The preferences.
const (
	Auto    Preference = iota // the installed server if its binary is found, else the stand-in
	Real                      // the installed server, or an error
	Standin                   // the stand-in, also if the server is installed
)

// Options say where and how a server runs. The zero value needs a Dir.
type Options struct {
	// Dir is an existing folder for the server's files. The caller removes it
	// after Stop. If the server's user can't enter it (a parent is private), a
	// folder of the server's own is made in os.TempDir and removed by Stop.
	Dir string
	// Prefer chooses between the installed server and the stand-in.
	Prefer Preference
	// Listen is the host:port to serve on; empty means a free port of 127.0.0.1.
	Listen string
	// Logger gets what the servers do; nil logs nothing.
	Logger *zap.Logger
	// Marker is put into the environment of every process that is started, so
	// that it can be found again.
	Marker string
	// Watch is told of each process group that is started; it may be nil.
	Watch func(marker string, pgid int)
}

// Server is a running dependency. Its methods are safe for concurrent use.
type Server struct {
	Kind    string // "postgres"
	Addr    string // host:port
	Version string // "PostgreSQL 15.18"; a stand-in's says that it is one
	Standin bool
	// Vars are the database, user and password of a client without a Namespace.
	Vars map[string]string
	// Dir is where the server keeps its files: in Options.Dir, or elsewhere as
	// told there.
	Dir string

	backend backend
	mu      sync.Mutex
	live    map[string]bool // namespaces
	once    sync.Once
	stopErr error
}

// Namespace is a corner of a server that belongs to one trial.
type Namespace struct {
	// Vars are what the trial's service needs to use its corner: "database",
	// "user", "password"; for nats also "prefix".
	Vars map[string]string
	// Drop removes the corner with everything in it, also under open connections.
	// It may be called again.
	Drop func(context.Context) error
}

// backend is what differs between the servers.
type backend interface {
	// namespace makes a corner; the name is checked and not in use.
	namespace(ctx context.Context, name string) (*Namespace, error)
	// stop ends everything. It is called once.
	stop(ctx context.Context) error
}

// stopLimit bounds Stop when its context has no deadline.
const stopLimit = 20 * time.Second

// Start starts a server of a kind that Kinds lists, and returns when it answers
// a real query. On error nothing is left running, and the error has the last
// lines of the server's log.
func Start(ctx context.Context, kind string, o Options) (*Server, error) {
	k, err := kindOf(kind)
	if err != nil {
		return nil, err
	}
	if o.Dir == "" {
		return nil, fmt.Errorf("start server %s: Options.Dir is empty: give a folder for its files", kind)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	path, installed := k.find()
	if !installed && o.Prefer == Real {
		return nil, fmt.Errorf("start server %s: no %s in PATH or %s: install it (%s), or allow the stand-in", kind, k.binary, strings.Join(k.folders, ", "), k.Install)
	}
	// Said at once, and not after a second of preparing the server's files.
	if _, _, err := freePort(o.Listen); err != nil {
		return nil, fmt.Errorf("start server %s: %w", kind, err)
	}
	var s *Server
	if installed && o.Prefer != Standin {
		s, err = k.startReal(ctx, path, o)
	} else {
		s, err = k.startStandin(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("start server %s: %w", kind, err)
	}
	s.Kind, s.live = kind, map[string]bool{}
	o.Logger.Info("server started", zap.String("kind", kind), zap.String("address", s.Addr), zap.String("version", s.Version), zap.Bool("standin", s.Standin))
	return s, nil
}

// Namespace makes a private corner for one trial: a database of postgres and
// clickhouse, a database number of redis, a subject prefix of nats. The name
// must be 1 to 48 letters, digits and underscores, beginning with a letter, and
// not in use; letters are made small.
func (s *Server) Namespace(ctx context.Context, name string) (*Namespace, error) {
	name = strings.ToLower(name)
	if !validName(name) {
		return nil, fmt.Errorf("make namespace %q on %s: the name must be 1 to 48 letters, digits and underscores, beginning with a letter", name, s.Kind)
	}
	s.mu.Lock()
	taken := s.live[name]
	s.live[name] = true
	s.mu.Unlock()
	if taken {
		return nil, fmt.Errorf("make namespace %q on %s: the name is in use: drop it first or choose another", name, s.Kind)
	}
	ns, err := s.backend.namespace(ctx, name)
	if err != nil {
		s.release(name)
		return nil, fmt.Errorf("make namespace %q on %s: %w", name, s.Kind, err)
	}
	ns.Drop = s.dropOnce(name, ns.Drop)
	return ns, nil
}

// dropOnce makes Drop idempotent: a drop that succeeded is not done again, as
// the name may belong to somebody else by then.
func (s *Server) dropOnce(name string, drop func(context.Context) error) func(context.Context) error {
	var mu sync.Mutex
	dropped := false
	return func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if dropped {
			return nil
		}
		if err := drop(ctx); err != nil {
			return fmt.Errorf("drop namespace %q on %s: %w", name, s.Kind, err)
		}
		dropped = true
		s.release(name)
		return nil
	}
}

func (s *Server) release(name string) {
	s.mu.Lock()
	delete(s.live, name)
	s.mu.Unlock()
}

// Stop ends the server and all it has started, and frees its port. It takes at
// most 20 seconds, or until ctx ends; a server that does not go is killed. It
// may be called again, and gives the same answer.
func (s *Server) Stop(ctx context.Context) error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		if err := s.backend.stop(ctx); err != nil {
			s.stopErr = fmt.Errorf("stop server %s at %s: %w", s.Kind, s.Addr, err)
		}
	})
	return s.stopErr
}

func validName(name string) bool {
	if name == "" || len(name) > 48 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// listen opens the address of Options.Listen.
func listen(address string) (net.Listener, error) {
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use: stop what listens there, or leave the address out to get a free port: %w", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: give a host:port of this machine, or leave it out to get a free port: %w", address, err)
	}
	return l, nil
}

// freePort finds the host and port for a server that listens by itself. For a
// free port there is a moment in which somebody else can take it: whoever
// starts the server tries again then.
func freePort(address string) (host, port string, err error) {
	l, err := listen(address)
	if err != nil {
		return "", "", err
	}
	host, port, err = net.SplitHostPort(l.Addr().String())
	return host, port, errors.Join(err, l.Close())
}
