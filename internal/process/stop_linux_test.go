package process

import (
	"context"
	"errors"
	"net"
	"os"
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

func TestStopByTheSignal(t *testing.T) {
	spec := part("polite")
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	s := p.Stop(context.Background(), syscall.SIGTERM, long)
	require.NoError(t, s.Err)
	assert.True(t, s.ExitedBySignal)
	assert.False(t, s.Killed)
	assert.Empty(t, s.Survivors)
	assert.False(t, s.SignalledAt.IsZero())
	assert.Equal(t, 7, done(t, p).Code)
	assert.Equal(t, []string{"ready", "bye"}, lines.all())
}

func TestStopKillsWhoIgnoresTheSignal(t *testing.T) {
	spec := part("stubborn")
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	s := p.Stop(context.Background(), syscall.SIGTERM, 20*time.Millisecond)
	require.NoError(t, s.Err)
	assert.False(t, s.ExitedBySignal)
	assert.True(t, s.Killed)
	assert.Equal(t, syscall.SIGKILL, done(t, p).Signal)
}

func TestStopEndsWithItsContext(t *testing.T) {
	spec := part("stubborn")
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	assert.True(t, p.Stop(ctx, syscall.SIGTERM, time.Hour).Killed)
}

func TestStopAfterTheExit(t *testing.T) {
	p := start(t, part("exit", "0"))
	done(t, p)
	s := p.Stop(context.Background(), syscall.SIGTERM, time.Hour)
	assert.Equal(t, Stopped{}, s)
}

// childPID waits for the line "child PID" of the daemon part.
func childPID(t *testing.T, lines *recorder) int {
	t.Helper()
	line := lines.await(t, func(l string) bool { return strings.HasPrefix(l, "child ") })
	pid, err := strconv.Atoi(strings.TrimPrefix(line, "child "))
	require.NoError(t, err)
	return pid
}

// assertGone checks that a process has ended and, being a child of nobody
// else, leaves no zombie either.
func assertGone(t *testing.T, pid int) {
	t.Helper()
	_, err := readStat(pid)
	assert.ErrorIs(t, err, unix.ENOENT, "process %d (%s)", pid, cmdline(pid))
}

func TestSurvivorsAreFoundAndKilled(t *testing.T) {
	tests := []struct {
		name, play string
		args       []string
		exits      bool
	}{
		{"of a service that exits", "daemon", nil, true},
		{"of a service that is stopped", "daemon", []string{"wait"}, false},
		{"of a child that exits", "grandchild", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := part(tt.play, tt.args...)
			lines := record(&spec)
			p := start(t, spec)
			pid := childPID(t, lines)
			lines.awaitLine(t, "daemon runs")
			if tt.exits {
				done(t, p)
			} else {
				lines.awaitLine(t, "ready")
			}
			s := p.Stop(context.Background(), syscall.SIGTERM, long)
			require.NoError(t, s.Err)
			require.Len(t, s.Survivors, 1)
			assert.Equal(t, pid, s.Survivors[0].PID)
			assert.Equal(t, spec.Argv[0], s.Survivors[0].Cmdline)
			assertGone(t, pid)
			assertGone(t, p.PID())
		})
	}
}

// Children that follow the main process are not called survivors, even if they
// need a moment longer.
// An orphan that is just executing its program has no environment: it is found once it can be told.
func TestSurvivorsWhoAreExecuting(t *testing.T) {
	folder := t.TempDir()
	fifo := filepath.Join(folder, "go")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	orphan := ": > ready; read line < go; export " + MarkerVariable + "=executing-orphan; exec sleep 60"
	p := start(t, Spec{
		Argv: []string{"/bin/sh", "-c", "setsid env -i /bin/sh -c '" + orphan + "' & until [ -e ready ]; do sleep 0.01; done"},
		Dir:  folder, Env: []string{"PATH=" + os.Getenv("PATH")}, Marker: "executing-orphan",
	})
	done(t, p)
	stopped := make(chan Stopped, 1)
	go func() { stopped <- p.Stop(context.Background(), syscall.SIGKILL, 0) }()
	select {
	case s := <-stopped:
		require.FailNow(t, "it does not wait for the orphan", "%+v", s)
	case <-time.After(100 * time.Millisecond): // it has had a look, or it has one later
	}
	release, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = release.WriteString("go\n")
	require.NoError(t, errors.Join(err, release.Close()))
	s := <-stopped
	require.NoError(t, s.Err)
	require.Len(t, s.Survivors, 1)
	assert.Contains(t, s.Survivors[0].Cmdline, "sleep")
}

func TestChildrenThatFollowAreNoSurvivors(t *testing.T) {
	spec := Spec{Argv: []string{"sh", "-c", "sleep 1000 & echo ready; wait"}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	s := p.Stop(context.Background(), syscall.SIGTERM, long)
	require.NoError(t, s.Err)
	assert.True(t, s.ExitedBySignal)
	assert.Empty(t, s.Survivors)
}

func TestCloseKillsEverything(t *testing.T) {
	spec := part("grandchild")
	lines := record(&spec)
	p, err := Start(spec)
	require.NoError(t, err)
	pid := childPID(t, lines)
	lines.awaitLine(t, "daemon runs")
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	assertGone(t, pid)
	assertGone(t, p.PID())
	assert.Equal(t, syscall.SIGKILL, done(t, p).Signal)
	before := len(lines.all())
	p.gate.Sync()
	assert.Len(t, lines.all(), before)
}

// Two services at once, with the same program and the same gate: stopping one
// leaves the other and its child alone.
func TestStoppingOneLeavesTheOther(t *testing.T) {
	gate := NewGate()
	one, two := part("daemon"), part("daemon")
	one.Gate, two.Gate = gate, gate
	linesOne, linesTwo := record(&one), record(&two)
	p, q := start(t, one), start(t, two)
	pidOne, pidTwo := childPID(t, linesOne), childPID(t, linesTwo)
	linesTwo.awaitLine(t, "daemon runs")
	done(t, p)
	done(t, q)
	require.Len(t, p.Stop(context.Background(), syscall.SIGTERM, long).Survivors, 1)
	assertGone(t, pidOne)
	s, err := readStat(pidTwo)
	require.NoError(t, err)
	assert.False(t, s.gone())
	require.NoError(t, q.Close())
	assertGone(t, pidTwo)
}

func TestNoZombiesOfOrphansNobodyKnew(t *testing.T) {
	// A double fork whose daemon ends before anybody has looked.
	script := "setsid sh -c 'sleep 0.01 & exit 0'; exec sleep 0.1"
	spec := Spec{Argv: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	p := start(t, spec)
	done(t, p)
	require.NoError(t, p.Close())
	children, err := childrenOf(unix.Getpid())
	require.NoError(t, err)
	for _, pid := range children {
		s, err := readStat(pid)
		if err == nil && s.gone() && s.sid != s.pid {
			assert.Failf(t, "zombie", "process %d: %+v", pid, s)
		}
	}
}

func TestUsage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	spec := part("eat", "40", l.Addr().String())
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "ready")
	u, err := p.Usage()
	require.NoError(t, err)
	assert.Greater(t, u.RSS, int64(40<<20))
	assert.GreaterOrEqual(t, u.PeakRSS, u.RSS)
	assert.Greater(t, u.FDs, 3)
	assert.Positive(t, u.Threads)
	assert.Zero(t, u.Children)
	sockets, err := p.Sockets()
	require.NoError(t, err)
	require.Len(t, sockets, 1)
	assert.Equal(t, l.Addr().String(), sockets[0].Remote.String())
	assert.Equal(t, "ESTABLISHED", sockets[0].State)
	require.NoError(t, p.Close())
	assert.GreaterOrEqual(t, p.Exit().MaxRSS, u.PeakRSS)
	_, err = p.Usage()
	assert.ErrorContains(t, err, "has exited")
}

func TestUsageCountsChildren(t *testing.T) {
	spec := part("daemon", "wait")
	lines := record(&spec)
	p := start(t, spec)
	lines.awaitLine(t, "daemon runs")
	u, err := p.Usage()
	require.NoError(t, err)
	assert.Equal(t, 1, u.Children)
}

// The runner's own footprint must not be taken for the service's.
func TestThePeakIsTheServicesOwn(t *testing.T) {
	ballast := make([]byte, 100<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	e := done(t, start(t, Spec{Argv: []string{"true"}, Env: []string{"PATH=" + os.Getenv("PATH")}}))
	assert.Less(t, e.MaxRSS, int64(50<<20))
	_ = ballast[len(ballast)-1]
}

func TestParseStat(t *testing.T) {
	s, err := parseStat(7, []byte("7 (a) b) (c) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 5 0 12345 1 2 3 4 5 140722 0 0 0"))
	require.NoError(t, err)
	assert.Equal(t, procStat{pid: 7, ppid: 1, pgid: 2, sid: 3, state: 'S', threads: 5, start: 12345, stack: 140722}, s)
	_, err = parseStat(7, []byte("7 (a S"))
	assert.Error(t, err)
	_, err = parseStat(7, []byte("7 (a) S 1"))
	assert.Error(t, err)
}

func TestParseSocket(t *testing.T) {
	s, inode, ok := parseSocket("   0: 0100007F:1538 0100007F:C350 08 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 20 4 30 10 -1")
	require.True(t, ok)
	assert.EqualValues(t, 4242, inode)
	assert.Equal(t, "127.0.0.1:5432", s.Local.String())
	assert.Equal(t, "127.0.0.1:50000", s.Remote.String())
	assert.Equal(t, "CLOSE_WAIT", s.State)
	s, _, ok = parseSocket("   0: 00000000000000000000000001000000:0050 0000000000000000FFFF00000100007F:1538 01 0:0 0:0 0 0 0 1 1 0 20 4 30 10 -1")
	require.True(t, ok)
	assert.Equal(t, "[::1]:80", s.Local.String())
	assert.Equal(t, "127.0.0.1:5432", s.Remote.String())
	_, _, ok = parseSocket("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode")
	assert.False(t, ok)
}

func TestBothWaysToKnowChildrenAgree(t *testing.T) {
	spec := part("daemon", "wait")
	lines := record(&spec)
	p := start(t, spec)
	child := childPID(t, lines)
	want := []int{child}
	assert.Equal(t, want, newTree().children(p.PID()))
	assert.Equal(t, want, wholeTree().children(p.PID()))
	assert.Contains(t, newTree().children(unix.Getpid()), p.PID())
	assert.Contains(t, wholeTree().children(unix.Getpid()), p.PID())
}
