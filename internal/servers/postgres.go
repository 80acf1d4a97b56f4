package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func postgresKind() Kind {
	return Kind{
		Name: "postgres",
		Doc: "PostgreSQL in a fresh cluster without durability (fsync off) and with trust authentication: user app, database app. " +
			"A namespace is a database.",
		Standin: "PostgreSQL's wire protocol over SQLite: start-up, authentication, both query protocols, transactions, SQLSTATEs, databases and " +
			"advisory locks are true; types beyond the common ones, functions, arrays, COPY, LISTEN, row locks and isolation are not, and pg_sleep fails",
		binary: "postgres", folders: []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin"},
		Install:   "apt-get install postgresql",
		startReal: startPostgres, startStandin: startLitePG,
	}
}

// databaseUser is the user, and the first database, of every PostgreSQL here.
const databaseUser = "app"

type postgres struct {
	*daemon
	home *home
	pool *pgxpool.Pool
	// Before version 13 DROP DATABASE has no FORCE.
	force bool
}

func startPostgres(ctx context.Context, path string, o Options) (*Server, error) {
	h, err := newHome(o, "postgres", "postgres")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(h.dir, "data")
	initdb, err := beside(path, "initdb")
	if err != nil {
		return nil, errors.Join(err, h.remove())
	}
	err = runTool(ctx, command{home: h, argv: []string{
		initdb, "--pgdata", data, "--username", databaseUser, "--auth", "trust", "--no-sync", "--locale", "C", "--encoding", "UTF8",
	}}, o)
	if err != nil {
		return nil, errors.Join(err, h.remove())
	}
	var s *Server
	for range attempts {
		if s, err = runPostgres(ctx, path, data, h, o); err == nil || !retryable(err, o) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, h.remove())
	}
	return s, nil
}

// beside finds a tool in the folder of a server: where it was found, or where
// that is a link to.
func beside(path, tool string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	for _, p := range []string{path, real} {
		found := filepath.Join(filepath.Dir(p), tool)
		if _, err := os.Stat(found); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("there is no %s beside %s: install the whole server", tool, path)
}

// postgresSettings make a server that forgets everything quickly. Autovacuum
// would sit in the template while databases are made from it.
var postgresSettings = []string{
	"unix_socket_directories=", "fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=400", "autovacuum=off",
	"wal_level=minimal", "max_wal_senders=0", "shared_buffers=64MB", "log_min_messages=warning", "max_worker_processes=2",
}

func runPostgres(ctx context.Context, path, data string, h *home, o Options) (*Server, error) {
	host, port, err := freePort(o.Listen)
	if err != nil {
		return nil, err
	}
	argv := []string{path, "-D", data, "-h", host, "-p", port}
	for _, setting := range postgresSettings {
		argv = append(argv, "-c", setting)
	}
	// SIGINT is the fast shutdown: sessions are ended, nobody is waited for.
	d, err := launch(command{argv: argv, home: h, signal: syscall.SIGINT}, o)
	if err != nil {
		return nil, err
	}
	p := &postgres{daemon: d, home: h}
	addr := net.JoinHostPort(host, port)
	version, err := p.connect(ctx, addr)
	if err != nil {
		return nil, errors.Join(err, p.shutdown(context.WithoutCancel(ctx)))
	}
	return &Server{Addr: addr, Version: "PostgreSQL " + version, Vars: postgresVars(databaseUser), Dir: h.dir, backend: p}, nil
}

func postgresVars(database string) map[string]string {
	return map[string]string{"database": database, "user": databaseUser, "password": ""}
}

// connect waits until the server answers, and makes the first database.
func (p *postgres) connect(ctx context.Context, addr string) (version string, err error) {
	config, err := pgxpool.ParseConfig(fmt.Sprintf("postgres://%s@%s/postgres?sslmode=disable&pool_max_conns=4", databaseUser, addr))
	if err != nil {
		return "", err
	}
	// Names are not parameters in CREATE DATABASE: nothing to prepare.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if p.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), config); err != nil {
		return "", err
	}
	var number int
	err = p.await(ctx, func(ctx context.Context) error {
		return p.pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('server_version_num')::int").Scan(&version, &number)
	})
	if err != nil {
		return "", err
	}
	// Debian adds the name of its package: 15.18 (Debian 15.18-0+deb12u1).
	version, _, _ = strings.Cut(version, " ")
	p.force = number >= 130000
	if _, err = p.pool.Exec(ctx, "CREATE DATABASE "+databaseUser); err != nil {
		return "", fmt.Errorf("make database %s: %w", databaseUser, err)
	}
	return version, nil
}

func (p *postgres) namespace(ctx context.Context, name string) (*Namespace, error) {
	identifier := pgx.Identifier{name}.Sanitize()
	if _, err := p.pool.Exec(ctx, "CREATE DATABASE "+identifier+" TEMPLATE template0"); err != nil {
		return nil, err
	}
	drop := func(ctx context.Context) error {
		if p.force {
			_, err := p.pool.Exec(ctx, "DROP DATABASE IF EXISTS "+identifier+" WITH (FORCE)")
			return err
		}
		if _, err := p.pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name); err != nil {
			return err
		}
		_, err := p.pool.Exec(ctx, "DROP DATABASE IF EXISTS "+identifier)
		return err
	}
	return &Namespace{Vars: postgresVars(name), Drop: drop}, nil
}

func (p *postgres) stop(ctx context.Context) error {
	return errors.Join(p.shutdown(ctx), p.home.remove())
}

func (p *postgres) shutdown(ctx context.Context) error {
	// The server first: the pool's Close waits for queries that still run.
	err := p.daemon.stop(ctx)
	if p.pool != nil {
		p.pool.Close()
	}
	return err
}
