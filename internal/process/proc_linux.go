package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// procStat is what /proc/PID/stat tells of a process.
type procStat struct {
	pid, ppid, pgid, sid int
	state                byte
	threads              int
	start                uint64 // clock ticks since boot; with the pid, an identity
	stack                uintptr
	ticks                int // of a processor's time, a hundredth of a second each, of all its threads
}

// gone reports a process that has ended and only waits to be collected. The
// state is that of its first thread: while others are still dying they keep
// their children, and the process counts as alive.
func (s procStat) gone() bool {
	return (s.state == 'Z' || s.state == 'X' || s.state == 'x') && s.threads <= 1
}

// readStat reads /proc/PID/stat, with few system calls: it is read a lot.
func readStat(pid int) (procStat, error) {
	var buf [1024]byte
	b, err := readSmall("/proc/"+strconv.Itoa(pid)+"/stat", buf[:])
	if err != nil {
		return procStat{}, err
	}
	return parseStat(pid, b)
}

func parseStat(pid int, b []byte) (procStat, error) {
	// The name, in parentheses, may contain anything, also parentheses.
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return procStat{}, fmt.Errorf("read the state of process %d: %q", pid, b)
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 26 {
		return procStat{}, fmt.Errorf("read the state of process %d: %q", pid, b)
	}
	s := procStat{pid: pid, state: f[0][0]}
	s.ppid, s.pgid, s.sid = number(f[1]), number(f[2]), number(f[3])
	s.threads = number(f[17])
	s.ticks = number(f[11]) + number(f[12])
	s.start, _ = strconv.ParseUint(string(f[19]), 10, 64)
	stack, _ := strconv.ParseUint(string(f[25]), 10, 64)
	s.stack = uintptr(stack)
	return s, nil
}

func number(b []byte) int {
	n, _ := strconv.Atoi(string(b))
	return n
}

// readSmall reads a small file of /proc into buf.
func readSmall(path string, buf []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	n := 0
	for n < len(buf) {
		got, err := unix.Read(fd, buf[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if got == 0 {
			break
		}
		n += got
	}
	return buf[:n], nil
}

// allPIDs lists every process that is visible.
func allPIDs() ([]int, error) { return numericNames("/proc") }

func numericNames(folder string) ([]int, error) {
	d, err := os.Open(folder) // #nosec G304 -- a folder of /proc
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// childrenOf lists the children of a process, of all its threads. It may miss
// one while others are being collected: whoever must be sure asks twice. The
// error is fs.ErrNotExist on kernels without CONFIG_PROC_CHILDREN and for a
// process that is gone.
func childrenOf(pid int) ([]int, error) {
	tasks := "/proc/" + strconv.Itoa(pid) + "/task"
	tids, err := numericNames(tasks)
	if err != nil {
		return nil, err
	}
	var children []int
	var first error
	read := 0
	for _, tid := range tids {
		b, err := os.ReadFile(tasks + "/" + strconv.Itoa(tid) + "/children") // #nosec G304 -- /proc
		if err != nil {
			first = errors.Join(first, err) // mostly a thread that has just ended
			continue
		}
		read++
		for _, f := range bytes.Fields(b) {
			children = append(children, number(f))
		}
	}
	if read == 0 {
		return nil, first
	}
	return children, nil
}

// environ reads the environment a process was executed with. known is false
// when it can't be read or was overwritten, as setproctitle does.
func environ(pid int) (entries [][]byte, known bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ") // #nosec G304 -- /proc
	if err != nil || len(b) == 0 {
		return nil, false
	}
	for e := range bytes.SplitSeq(bytes.TrimRight(b, "\x00"), []byte{0}) {
		if bytes.IndexByte(e, '=') <= 0 {
			return nil, false
		}
		entries = append(entries, e)
	}
	return entries, true
}

// markerOf is the value of CHAOS_TRIAL in the environment of a process.
func markerOf(pid int) (marker string, known bool) {
	entries, known := environ(pid)
	for _, e := range entries {
		if v, ok := bytes.CutPrefix(e, []byte(MarkerVariable+"=")); ok {
			return string(v), true
		}
	}
	return "", known
}

// executing tells whether a process is on its way from one program to the
// next: for a moment it has no environment, and nobody can tell whose it is.
// One that has none for good looks the same; kernel threads have no program.
func executing(pid int) bool {
	folder := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(folder + "/environ") // #nosec G304 -- /proc
	if err != nil || len(b) > 0 {
		return false
	}
	_, err = os.Readlink(folder + "/exe")
	return err == nil
}

// cmdline is the command line of a process, for people to read.
func cmdline(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline") // #nosec G304 -- /proc
	if err != nil || len(b) == 0 {
		b, err = os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm") // #nosec G304 -- /proc
		if err != nil {
			return "?"
		}
	}
	return string(bytes.TrimSpace(bytes.ReplaceAll(bytes.TrimRight(b, "\x00"), []byte{0}, []byte{' '})))
}

// handle is a process that can be signalled and waited for without ever
// meeting another one of the same pid.
type handle struct{ fd int }

// openHandle opens the process that started at the given tick, and fails when
// the pid belongs to another one by now.
func openHandle(pid int, start uint64) (handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return handle{}, fmt.Errorf("open process %d: %w", pid, err)
	}
	s, err := readStat(pid)
	if err == nil && s.start != start {
		err = fmt.Errorf("process %d: %w", pid, unix.ESRCH)
	}
	if err != nil {
		_ = unix.Close(fd)
		return handle{}, err
	}
	return handle{fd: fd}, nil
}

func (h handle) kill() error { return unix.PidfdSendSignal(h.fd, unix.SIGKILL, nil, 0) }

func (h handle) close() { _ = unix.Close(h.fd) }

// waitGone waits until all processes have ended, or the time is over.
func waitGone(handles []handle, limit time.Duration) {
	deadline := time.Now().Add(limit)
	for _, h := range handles {
		for {
			left := time.Until(deadline)
			if left < 0 {
				return
			}
			fds := []unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}} // #nosec G115 -- a descriptor
			_, err := unix.Poll(fds, int(left.Milliseconds())+1)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
}
