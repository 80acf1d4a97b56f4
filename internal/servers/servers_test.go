package servers

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var kindNames = []string{"postgres", "redis", "clickhouse", "nats"}

func TestKindsAreDescribed(t *testing.T) {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
		assert.NotEmpty(t, k.Doc)
		assert.NotEmpty(t, k.Standin)
		assert.NotEmpty(t, k.Install)
	}
	assert.Equal(t, kindNames, names)
}

// Every server says what it is and listens on the loopback address.
func TestEveryServerSaysWhatItIs(t *testing.T) {
	versions := map[string][2]string{
		"postgres":   {`^PostgreSQL \d+(\.\d+)?$`, `^PostgreSQL wire protocol over SQLite, not PostgreSQL$`},
		"redis":      {`^Redis \d+\.\d+\.\d+$`, `^miniredis .* not Redis$`},
		"clickhouse": {`^ClickHouse \d+\.\d+`, `^ClickHouse HTTP interface over SQLite, not ClickHouse$`},
		"nats":       {`^nats-server \d+\.\d+\.\d+$`, `^nats-server \d+\.\d+\.\d+, in this process$`},
	}
	for _, kind := range kindNames {
		t.Run(kind, func(t *testing.T) {
			each(t, kind, func(t *testing.T, s *Server) {
				want := versions[kind][0]
				if s.Standin {
					want = versions[kind][1]
				}
				assert.Regexp(t, regexp.MustCompile(want), s.Version)
				assert.Equal(t, kind, s.Kind)
				assert.Contains(t, s.Vars, "database")
				assert.DirExists(t, s.Dir)
				host, _, err := net.SplitHostPort(s.Addr)
				require.NoError(t, err)
				assert.Equal(t, "127.0.0.1", host)
			})
		})
	}
}

// The port is bound while a server runs and free afterwards; stopping it twice
// is stopping it once.
func TestStopFreesThePort(t *testing.T) {
	for _, kind := range kindNames {
		for _, prefer := range []Preference{Auto, Standin} {
			s := start(t, kind, Options{Dir: t.TempDir(), Prefer: prefer})
			_, err := listen(s.Addr)
			require.ErrorContains(t, err, "in use", kind)
			require.NoError(t, s.Stop(context.Background()))
			require.NoError(t, s.Stop(context.Background()))
			l, err := listen(s.Addr)
			require.NoError(t, err, "%s: the port is free again", kind)
			require.NoError(t, l.Close())
		}
	}
}

// What is started is told to Watch, carries the marker, does not run as root and
// is gone after Stop.
func TestProcessesAreWatchedAndGone(t *testing.T) {
	for _, kind := range kindNames {
		t.Run(kind, func(t *testing.T) {
			needs(t, kind)
			var mu sync.Mutex
			var groups []int
			s := start(t, kind, Options{Dir: t.TempDir(), Prefer: Real, Marker: "servers-test", Watch: func(marker string, pgid int) {
				mu.Lock()
				defer mu.Unlock()
				assert.Equal(t, "servers-test", marker)
				groups = append(groups, pgid)
			}})
			mu.Lock()
			last := groups[len(groups)-1]
			mu.Unlock()
			p, err := process.NewProcess(int32(last)) // #nosec G115 -- a pid
			require.NoError(t, err)
			uids, err := p.Uids()
			require.NoError(t, err)
			assert.NotContains(t, uids, uint32(0))
			environ, err := p.Environ()
			require.NoError(t, err)
			if kind != "redis" { // it writes its title over its environment; its group is known
				assert.Contains(t, environ, "CHAOS_TRIAL=servers-test")
			}
			children, _ := p.Children()
			require.NoError(t, s.Stop(context.Background()))
			for _, c := range append(children, p) {
				running, err := process.PidExists(c.Pid)
				require.NoError(t, err)
				assert.False(t, running, "pid %d", c.Pid)
			}
		})
	}
}

// The folder a server made for itself, because its user may not enter the
// caller's, goes with it; a folder that can be entered is used.
func TestFolders(t *testing.T) {
	needs(t, "redis")
	private := filepath.Join(t.TempDir(), "private")
	require.NoError(t, os.Mkdir(private, 0o700))
	s := start(t, "redis", Options{Dir: private, Prefer: Real})
	if os.Geteuid() == 0 {
		assert.NotContains(t, s.Dir, private)
	}
	require.NoError(t, s.Stop(context.Background()))
	if os.Geteuid() == 0 {
		assert.NoDirExists(t, s.Dir)
	}
	open, err := os.MkdirTemp("", "chaos-servers-test-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	require.NoError(t, os.Chmod(open, 0o755)) // #nosec G302 -- so that another user may enter
	s = start(t, "redis", Options{Dir: open, Prefer: Real})
	assert.Equal(t, filepath.Join(open, "redis"), s.Dir)
}

func TestNamespacesAreNamedWell(t *testing.T) {
	s := start(t, "redis", Options{Dir: t.TempDir(), Prefer: Standin})
	for _, name := range []string{"", "1a", "a b", "a-b", "a;drop", `a"`, strings.Repeat("a", 49), "ä"} {
		_, err := s.Namespace(t.Context(), name)
		assert.ErrorContains(t, err, "letters, digits and underscores", name)
	}
	ns := namespace(t, s, "T1")
	_, err := s.Namespace(t.Context(), "t1")
	require.ErrorContains(t, err, "in use")
	require.NoError(t, ns.Drop(t.Context()))
	require.NoError(t, ns.Drop(t.Context()), "again")
	again := namespace(t, s, "t1")
	require.NoError(t, ns.Drop(t.Context()), "a second drop leaves the name's next owner alone")
	_, err = s.Namespace(t.Context(), "t1")
	require.ErrorContains(t, err, "in use")
	require.NoError(t, again.Drop(t.Context()))
}

// Eight trials make and drop corners at the same time.
func TestNamespacesAtOnce(t *testing.T) {
	for _, kind := range kindNames {
		t.Run(kind, func(t *testing.T) {
			each(t, kind, func(t *testing.T, s *Server) {
				errs := make(chan error, 8)
				for _, name := range strings.Split("abcdefgh", "") {
					go func() {
						for range 2 {
							ns, err := s.Namespace(t.Context(), name)
							if err == nil {
								err = ns.Drop(t.Context())
							}
							if err != nil {
								errs <- err
								return
							}
						}
						errs <- nil
					}()
				}
				for range 8 {
					assert.NoError(t, <-errs)
				}
			})
		})
	}
}

func TestAnAddressInUseIsSaid(t *testing.T) {
	taken, err := listen("")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	for _, kind := range kindNames {
		for _, prefer := range []Preference{Auto, Standin} {
			_, err := Start(t.Context(), kind, Options{Dir: t.TempDir(), Prefer: prefer, Listen: taken.Addr().String()})
			require.ErrorContains(t, err, "start server "+kind)
			require.ErrorContains(t, err, taken.Addr().String()+" is in use: stop what listens there")
		}
	}
}

func TestMistakesAreSaid(t *testing.T) {
	_, err := Start(t.Context(), "postgress", Options{Dir: t.TempDir()})
	require.ErrorContains(t, err, `server "postgress" is not known: choose one of postgres, redis, clickhouse, nats`)
	_, err = Start(t.Context(), "redis", Options{})
	require.ErrorContains(t, err, "Options.Dir is empty")
	_, err = Start(t.Context(), "redis", Options{Dir: t.TempDir(), Prefer: Standin, Listen: "192.0.2.1:1"})
	require.ErrorContains(t, err, "listen on 192.0.2.1:1: give a host:port of this machine")
	t.Setenv("PATH", t.TempDir())
	k := natsKind()
	k.folders = nil
	if _, found := k.find(); found {
		t.Fatal("found in an empty folder")
	}
	_, known := Find("oracle")
	assert.False(t, known)
}

// A server that dies at its start gives its last words, and leaves nothing.
func TestTheLogOfAServerThatDies(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, os.Chmod(bin, 0o755))               // #nosec G302 -- other users execute from it
	require.NoError(t, os.Chmod(filepath.Dir(bin), 0o755)) // #nosec G302 -- the same
	write := func(name, script string) string {
		path := filepath.Join(bin, name)
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755)) // #nosec G306 -- a program
		return path
	}
	bad := write("postgres", "echo FATAL: could not map anonymous shared memory >&2; exit 3\n")
	write("initdb", "exit 0\n")
	o := Options{Dir: t.TempDir()}
	o.Logger = nopLogger()
	_, err := startPostgres(t.Context(), bad, o)
	require.ErrorContains(t, err, "it ended with exit code 3 before it answered")
	require.ErrorContains(t, err, "could not map anonymous shared memory")
	write("initdb", "echo initdb: error: no space; exit 1\n")
	_, err = startPostgres(t.Context(), bad, o)
	require.ErrorContains(t, err, "initdb ended with exit code 1\n  initdb: error: no space")
	for name, begin := range map[string]func(context.Context, string, Options) (*Server, error){
		"redis-server": startRedis, "clickhouse-server": startClickHouse, "nats-server": startNATS,
	} {
		o.Dir = t.TempDir()
		_, err := begin(t.Context(), write(name, "echo the last words\nexit 1\n"), o)
		require.ErrorContains(t, err, "the last words", name)
	}
}

// A server that found its port taken is started again, on another.
func TestAPortLostToSomebodyElse(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, os.Chmod(bin, 0o777))               // #nosec G302 -- another user leaves a file there
	require.NoError(t, os.Chmod(filepath.Dir(bin), 0o755)) // #nosec G302 -- the same
	real, installed := Find("redis")
	if !installed {
		needs(t, "redis")
	}
	path := filepath.Join(bin, "redis-server")
	script := "#!/bin/sh\nif [ ! -e " + bin + "/tried ]; then touch " + bin + "/tried; echo bind: Address already in use; exit 1; fi\nexec " + real + ` "$@"` + "\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755)) // #nosec G306 -- a program
	s, err := startRedis(t.Context(), path, Options{Dir: t.TempDir(), Logger: nopLogger()})
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(bin, "tried"))
	require.NoError(t, s.backend.stop(t.Context()))
}

// A start that is cancelled leaves nothing (TestMain looks for goroutines, and
// the port is free).
func TestACancelledStart(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, os.Chmod(bin, 0o755))               // #nosec G302 -- other users execute from it
	require.NoError(t, os.Chmod(filepath.Dir(bin), 0o755)) // #nosec G302 -- the same
	path := filepath.Join(bin, "redis-server")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho waiting\nexec sleep 600\n"), 0o755)) // #nosec G306 -- a program
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var pid int
	_, err := startRedis(ctx, path, Options{Dir: t.TempDir(), Logger: nopLogger(), Watch: func(_ string, pgid int) { pid = pgid }})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "it does not answer")
	running, err := process.PidExists(int32(pid)) // #nosec G115 -- a pid
	require.NoError(t, err)
	assert.False(t, running)
}

func TestAToolBesideALinkedServer(t *testing.T) {
	dir := t.TempDir()
	real, linked := filepath.Join(dir, "real", "postgres"), filepath.Join(dir, "bin", "postgres")
	for _, d := range []string{real, linked} {
		require.NoError(t, os.MkdirAll(filepath.Dir(d), 0o750))
	}
	require.NoError(t, os.WriteFile(real, nil, 0o600))
	require.NoError(t, os.Symlink(real, linked))
	_, err := beside(linked, "initdb")
	require.ErrorContains(t, err, "there is no initdb beside "+linked)
	want := filepath.Join(dir, "real", "initdb")
	require.NoError(t, os.WriteFile(want, nil, 0o600))
	found, err := beside(linked, "initdb")
	require.NoError(t, err)
	assert.Equal(t, want, found)
}

func TestTheNewestVersionIsFound(t *testing.T) {
	root := t.TempDir()
	for _, v := range []string{"9.6", "13", "15"} {
		dir := filepath.Join(root, v, "bin")
		require.NoError(t, os.MkdirAll(dir, 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "chaos-test-server"), nil, 0o700)) // #nosec G306 -- a program
	}
	require.NoError(t, os.Mkdir(filepath.Join(root, "99"), 0o750))
	k := Kind{binary: "chaos-test-server", folders: []string{root + "/*/bin"}}
	path, ok := k.find()
	require.True(t, ok)
	assert.Equal(t, filepath.Join(root, "15", "bin", "chaos-test-server"), path)
}
