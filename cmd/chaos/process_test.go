package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/reports"
)

// soon bounds what should take a moment, on a machine that does something else as well.
const soon = 30 * time.Second

// lab is one run of chaos as a process of its own, on a service that stops at a bell until the test lets it go on.
type lab struct {
	t        *testing.T
	dir, tmp string
	bells    chan ring
	listen   string // the fixed address of a proxy
	cmd      *exec.Cmd
	out, err output
	exited   chan struct{}
	ports    []string // of services that were seen
}

// ring is what a process of the run told the bell; it goes on when it is answered.
type ring struct {
	text string
	conn net.Conn
}

func (r ring) answer() { _ = r.conn.Close() }

// output may be read while a process writes it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// newLab writes a file whose service has these arguments besides a bell. More changes the file: pairs of old and new text.
func newLab(t *testing.T, arguments string, more ...string) *lab {
	l := &lab{t: t, dir: t.TempDir(), tmp: t.TempDir(), bells: make(chan ring, 16), exited: make(chan struct{})}
	bell := l.hang()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.listen = free.Addr().String()
	require.NoError(t, free.Close())
	text, err := os.ReadFile("testdata/lab.yaml")
	require.NoError(t, err)
	pairs := append(more, "[svc, -phases", "[svc, "+arguments+"-phases, -bell, 'BELL'", "server: redis}", "server: redis, listen: '"+l.listen+"'}")
	changed := strings.ReplaceAll(strings.NewReplacer(pairs...).Replace(string(text)), "BELL", bell)
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "lab.yaml"), []byte(changed), 0o600))
	return l
}

// hang puts the bell up.
func (l *lab) hang() string {
	bell, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(l.t, err)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := bell.Accept()
			if err != nil {
				return
			}
			if text, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				l.bells <- ring{strings.TrimSpace(text), c}
			}
		}
	})
	l.t.Cleanup(func() {
		_ = bell.Close()
		work.Wait()
	})
	return bell.Addr().String()
}

// start starts chaos in a process group of its own; the test cleans up even when it fails.
func (l *lab) start(args ...string) {
	path, err := exec.LookPath("chaos")
	require.NoError(l.t, err)
	l.cmd = exec.Command(path, args...)
	l.cmd.Dir, l.cmd.Stdout, l.cmd.Stderr = l.dir, &l.out, &l.err
	l.cmd.Env = append(os.Environ(), "TMPDIR="+l.tmp, "CI=true")
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(l.t, l.cmd.Start())
	go func() {
		defer close(l.exited)
		_ = l.cmd.Wait()
	}()
	l.t.Cleanup(func() {
		_ = l.cmd.Process.Kill()
		<-l.exited
		for _, pid := range l.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
}

// await waits until the bell is rung by a process of the run, and keeps it there.
func (l *lab) await(text string) ring {
	l.t.Helper()
	select {
	case r := <-l.bells:
		said, port, _ := strings.Cut(r.text, " ")
		require.Equal(l.t, text, said, "stderr:\n%s", &l.err)
		if port != "" {
			l.ports = append(l.ports, port)
		}
		return r
	case <-l.exited:
		require.FailNow(l.t, "it ended before "+text, "stdout:\n%s\nstderr:\n%s", &l.out, &l.err)
	case <-time.After(soon):
		require.FailNow(l.t, "nobody says "+text, "stderr:\n%s", &l.err)
	}
	return ring{}
}

func (l *lab) signal(s os.Signal) { require.NoError(l.t, l.cmd.Process.Signal(s)) }

// code waits for the end and returns the exit code.
func (l *lab) code() int {
	l.t.Helper()
	select {
	case <-l.exited:
	case <-time.After(soon):
		require.FailNow(l.t, "it does not end", "stderr:\n%s", &l.err)
	}
	return l.cmd.ProcessState.ExitCode()
}

// eventually is for what the guardian does after chaos is gone.
func (l *lab) eventually(what string, ok func() bool) {
	l.t.Helper()
	require.Eventually(l.t, ok, soon, 20*time.Millisecond, "%s: %v, folders %v", what, l.commands(), l.folders())
}

// clean says whether nothing of the run is left: no process, no folder, no port.
func (l *lab) clean() bool {
	return len(l.processes()) == 0 && len(l.folders()) == 0 && len(l.held()) == 0
}

func (l *lab) requireClean() {
	l.t.Helper()
	assert.Empty(l.t, l.commands(), "processes are left")
	assert.Empty(l.t, l.folders(), "folders are left")
	assert.Empty(l.t, l.held(), "ports are held")
}

func (l *lab) folders() []string {
	found, err := filepath.Glob(filepath.Join(l.tmp, "*"))
	require.NoError(l.t, err)
	return found
}

// held returns the addresses of proxies and services that can't be listened on.
func (l *lab) held() []string {
	var taken []string
	for _, address := range append(slices.Clone(l.ports), l.listen) {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			taken = append(taken, address)
			continue
		}
		_ = listener.Close()
	}
	return taken
}

// processes finds everything that came from the run: its folder for temporary files is in the environment of all, or, for servers
// that write over theirs, above where they work.
func (l *lab) processes() []int {
	entries, err := os.ReadDir("/proc")
	require.NoError(l.t, err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		works, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		if err == nil && bytes.Contains(environ, []byte("="+l.tmp)) || strings.HasPrefix(works, l.tmp+"/") {
			found = append(found, pid)
		}
	}
	return found
}

func (l *lab) commands() []string {
	var found []string
	for _, pid := range l.processes() {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil {
			found = append(found, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}

// report reads what the run wrote.
func (l *lab) report(name string) *reports.Report {
	l.t.Helper()
	f, err := os.Open(filepath.Join(l.dir, name))
	require.NoError(l.t, err)
	defer f.Close()
	r, err := reports.Read(f)
	require.NoError(l.t, err)
	r.Judge()
	return r
}

// judge runs chaos judge and returns its exit code and output.
func (l *lab) judge(name string) (int, string) {
	cmd := exec.Command("chaos", "judge", name)
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(l.t, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func (l *lab) exists(name string) bool {
	_, err := os.Stat(filepath.Join(l.dir, name))
	return err == nil
}
