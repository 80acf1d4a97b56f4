package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/process"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// pool keeps one server of each kind and preference for the tests that only
// talk to it: some of them take a second to start.
var pool = map[string]*Server{}

func TestMain(m *testing.M) {
	if kinds := os.Getenv("CHAOS_TEST_RUNNER"); kinds != "" {
		actAsRunner(strings.Fields(kinds))
		return
	}
	dir, err := os.MkdirTemp("", "chaos-servers-test-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // #nosec G302 -- so that another user may enter
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	poolDir = dir
	code := m.Run()
	for _, s := range pool {
		err = errors.Join(err, s.Stop(context.Background()))
	}
	err = errors.Join(err, os.RemoveAll(dir), goleak.Find())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var poolDir string

// each runs a check on the installed server and on the stand-in of a kind. A
// server that is missing skips its half, or fails it where CHAOS_REQUIRE_SERVERS
// asks for all of them.
func each(t *testing.T, kind string, check func(t *testing.T, s *Server)) {
	t.Helper()
	for _, prefer := range []Preference{Real, Standin} {
		name := map[Preference]string{Real: "real", Standin: "standin"}[prefer]
		t.Run(name, func(t *testing.T) {
			if prefer == Real {
				needs(t, kind)
			}
			key := kind + "-" + name
			if pool[key] == nil {
				dir := filepath.Join(poolDir, key)
				require.NoError(t, os.Mkdir(dir, 0o711)) // #nosec G301 -- the same
				s, err := Start(t.Context(), kind, Options{Dir: dir, Prefer: prefer})
				require.NoError(t, err)
				pool[key] = s
			}
			check(t, pool[key])
		})
	}
}

func needs(t *testing.T, kind string) {
	t.Helper()
	if _, installed := Find(kind); installed {
		return
	}
	k, err := kindOf(kind)
	require.NoError(t, err)
	// Debian has no nats-server; its own code runs in the stand-in.
	if os.Getenv("CHAOS_REQUIRE_SERVERS") == "1" && kind != "nats" {
		t.Fatalf("CHAOS_REQUIRE_SERVERS=1, and there is no %s: %s", k.binary, k.Install)
	}
	t.Skipf("there is no %s: %s", k.binary, k.Install)
}

func start(t *testing.T, kind string, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), kind, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Stop(context.Background())) })
	return s
}

func namespace(t *testing.T, s *Server, name string) *Namespace {
	t.Helper()
	ns, err := s.Namespace(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ns.Drop(context.Background())) })
	return ns
}

// actAsRunner is the runner that TestAKilledRunner kills.
func actAsRunner(kinds []string) {
	for _, kind := range kinds {
		dir := filepath.Join(os.Getenv("CHAOS_TEST_DIR"), kind)
		err := os.Mkdir(dir, 0o711) // #nosec G301 -- so that another user may enter
		if err == nil {
			_, err = Start(context.Background(), kind, Options{Dir: dir, Prefer: Real, Watch: func(_ string, pgid int) { fmt.Println(pgid) }})
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("up")
	select {}
}

// What was started dies with a runner that is killed without a chance to clean.
func TestAKilledRunner(t *testing.T) {
	needs(t, "redis")
	needs(t, "postgres")
	dir, err := os.MkdirTemp("", "chaos-servers-test-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))               // #nosec G302 -- so that another user may enter
	runner := exec.CommandContext(t.Context(), os.Args[0]) // #nosec G204 -- this test
	runner.Env = append(os.Environ(), "CHAOS_TEST_RUNNER=redis postgres", "CHAOS_TEST_DIR="+dir)
	out, err := runner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, runner.Start())
	var pids []int32
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "up" {
		pid, err := strconv.ParseInt(lines.Text(), 10, 32)
		require.NoError(t, err, lines.Text())
		pids = append(pids, int32(pid))
	}
	require.Len(t, pids, 3, "redis-server, initdb, postgres")
	require.NoError(t, runner.Process.Kill())
	require.Error(t, runner.Wait())
	for _, pid := range pids {
		assert.Eventually(t, func() bool {
			p, err := process.NewProcess(pid)
			if err != nil {
				return true
			}
			// Nobody may be there to collect it.
			status, err := p.Status()
			return err != nil || slices.Contains(status, process.Zombie)
		}, 30*time.Second, 10*time.Millisecond, "pid %d", pid)
	}
}
