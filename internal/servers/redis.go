package servers

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

func redisKind() Kind {
	return Kind{
		Name:    "redis",
		Doc:     "Redis without persistence and password, with 4096 databases. A namespace is a database number; number 0 belongs to nobody.",
		Standin: "miniredis, in this process: the common commands, expiry, transactions, scripts and pub/sub; no persistence, cluster, replication or modules",
		binary:  "redis-server", folders: []string{"/usr/bin", "/usr/local/bin", "/usr/sbin"}, Install: "apt-get install redis-server",
		startReal: startRedis, startStandin: startMiniredis,
	}
}

// redisDatabases is how many databases a Redis has here: one for each
// namespace, and number 0.
const redisDatabases = 4096

type redisServer struct {
	*daemon
	home    *home
	numbers *numbers
	addr    string
}

func startRedis(ctx context.Context, path string, o Options) (*Server, error) {
	h, err := newHome(o, "redis", "redis")
	if err != nil {
		return nil, err
	}
	var s *Server
	for range attempts {
		if s, err = runRedis(ctx, path, h, o); err == nil || !retryable(err, o) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, h.remove())
	}
	return s, nil
}

func runRedis(ctx context.Context, path string, h *home, o Options) (*Server, error) {
	host, port, err := freePort(o.Listen)
	if err != nil {
		return nil, err
	}
	d, err := launch(command{home: h, signal: syscall.SIGTERM, argv: []string{
		path, "--bind", host, "--port", port, "--databases", "4096", "--save", "", "--appendonly", "no", "--dir", h.dir,
		"--daemonize", "no", "--protected-mode", "no", "--loglevel", "notice",
	}}, o)
	if err != nil {
		return nil, err
	}
	r := &redisServer{daemon: d, home: h, addr: net.JoinHostPort(host, port), numbers: newNumbers(redisDatabases)}
	var version string
	err = d.await(ctx, func(ctx context.Context) error {
		// The client library dials five times and writes to stderr; ask first
		// whether anybody listens.
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.addr)
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
		version, err = redisVersion(ctx, r.addr)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, d.stop(context.WithoutCancel(ctx)))
	}
	return &Server{Addr: r.addr, Version: "Redis " + version, Vars: redisVars("0"), Dir: h.dir, backend: r}, nil
}

func redisVars(database string) map[string]string {
	return map[string]string{"database": database, "user": "", "password": ""}
}

// withRedis opens one connection, to one database.
func withRedis(ctx context.Context, addr string, database int, f func(*redis.Client) error) error {
	c := redis.NewClient(&redis.Options{Addr: addr, DB: database, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
	return errors.Join(f(c), c.Close())
}

// redisVersion asks for a PONG and the version.
func redisVersion(ctx context.Context, addr string) (version string, err error) {
	err = withRedis(ctx, addr, 0, func(c *redis.Client) error {
		if err := c.Ping(ctx).Err(); err != nil {
			return err
		}
		info, err := c.Info(ctx, "server").Result()
		for line := range strings.Lines(info) {
			if v, found := strings.CutPrefix(line, "redis_version:"); found {
				version = strings.TrimSpace(v)
			}
		}
		return err
	})
	return version, err
}

func (r *redisServer) namespace(ctx context.Context, _ string) (*Namespace, error) {
	return r.numbers.namespace(func(ctx context.Context, database int) error {
		return withRedis(ctx, r.addr, database, func(c *redis.Client) error { return c.FlushDB(ctx).Err() })
	})
}

func (r *redisServer) stop(ctx context.Context) error {
	return errors.Join(r.daemon.stop(ctx), r.home.remove())
}
