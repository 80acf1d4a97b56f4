// Package litepg is a stand-in for PostgreSQL: its wire protocol in front of
// SQLite, in this process.
//
// True are the start-up, trust authentication, the simple and the extended
// protocol with typed parameters, transactions and their status, SQLSTATEs,
// databases, cancel requests and advisory locks. Not true are PostgreSQL's
// grammar beyond what is rewritten here, its types beyond the common ones, row
// locks and isolation (one transaction writes at a time), and its catalogue. It
// refuses to pretend: what it lacks is an error (0A000) with its own name in it,
// and its version says that it is not PostgreSQL.
package litepg

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	wire "github.com/jeroenrinzema/psql-wire"
)

// Name is what the stand-in calls itself, everywhere.
const Name = "PostgreSQL wire protocol over SQLite, not PostgreSQL"

// PostgreSQLVersion is the version whose protocol and messages are followed.
const PostgreSQLVersion = "15.0"

// VersionFunction is what SELECT version() answers. Drivers look for the number.
const VersionFunction = "PostgreSQL " + PostgreSQLVersion + " (" + Name + ")"

// Server is a running stand-in. Its methods are safe for concurrent use.
type Server struct {
	dir     string
	locks   *advisoryLocks
	wire    *wire.Server
	conns   *connections
	served  chan struct{}
	failure error // of Serve, after served is closed

	mu        sync.Mutex
	databases map[string]string // name to file
	made      int
	sessions  map[*session]bool
	nextPID   int32
	closed    bool
}

// Start serves on l, which the server closes. Databases are files in dir, which
// must exist; those called app and postgres exist from the start.
func Start(l net.Listener, dir string) (*Server, error) {
	s := &Server{
		dir: dir, locks: newAdvisoryLocks(), served: make(chan struct{}),
		databases: map[string]string{}, sessions: map[*session]bool{}, nextPID: 1000,
	}
	for _, name := range []string{"postgres", "app"} {
		if err := s.CreateDatabase(name); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	w, err := s.newWire()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the PostgreSQL protocol: %w", err), l.Close())
	}
	s.wire, s.conns = w, newConnections(l)
	go func() {
		defer close(s.served)
		s.failure = w.Serve(s.conns)
	}()
	return s, nil
}

func (srv *Server) newWire() (*wire.Server, error) {
	return wire.NewServer(srv.parse,
		wire.Logger(slog.New(slog.DiscardHandler)),
		wire.GlobalParameters(wire.Parameters{
			"standard_conforming_strings": "on", "integer_datetimes": "on", "DateStyle": "ISO, MDY", "TimeZone": "UTC",
			"IntervalStyle": "postgres", "default_transaction_read_only": "off", "in_hot_standby": "off",
		}),
		wire.SessionAuthStrategy(srv.authenticate),
		wire.SessionMiddleware(srv.openSession),
		wire.BackendKeyData(backendKey),
		wire.CancelRequest(srv.cancelRequest),
		wire.TxStatus(txStatus),
		wire.SyncConn(syncSession),
		wire.CloseConn(srv.closeSession),
	)
}

// CreateDatabase makes an empty database. The error has SQLSTATE 42P04 when the
// name is taken.
func (srv *Server) CreateDatabase(name string) error {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if _, taken := srv.databases[name]; taken {
		return newError(duplicateDB, "database %q already exists", name)
	}
	srv.made++
	srv.databases[name] = filepath.Join(srv.dir, fmt.Sprintf("database-%d.sqlite", srv.made))
	return nil
}

// DropDatabase removes a database. Open sessions are ended when force is set,
// and are an error (55006) otherwise.
func (srv *Server) DropDatabase(name string, ifExists, force bool) error {
	srv.mu.Lock()
	path, known := srv.databases[name]
	var open []*session
	for s := range srv.sessions {
		if s.database == name {
			open = append(open, s)
		}
	}
	switch {
	case !known && ifExists:
		srv.mu.Unlock()
		return nil
	case !known:
		srv.mu.Unlock()
		return newError(unknownDatabase, "database %q does not exist", name)
	case len(open) > 0 && !force:
		srv.mu.Unlock()
		return newError("55006", "database %q is being accessed by other users", name)
	}
	delete(srv.databases, name)
	srv.mu.Unlock()
	for _, s := range open {
		s.stop()
		srv.conns.closeRemote(s.remote)
	}
	// Sessions that are just ending keep their open files; the names go now.
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("drop database %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Close ends every session and frees the port. It returns when nothing runs any
// more, or with an error when ctx ends first. It may be called again.
func (srv *Server) Close(ctx context.Context) error {
	srv.mu.Lock()
	srv.closed = true
	for s := range srv.sessions {
		s.stop()
	}
	srv.mu.Unlock()
	srv.conns.closeAll()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.wire.Close()
		<-srv.served
		srv.wire.Wait()
	}()
	select {
	case <-done:
		return srv.failure
	case <-ctx.Done():
		return fmt.Errorf("stop the PostgreSQL stand-in: a session does not end: %w", ctx.Err())
	}
}

// newSession registers a session for a database that exists.
func (srv *Server) newSession(database, user, remote string) (*session, bool) {
	var secret [4]byte
	_, _ = rand.Read(secret[:])
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if _, known := srv.databases[database]; !known {
		return nil, false
	}
	srv.nextPID++
	s := &session{
		server: srv, database: database, user: user, remote: remote, pid: srv.nextPID,
		secret: int32(binary.BigEndian.Uint32(secret[:])), settings: map[string]string{}, // #nosec G115 -- random bits
	}
	return s, true
}

// admit counts a session among the open ones and gives its database's file.
func (srv *Server) admit(s *session) (string, error) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	path, known := srv.databases[s.database]
	if srv.closed {
		return "", newError("57P03", "the database system is shutting down")
	}
	if !known {
		return "", newError(unknownDatabase, "database %q does not exist", s.database)
	}
	srv.sessions[s] = true
	return path, nil
}

func (srv *Server) forget(s *session) {
	srv.mu.Lock()
	delete(srv.sessions, s)
	srv.mu.Unlock()
}
