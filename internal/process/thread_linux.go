package process

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	fionread        = unix.TIOCINQ // FIONREAD by another name
	abstractSockets = true
)

// onOwnThread runs f on an operating system thread that nothing else uses and
// that ends with f. A seccomp filter, no_new_privs and the parent-death signal
// all belong to a thread: this keeps them away from the rest of the runner.
// The Go runtime never clones new threads from a locked one, so they do not
// spread either.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f() // returning while locked destroys the thread
			return
		}
		// The main thread can't be destroyed, and what is read of it stands
		// for the whole process. Occupy it while another one is taken.
		locked := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(locked)
			f()
		}()
		<-locked
		runtime.UnlockOSThread()
	}()
}

// attributes puts the service into a group of its own and ties its life to
// the thread that starts it.
func attributes(user *Credential) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if user != nil {
		a.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID}
	}
	return a
}

// collect waits for the exit, and only then takes the lock and the exit code:
// until the code is taken, the pid and the group of that number can't become
// somebody else's.
func (p *Process) collect(child *os.Process) (*os.ProcessState, time.Time, error) {
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	at := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	state, err := child.Wait()
	p.reaped = true
	p.family.mainGone()
	return state, at, err
}

// adoptOrphans makes processes whose parent died children of the runner
// instead of init's, so that they can be found and collected.
var adoptOrphans = sync.OnceFunc(func() {
	// Without it (Linux before 3.4) orphans that carry the marker are still
	// killed, only not collected.
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
})

// dgramQueue is how many datagrams a unix socket queues.
var dgramQueue = sync.OnceValue(func() int {
	b, err := os.ReadFile("/proc/sys/net/unix/max_dgram_qlen")
	if err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && n > 0 {
			return n
		}
	}
	return 512
})

// peak follows the largest resident set of a service.
type peak struct {
	mu      sync.Mutex
	floor   int64
	sampled int64
}

// begin takes the runner's own peak right after the service was executed.
// execve(2) after vfork(2) counts the footprint that was shared until then as
// the service's: figures up to it say nothing.
func (p *peak) begin() {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err == nil {
		p.floor = int64(ru.Maxrss) << 10
	}
}

func (p *peak) sample(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sampled = max(p.sampled, bytes)
}

func (p *peak) end(state *os.ProcessState) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ru, ok := state.SysUsage().(*syscall.Rusage); ok {
		if all := int64(ru.Maxrss) << 10; all > p.floor {
			return max(all, p.sampled)
		}
	}
	return p.sampled
}
