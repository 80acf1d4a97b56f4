package proxy

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reactor passes the bytes of calm connections on, and wakes whoever waits for a time, from one goroutine that spends its life in epoll_wait(2).
// The runtime's own poller costs a round trip two more changes of thread, and its timers are a millisecond late. A connection that is treated, that
// breaks, or that carries much at once leaves it for good, and gets goroutines.
type reactor struct {
	epoll, timer int
	buf          [smallRead]byte

	mu     sync.Mutex
	rides  map[int32]*ride // by descriptor, two for each
	alarms alarms
	ending bool
}

// maxEvents is how many descriptors one look at epoll returns.
const maxEvents = 128

// yieldEach is below the 10 ms in which the runtime's monitor must have seen a goroutine yield. Of one that has not it takes the processor away in
// its next system call, and then looks every 20 us for a while, on the processors that the round trips need.
const yieldEach = 9 * time.Millisecond

// busyTurns is from how many looks between two yields on that matters. Yielding costs a wake, which an alarm might have to wait for.
const busyTurns = 20

func newReactor() (*reactor, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	r := &reactor{epoll: epoll, timer: timer, rides: map[int32]*ride{}}
	if err := r.watch(timer); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *reactor) close() {
	_ = unix.Close(r.timer)
	_ = unix.Close(r.epoll)
}

func (r *reactor) watch(fd int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)} // #nosec G115 -- a file descriptor
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watch a descriptor: %w", os.NewSyscallError("epoll_ctl", err))
	}
	return nil
}

// run works until end.
func (r *reactor) run() {
	defer r.close()
	var events [maxEvents]unix.EpollEvent
	yielded, turns := time.Now(), 0
	for {
		if turns++; turns >= busyTurns && time.Since(yielded) >= yieldEach {
			runtime.Gosched()
			yielded, turns = time.Now(), 0
		}
		n, err := unix.EpollWait(r.epoll, events[:], -1)
		if err != nil && !interrupted(err) {
			panic(fmt.Errorf("wait for events: %w", err)) // a bug: the descriptor is not what it was
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) != r.timer {
				r.serve(e.Fd)
			} else if r.ring() {
				return
			}
		}
	}
}

// serve passes on what has come at a descriptor.
func (r *reactor) serve(fd int32) {
	r.mu.Lock()
	ride := r.rides[fd]
	r.mu.Unlock()
	if ride != nil { // else it left while the event was under way
		ride.step(int(fd), r.buf[:])
	}
}

// end makes run return. Nothing may ride any more.
func (r *reactor) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending = true
	r.set(time.Nanosecond)
}

// ring wakes those whose time has come. It says whether the end has.
func (r *reactor) ring() (over bool) {
	var count [8]byte
	_, _ = unix.Read(r.timer, count[:])
	r.mu.Lock()
	rung := r.alarms.due(time.Now())
	if r.ending {
		over = true
		rung = append(rung, r.alarms.all()...)
	} else if next, ok := r.alarms.next(); ok {
		r.set(time.Until(next))
	}
	r.mu.Unlock()
	for _, a := range rung {
		close(a.rung)
	}
	if len(rung) > 0 {
		runtime.Gosched() // they go on here and now, instead of on a thread that must be woken
	}
	return over
}

// set lets the timer go off after d. Locked.
func (r *reactor) set(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	_ = unix.TimerfdSettime(r.timer, 0, &spec, nil)
}

// at returns what is closed when t has come, or the reactor ends.
func (r *reactor) at(t time.Time) *alarm {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &alarm{at: t, rung: make(chan struct{}), index: -1}
	if r.ending {
		close(a.rung)
		return a
	}
	if r.alarms.add(a) {
		r.set(time.Until(t))
	}
	return a
}

// forget takes an alarm back that nobody waits for any more.
func (r *reactor) forget(a *alarm) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarms.remove(a)
}

// admit lets a ride begin.
func (r *reactor) admit(ride *ride) error {
	r.mu.Lock()
	for _, fd := range ride.fds {
		r.rides[int32(fd)] = ride // #nosec G115 -- a file descriptor
	}
	r.mu.Unlock()
	for _, fd := range ride.fds {
		if err := r.watch(fd); err != nil {
			r.dismiss(ride)
			return err
		}
	}
	return nil
}

// deafen lets nothing more be heard of a descriptor: at its end it would be readable for ever.
func (r *reactor) deafen(fd int) { _ = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, fd, nil) }

// dismiss ends it.
func (r *reactor) dismiss(ride *ride) {
	for _, fd := range ride.fds {
		_ = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, fd, nil)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fd := range ride.fds {
		delete(r.rides, int32(fd)) // #nosec G115 -- a file descriptor
	}
}
