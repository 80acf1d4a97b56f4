package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// field waits for a line "name PID" and returns the pid.
func field(t *testing.T, lines *recorder, name string) int {
	t.Helper()
	line := lines.await(t, func(l string) bool { return strings.HasPrefix(l, name+" ") })
	pid, err := strconv.Atoi(strings.TrimPrefix(line, name+" "))
	require.NoError(t, err)
	return pid
}

// waitPID waits until a process that is not our child has ended.
func waitPID(t *testing.T, pid int) {
	t.Helper()
	s, err := readStat(pid)
	if err != nil || s.gone() {
		return
	}
	h, err := openHandle(pid, s.start)
	if err != nil {
		return
	}
	defer h.close()
	waitGone([]handle{h}, long)
	s, err = readStat(pid)
	require.True(t, err != nil || s.gone(), "process %d (%s) still runs", pid, cmdline(pid))
}

// The runner is killed with SIGKILL: its service dies with it, and the
// guardian ends the daemon that the service had started in a session of its
// own, and removes the folder.
func TestTheGuardianCleansUpAfterAKilledRunner(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "trial")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "deep", "er"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "deep", "file"), []byte("x"), 0o600))
	marker := "killed-" + randomName()
	lines := &recorder{more: make(chan struct{}, 1)}
	cmd := again("runner", folder, marker)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := splitter{deliver: lines.add}
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			s.feed(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	guardian, main := field(t, lines, "guardian"), field(t, lines, "main")
	daemon := field(t, lines, "child")
	lines.awaitLine(t, "daemon runs")
	bystander := exec.Command("sleep", "1000")
	bystander.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, bystander.Start())

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	waitPID(t, guardian)
	for _, pid := range []int{main, daemon} {
		s, err := readStat(pid)
		assert.True(t, err != nil || s.gone(), "process %d still runs", pid)
	}
	assert.NoDirExists(t, folder)
	s, err := readStat(bystander.Process.Pid)
	assert.True(t, err == nil && !s.gone(), "others are left alone")
	require.NoError(t, bystander.Process.Kill())
	_ = bystander.Wait()
	<-read
	require.NoError(t, r.Close())
	for _, pid := range []int{main, daemon, guardian} {
		reap(pid) // they became ours if this process is their reaper
	}
}

// A process that is on its way to its next program has no environment for a
// moment. The guardian waits until it can be told whose it is.
func TestTheGuardianWaitsForThoseWhoAreExecuting(t *testing.T) {
	marker := "executing-" + randomName()
	orders, w, err := os.Pipe()
	require.NoError(t, err)
	hold, release, err := os.Pipe()
	require.NoError(t, err)
	victim := exec.Command("/bin/sh", "-c", "read line; export "+MarkerVariable+"="+marker+"; exec sleep 60")
	victim.Env, victim.Stdin, victim.SysProcAttr = []string{}, hold, &syscall.SysProcAttr{Setsid: true}
	ended := make(chan error, 1)
	guard := exec.Command(os.Args[0])
	guard.Env, guard.Stdin, guard.Stderr = append(os.Environ(), playVariable+"=guardian"), orders, os.Stderr
	require.NoError(t, guard.Start())
	require.NoError(t, victim.Start()) // after the guardian: nobody belongs to the run who is older
	t.Cleanup(func() { _ = victim.Process.Kill() })
	closeAll(orders, hold)
	_, err = w.WriteString(`{"watch":"` + marker + `"}` + "\n")
	require.NoError(t, err)
	require.True(t, executing(victim.Process.Pid))
	require.NoError(t, w.Close()) // the runner is gone
	go func() { ended <- guard.Wait() }()
	select {
	case <-ended:
		require.FailNow(t, "the guardian does not wait")
	case <-time.After(300 * time.Millisecond): // it has had a look, or it has one later
	}
	_, err = release.WriteString("go\n")
	require.NoError(t, err)
	require.NoError(t, <-ended)
	var status *exec.ExitError
	require.ErrorAs(t, victim.Wait(), &status)
	assert.Equal(t, syscall.SIGKILL, status.Sys().(syscall.WaitStatus).Signal(), "the guardian killed it")
	closeAll(release)
}

func startGuard(t *testing.T) *Guard {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(playVariable, "guardian")
	g, err := StartGuard([]string{self})
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.Close() })
	return g
}

func TestTheGuardianLeavesAloneWhenTheRunnerIsDone(t *testing.T) {
	g := startGuard(t)
	folder := filepath.Join(t.TempDir(), "kept")
	require.NoError(t, os.Mkdir(folder, 0o700))
	spec := part("polite")
	spec.Marker = randomName()
	lines := record(&spec)
	require.NoError(t, g.Folder(folder))
	require.NoError(t, g.Watch(spec.Marker, 0))
	p := start(t, spec)
	require.NoError(t, g.Watch(spec.Marker, p.PID()))
	lines.awaitLine(t, "ready")
	require.NoError(t, g.Close())
	require.NoError(t, g.Close())
	assert.DirExists(t, folder)
	s, err := readStat(p.PID())
	require.NoError(t, err)
	assert.False(t, s.gone())
	assert.Error(t, g.Watch(spec.Marker, 0))
}

func TestTheGuardianSurvivesTheRunnersSignals(t *testing.T) {
	g := startGuard(t)
	require.NoError(t, g.Watch("x", 0))
	require.Eventually(t, func() bool { return unread(t, g.pipe) == 0 }, long, time.Millisecond) // it listens
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		require.NoError(t, syscall.Kill(g.cmd.Process.Pid, sig))
	}
	sid, err := unix.Getsid(g.cmd.Process.Pid)
	require.NoError(t, err)
	assert.Equal(t, g.cmd.Process.Pid, sid, "a session of its own")
	require.NoError(t, g.Close())
}

// unread is how many bytes a pipe holds.
func unread(t *testing.T, pipe *os.File) (n int) {
	raw, err := pipe.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), fionread) }))
	require.NoError(t, err)
	return n
}

// runGuard plays the guardian in this process, whose runner dies after the
// given orders.
func runGuard(t *testing.T, orders string) error {
	t.Helper()
	return standGuard(strings.NewReader(orders))
}

func TestTheGuardianKillsOnlyWhatItWasTold(t *testing.T) {
	marker := randomName()
	begin := func(marker string) (*Process, *recorder) {
		spec := part("polite")
		spec.Marker = marker
		lines := record(&spec)
		p := start(t, spec)
		lines.awaitLine(t, "ready")
		return p, lines
	}
	marked, _ := begin(marker)
	other, _ := begin("other-" + marker)
	forgotten, _ := begin("forgotten-" + marker)
	orders := `{"watch":"` + marker + `"}
not an order
{"watch":"forgotten-` + marker + `"}
{"forget":"forgotten-` + marker + `"}
{"watch":"stranger-` + marker + `","group":` + strconv.Itoa(other.PID()) + `}
{"watch":"other-` + marker // cut off
	require.NoError(t, runGuard(t, orders))
	assert.Equal(t, syscall.SIGKILL, done(t, marked).Signal)
	for _, p := range []*Process{other, forgotten} {
		s, err := readStat(p.PID())
		require.NoError(t, err)
		assert.False(t, s.gone())
	}
}

// A member of the group that has no marker, and whose leader is gone.
func TestTheGuardianKillsTheGroup(t *testing.T) {
	spec := Spec{Argv: []string{"sh", "-c", "env -i PATH=$PATH sleep 1000 & echo child $!; read x < /dev/tty; wait"}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	spec.Marker = randomName()
	lines := record(&spec)
	p := start(t, spec)
	child := childPID(t, lines)
	g := &guardian{watched: map[string][]group{}}
	g.follow(order{Watch: spec.Marker, Group: p.PID()})
	require.Len(t, g.watched[spec.Marker], 1)
	s, err := readStat(child)
	require.NoError(t, err)
	assert.True(t, g.ofGroup(s))
	require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	done(t, p)
	assert.True(t, g.ofGroup(s), "the leader is gone, the group is not")
	s.sid++
	assert.False(t, g.ofGroup(s), "another session")
	s.sid--
	s.start = g.watched[spec.Marker][0].start - 1
	assert.False(t, g.ofGroup(s), "older than the group")
	require.NoError(t, g.killAll())
	waitPID(t, child)
}

func TestTheGuardianRemovesOnlyFolders(t *testing.T) {
	dir := t.TempDir()
	folder, kept, released := filepath.Join(dir, "a"), filepath.Join(dir, "kept"), filepath.Join(dir, "released")
	for _, d := range []string{folder, kept, released} {
		require.NoError(t, os.Mkdir(d, 0o700))
	}
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(kept, link))
	orders := `{"folder":"` + folder + `"}` + "\n" + `{"folder":"` + link + `"}` + "\n" +
		`{"folder":"` + released + `"}` + "\n" + `{"release":"` + released + `"}` + "\n" + `{"folder":"/tmp"}` + "\n"
	err := runGuard(t, orders)
	require.ErrorContains(t, err, "refused")
	assert.NoDirExists(t, folder)
	assert.DirExists(t, kept)
	assert.DirExists(t, released)
	assert.DirExists(t, "/tmp")
}

func TestGuardRefusesNonsense(t *testing.T) {
	_, err := StartGuard(nil)
	require.Error(t, err)
	_, err = StartGuard([]string{"no-such-guardian"})
	require.ErrorIs(t, err, exec.ErrNotFound)
	g := startGuard(t)
	require.Error(t, g.Folder("/"))
	require.Error(t, g.Folder("/tmp"))
	require.Error(t, g.Watch("", 0))
	require.Error(t, g.Watch("x", 1))
}
