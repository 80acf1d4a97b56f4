package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const serverStart = 60 * time.Second

// serverSet is one real server of each kind. An address is "" where the server
// is not installed.
type serverSet struct {
	postgres, redis, clickhouse, auth, llm string
	running                                []*server
	names                                  atomic.Int64
}

func startServers(dir string) (*serverSet, error) {
	set := &serverSet{}
	for _, start := range []func(string) error{set.startPostgres, set.startRedis, set.startClickHouse, set.startHelpers} {
		if err := start(dir); err != nil {
			return set, err
		}
	}
	return set, nil
}

func (set *serverSet) stop() {
	for _, s := range set.running {
		s.stop()
	}
	set.running = nil
}

// need skips, or under CHAOS_REQUIRE_SERVERS=1 fails, without the servers.
func need(t *testing.T, addresses ...string) {
	t.Helper()
	for _, a := range addresses {
		if a != "" {
			continue
		}
		if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" {
			t.Fatal("a real server is missing: install postgresql, redis-server and clickhouse-server")
		}
		t.Skip("a real server is not installed (postgresql, redis-server, clickhouse-server)")
	}
}

func (set *serverSet) startPostgres(dir string) error {
	bin := findPostgres()
	if bin == "" {
		return nil
	}
	data := filepath.Join(dir, "postgres")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	attr, err := unprivileged(data)
	if err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "app", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
	initdb.SysProcAttr, initdb.Dir = attr, data
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return set.add(&set.postgres, regexp.MustCompile("ready to accept connections"), func(port string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port,
			"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "synchronous_commit=off",
			"-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
		cmd.SysProcAttr, cmd.Dir = attr, data
		return cmd
	})
}

func (set *serverSet) startRedis(dir string) error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil
	}
	return set.add(&set.redis, regexp.MustCompile("Ready to accept connections"), func(port string) *exec.Cmd {
		return exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
			"--dir", dir, "--databases", "512")
	})
}

const clickHouseConfig = `<yandex><logger><level>information</level><console>1</console></logger>
<listen_host>127.0.0.1</listen_host><http_port>%[2]s</http_port><path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path>
<mark_cache_size>67108864</mark_cache_size><users_config>%[1]s/config.xml</users_config>
<users><default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users>
<profiles><default/></profiles><quotas><default/></quotas></yandex>`

func (set *serverSet) startClickHouse(dir string) error {
	if _, err := exec.LookPath("clickhouse-server"); err != nil {
		return nil
	}
	home := filepath.Join(dir, "clickhouse")
	if err := os.Mkdir(home, 0o755); err != nil {
		return err
	}
	return set.add(&set.clickhouse, regexp.MustCompile("Ready for connections"), func(port string) *exec.Cmd {
		config := filepath.Join(home, "config.xml")
		if err := os.WriteFile(config, fmt.Appendf(nil, clickHouseConfig, home, port), 0o644); err != nil {
			panic(err)
		}
		return exec.Command("clickhouse-server", "--config-file="+config)
	})
}

func (set *serverSet) startHelpers(string) error {
	for name, address := range map[string]*string{"auth-server": &set.auth, "llm-server": &set.llm} {
		err := set.add(address, regexp.MustCompile("listening on"), func(port string) *exec.Cmd {
			return exec.Command(binary, name, "--listen", "127.0.0.1:"+port)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// add starts a server on a free port; another process may take the port in
// between, so it is tried more than once.
func (set *serverSet) add(address *string, ready *regexp.Regexp, command func(port string) *exec.Cmd) error {
	var last error
	for range 3 {
		port, err := freePort()
		if err != nil {
			return err
		}
		s, err := startServer(command(port), ready)
		if err == nil {
			*address = "127.0.0.1:" + port
			set.running = append(set.running, s)
			return nil
		}
		last = err
	}
	return last
}

// server is a process that said it is ready.
type server struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

func startServer(cmd *exec.Cmd, ready *regexp.Regexp) (*server, error) {
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, exited: make(chan struct{})}
	up, log := make(chan struct{}), make(chan string, 1)
	go func() { _ = cmd.Wait(); _ = in.Close(); close(s.exited) }()
	go func() {
		var tail string
		var once sync.Once
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if ready.MatchString(lines.Text()) {
				once.Do(func() { close(up) })
			}
			tail = lines.Text()
		}
		log <- tail
	}()
	select {
	case <-up:
		return s, nil
	case tail := <-log:
		return nil, fmt.Errorf("%s ended before it was ready: %s", cmd.Path, tail)
	case <-time.After(serverStart):
		s.stop()
		return nil, fmt.Errorf("%s was not ready after %s", cmd.Path, serverStart)
	}
}

func (s *server) stop() {
	sig := syscall.SIGTERM
	if filepath.Base(s.cmd.Path) == "postgres" {
		sig = syscall.SIGINT // fast: does not wait for sessions
	}
	_ = s.cmd.Process.Signal(sig)
	select {
	case <-s.exited:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func findPostgres() string {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// unprivileged gives dir to a user that PostgreSQL agrees to run as.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(errU, errG, os.Chown(dir, int(uid), int(gid))); err != nil {
			return nil, err
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// database makes a fresh database and returns its name.
func database(t *testing.T) string {
	t.Helper()
	need(t, servers.postgres)
	name := fmt.Sprintf("t%d", servers.names.Add(1))
	query(t, "postgres", "CREATE DATABASE "+name)
	return name
}

// query runs one statement in a database and returns the first column as text.
func query(t *testing.T, database, sql string, args ...any) []string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, "postgres://app@"+servers.postgres+"/"+database+"?sslmode=disable")
	require.NoError(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return values
}
