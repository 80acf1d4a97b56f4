package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

func clickhouseKind() Kind {
	return Kind{
		Name: "clickhouse",
		Doc:  "ClickHouse's HTTP interface, user default without password, small caches. A namespace is a database.",
		Standin: "ClickHouse's HTTP interface over SQLite: databases, tables, INSERT in the common formats, simple SELECTs and the error codes are true; " +
			"engines, merges, materialised views, arrays, most functions and the native protocol are not",
		binary: "clickhouse-server", folders: []string{"/usr/sbin", "/usr/bin", "/usr/local/bin"}, Install: "apt-get install clickhouse-server",
		startReal: startClickHouse, startStandin: startLiteCH,
	}
}

type clickhouse struct {
	*daemon
	home *home
	addr string
}

// clickhouseConfig is all that the server needs to be told: it refuses to start
// without users, profiles and quotas, and its default caches are gigabytes.
const clickhouseConfig = `<?xml version="1.0"?>
<yandex>
	<logger><level>warning</level><console>1</console></logger>
	<http_port>%[2]s</http_port>
	<tcp_port>%[3]s</tcp_port>
	<interserver_http_port>%[4]s</interserver_http_port>
	<interserver_http_host>127.0.0.1</interserver_http_host>
	<listen_host>%[5]s</listen_host>
	<max_connections>512</max_connections>
	<mark_cache_size>16777216</mark_cache_size>
	<uncompressed_cache_size>0</uncompressed_cache_size>
	<path>%[1]s/data/</path>
	<tmp_path>%[1]s/tmp/</tmp_path>
	<user_files_path>%[1]s/files/</user_files_path>
	<format_schema_path>%[1]s/schemas/</format_schema_path>
	<users_config>%[1]s/users.xml</users_config>
	<default_profile>default</default_profile>
	<default_database>default</default_database>
</yandex>
`

const clickhouseUsers = `<?xml version="1.0"?>
<yandex>
	<profiles><default><max_memory_usage>1000000000</max_memory_usage></default></profiles>
	<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users>
	<quotas><default></default></quotas>
</yandex>
`

func startClickHouse(ctx context.Context, path string, o Options) (*Server, error) {
	h, err := newHome(o, "clickhouse", "clickhouse")
	if err != nil {
		return nil, err
	}
	var s *Server
	for range attempts {
		if s, err = runClickHouse(ctx, path, h, o); err == nil || !retryable(err, o) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, h.remove())
	}
	return s, nil
}

func runClickHouse(ctx context.Context, path string, h *home, o Options) (*Server, error) {
	host, port, err := freePort(o.Listen)
	if err != nil {
		return nil, err
	}
	config, err := writeClickHouseConfig(h, host, port)
	if err != nil {
		return nil, err
	}
	d, err := launch(command{home: h, signal: syscall.SIGTERM, argv: []string{path, "--config-file=" + config}}, o)
	if err != nil {
		return nil, err
	}
	c := &clickhouse{daemon: d, home: h, addr: net.JoinHostPort(host, port)}
	var version string
	err = d.await(ctx, func(ctx context.Context) error {
		version, err = askClickHouse(ctx, c.addr, "SELECT version()")
		return err
	})
	if err != nil {
		return nil, errors.Join(err, d.stop(context.WithoutCancel(ctx)))
	}
	return &Server{Addr: c.addr, Version: "ClickHouse " + strings.TrimSpace(version), Vars: clickhouseVars("default"), Dir: h.dir, backend: c}, nil
}

func writeClickHouseConfig(h *home, host, port string) (string, error) {
	// Nobody is told of these two, but the server wants them to be its own.
	_, native, err := freePort(net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	_, peers, err := freePort(net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	if _, err := h.write("users.xml", clickhouseUsers); err != nil {
		return "", err
	}
	return h.write("config.xml", fmt.Sprintf(clickhouseConfig, h.dir, port, native, peers, host))
}

func clickhouseVars(database string) map[string]string {
	return map[string]string{"database": database, "user": "default", "password": ""}
}

// askClickHouse runs a query over HTTP, on a connection of its own.
func askClickHouse(ctx context.Context, addr, query string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	u := url.URL{Scheme: "http", Host: addr, Path: "/"}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(query))
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", query, resp.Status, strings.TrimSpace(string(body)))
	}
	return string(body), err
}

// clickhouseNamespace makes a database; the server and the stand-in do it alike.
func clickhouseNamespace(ctx context.Context, addr, name string) (*Namespace, error) {
	if _, err := askClickHouse(ctx, addr, "CREATE DATABASE `"+name+"`"); err != nil {
		return nil, err
	}
	drop := func(ctx context.Context) error {
		_, err := askClickHouse(ctx, addr, "DROP DATABASE IF EXISTS `"+name+"`")
		return err
	}
	return &Namespace{Vars: clickhouseVars(name), Drop: drop}, nil
}

func (c *clickhouse) namespace(ctx context.Context, name string) (*Namespace, error) {
	return clickhouseNamespace(ctx, c.addr, name)
}

func (c *clickhouse) stop(ctx context.Context) error {
	return errors.Join(c.daemon.stop(ctx), c.home.remove())
}
