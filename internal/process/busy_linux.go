package process

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Busy reports whether a thread of the service's main process runs, waits for a processor, or is on its way out: on a loaded machine a
// service that was given no time has not shown yet what it will do next.
func (p *Process) Busy() bool {
	tids, err := numericNames(fmt.Sprintf("/proc/%d/task", p.pid))
	if err != nil {
		return true // it is just going
	}
	for _, tid := range tids {
		var buf [1024]byte
		b, err := readSmall(fmt.Sprintf("/proc/%d/task/%d/stat", p.pid, tid), buf[:])
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue // a thread that ended
		}
		s, err := parseStat(tid, b)
		if err != nil || s.state != 'S' && s.state != 'T' && s.state != 't' {
			return true
		}
	}
	return false
}

// tick is the unit of times in /proc: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// Worked is how much of the processors' time the service's main process has had so far, in steps of 10 ms; 0 once it is gone.
func (p *Process) Worked() time.Duration {
	var buf [1024]byte
	b, err := readSmall(fmt.Sprintf("/proc/%d/stat", p.pid), buf[:])
	if err != nil {
		return 0
	}
	s, err := parseStat(p.pid, b)
	if err != nil {
		return 0
	}
	return time.Duration(s.ticks) * tick
}
