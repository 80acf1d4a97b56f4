package process

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxDeciding bounds how many Decide calls of one service run at a time. More
// callers wait their turn inside their connect(2).
const maxDeciding = 64

// interceptor answers the connects of one service and of its children.
type interceptor struct {
	decide  func(Attempt) Answer
	file    *os.File
	raw     syscall.RawConn
	fd      int
	callers *callers
	pending *pending
	slots   chan struct{}

	letGoOnce sync.Once
	lettingGo chan struct{} // closed when nobody is to be held any more

	own sync.WaitGroup

	mu     sync.Mutex
	counts Interception
}

// intercept installs the filter on the calling thread and starts to answer.
func intercept(decide func(Attempt) Answer, datagrams bool) (*interceptor, error) {
	fd, err := installFilter()
	if err != nil {
		return nil, err
	}
	// Non-blocking, so that the runtime polls it; the ioctl blocks anyway, and
	// is only called when something waits.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("listen to the seccomp filter: %w", err)
	}
	i := &interceptor{
		decide: decide, fd: fd, callers: newCallers(datagrams), pending: newPending(), slots: make(chan struct{}, maxDeciding),
		file: os.NewFile(uintptr(fd), "seccomp notify"), lettingGo: make(chan struct{}),
	}
	err = i.file.SetReadDeadline(time.Time{}) // fails unless it can be polled
	if err == nil {
		i.raw, err = i.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen to the seccomp filter: %w", err), i.file.Close())
	}
	i.own.Add(1)
	go i.follow()
	return i, nil
}

// follow takes notifications until nothing that carries the filter is left,
// or until close.
func (i *interceptor) follow() {
	defer i.own.Done()
	_ = i.raw.Read(func(uintptr) bool {
		for {
			fds := []unix.PollFd{{Fd: int32(i.fd), Events: unix.POLLIN}} // #nosec G115 -- a descriptor
			n, err := unix.Poll(fds, 0)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil || n == 0 {
				return err != nil
			}
			if fds[0].Revents&unix.POLLIN == 0 {
				return true // POLLHUP: everybody is gone
			}
			if !i.take() {
				return true
			}
		}
	})
}

// take receives one notification and has it handled.
func (i *interceptor) take() bool {
	n, err := receive(i.fd)
	switch {
	case err == nil:
		// One goroutine per notification is bounded: each stands for a thread
		// of the service that waits in connect(2).
		i.own.Add(1)
		go i.handle(n, time.Now())
		return true
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINTR):
		return true // the caller is gone, or we were interrupted
	}
	i.miss(fmt.Errorf("receive a notification: %w", err))
	return false
}

// handle answers one connect.
func (i *interceptor) handle(n notification, at time.Time) {
	defer i.own.Done()
	pass := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	call, ours, err := i.callers.examine(n)
	switch {
	case !stillThere(i.fd, n.id):
		// What was read may have been somebody else's memory.
	case err != nil:
		i.miss(err)
		_ = respond(i.fd, pass)
	case !ours:
		i.pass()
		_ = respond(i.fd, pass)
	default:
		w, first := i.pending.enter(call)
		if first {
			i.slots <- struct{}{}
			i.decided()
			w.decision.make(i.decide(Attempt{PID: call.pid, Network: call.network, Target: call.target, At: at}))
			<-i.slots
		}
		<-w.decision.ready
		i.hold(w)
		i.apply(n, call, w.decision.answer, &pass)
		i.pending.give(w, func() error { return respond(i.fd, pass) })
	}
}

// apply carries out what was decided.
func (i *interceptor) apply(n notification, call connectCall, a Answer, out *response) {
	switch {
	case a.Errno != 0:
		out.flags, out.errno = 0, -int32(a.Errno) // #nosec G115 -- below 4096
	case a.Redirect.IsValid():
		if !stillThere(i.fd, n.id) {
			return
		}
		if err := i.callers.redirect(call, a.Redirect); err != nil {
			i.miss(err)
		}
	}
}

// hold waits for the end of the delay, but no longer than the caller lives.
func (i *interceptor) hold(w *waiting) {
	delay := time.Until(w.decision.until)
	if w.decision.answer.Delay <= 0 || delay <= 0 {
		return
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	dead, stop := i.callers.death(w.tid)
	defer stop()
	select {
	case <-t.C:
	case <-w.decision.answer.Release:
	case <-dead:
	case <-w.replaced:
	case <-i.lettingGo:
	}
}

// letGo ends all present and future holds: a thread that waits for us runs no
// signal handler, so a service that is told to stop must not wait for us.
func (i *interceptor) letGo() { i.letGoOnce.Do(func() { close(i.lettingGo) }) }

// close stops listening. Everybody who carries the filter should be dead: from
// here on their connects fail with ENOSYS.
func (i *interceptor) close() error {
	i.letGo()
	err := i.file.SetReadDeadline(time.Unix(1, 0)) // wakes follow up
	i.own.Wait()                                   // the descriptor is in use until here
	return errors.Join(err, i.file.Close())
}

func (i *interceptor) decided() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts.Decided++
}

func (i *interceptor) pass() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts.Passed++
}

func (i *interceptor) miss(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.counts.Missed++
	if i.counts.Err == nil {
		i.counts.Err = fmt.Errorf("intercept a connect: %w", err)
	}
}

func (i *interceptor) counted() Interception {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts
}
