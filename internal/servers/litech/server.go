// Package litech is a stand-in for ClickHouse: its HTTP interface in front of
// SQLite in memory, in this process.
//
// True are /ping, the query parameters and headers, databases, CREATE, ALTER ...
// ADD COLUMN, DROP and TRUNCATE of tables, INSERT with VALUES, JSONEachRow,
// TabSeparated and CSV, simple SELECTs with the common output formats, system
// tables for databases, tables and columns, and the error codes of what start-up
// code meets. Not true are engines, merges, materialised views, arrays, most
// functions, and the native protocol. It refuses to pretend: what it lacks is an
// error with its own name in it.
package litech

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// Name is what the stand-in calls itself, everywhere.
const Name = "ClickHouse HTTP interface over SQLite, not ClickHouse"

// version is what SELECT version() answers; clients read the number.
const version = "18.16.1 (" + Name + ")"

// Server is a running stand-in. Its methods are safe for concurrent use.
type Server struct {
	http    *http.Server
	db      *sql.DB
	served  chan struct{}
	failure error // of Serve, after served is closed
	once    sync.Once
	err     error
}

// system are the tables that describe the others.
var system = []string{
	`CREATE TABLE "system.databases" (name "String TEXT" PRIMARY KEY, engine "String TEXT" DEFAULT 'Ordinary')`,
	`CREATE TABLE "system.tables" (database "String TEXT", name "String TEXT", engine "String TEXT", PRIMARY KEY (database, name))`,
	`CREATE TABLE "system.columns" (database "String TEXT", "table" "String TEXT", name "String TEXT", type "String TEXT", position UInt64)`,
	`CREATE TABLE "system.one" (dummy UInt8)`,
	`INSERT INTO "system.one" VALUES (0)`,
	`INSERT INTO "system.databases" (name) VALUES ('default'), ('system')`,
}

// Start serves on l, which the server closes. The database default exists.
func Start(l net.Listener) (*Server, error) {
	db := sql.OpenDB(connector{})
	// One connection is the database: it lives in memory. It also makes every
	// statement wait for the one before it.
	db.SetMaxOpenConns(1)
	s := &Server{db: db, served: make(chan struct{})}
	for _, statement := range system {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare the system tables: %w", err), db.Close(), l.Close())
		}
	}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(s.served)
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failure = err
		}
	}()
	return s, nil
}

// Close ends every request and frees the port. It may be called again.
func (s *Server) Close() error {
	s.once.Do(func() {
		err := s.http.Close()
		<-s.served
		s.err = errors.Join(err, s.failure, s.db.Close())
	})
	return s.err
}

// connector opens SQLite with the functions of ClickHouse, on a driver of its
// own: nothing is registered for the whole process.
type connector struct{}

func (connector) Connect(context.Context) (driver.Conn, error) {
	d := &sqlite.Driver{}
	for name, f := range functions {
		err := d.RegisterScalarFunction(name, -1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			return f(args)
		})
		if err != nil {
			return nil, err
		}
	}
	return d.Open(":memory:?_dqs=0")
}

func (connector) Driver() driver.Driver { return &sqlite.Driver{} }
