package process

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

const (
	// settling is how long children may take to follow the main process
	// before they count as survivors.
	settling = 200 * time.Millisecond
	// killing is how long we try to kill what is left; only a process stuck
	// in the kernel takes longer.
	killing = 10 * time.Second
)

// Survivor is a process that outlived the service's main process.
type Survivor struct {
	PID     int
	Cmdline string
}

// Stopped tells how a service reacted to being stopped.
type Stopped struct {
	// SignalledAt is when the signal was sent; zero if the service had exited
	// before.
	SignalledAt time.Time
	// ExitedBySignal: the main process ended within the grace, whether by the
	// signal's default action or by handling it.
	ExitedBySignal bool
	// Killed: it had to be killed.
	Killed bool
	// Survivors outlived the main process, also in a group or session of
	// their own, and were killed.
	Survivors []Survivor
	// Err tells what could not be killed.
	Err error
}

// Stop sends sig to the service's group and waits for the main process to end,
// at most for the grace or until ctx is done; then it kills the group and
// everything else that belongs to the service. Afterwards nothing of it runs.
// On a service that has exited already it only kills what survived. Signal 0 sends nothing: it was sent before.
func (p *Process) Stop(ctx context.Context, sig syscall.Signal, grace time.Duration) Stopped {
	p.ending.Lock()
	defer p.ending.Unlock()
	var s Stopped
	if !p.exited() {
		// While the main process lives everybody hangs below it: the best
		// moment to learn who they are.
		p.family.learn()
		p.samplePeak()
		if p.tap != nil {
			p.tap.letGo()
		}
		if at := time.Now(); p.signal(sig) {
			s.SignalledAt = at
		}
		s.ExitedBySignal = p.waitDone(ctx, grace) && !s.SignalledAt.IsZero()
		if !p.exited() {
			s.Killed = true
			p.samplePeak()
			s.Err = p.kill()
		}
	}
	var err error
	s.Survivors, err = p.family.end(settling, killing)
	s.Err = errors.Join(s.Err, err)
	return s
}

// Signal sends sig to the service's group at once, and reports whether the service was still there to get it. Stop with signal 0 then
// waits for what comes of it.
func (p *Process) Signal(sig syscall.Signal) bool { return !p.exited() && p.signal(sig) }

// Close kills what is left of the service, delivers what it had still to say,
// and releases everything. It may be called more than once, and returns the
// same error. No callback runs after it.
func (p *Process) Close() error {
	p.ending.Lock()
	defer p.ending.Unlock()
	if p.closed {
		return p.err
	}
	p.closed = true
	if p.tap != nil {
		p.tap.letGo()
	}
	if !p.exited() {
		p.family.learn()
		p.err = p.kill()
	}
	if p.exited() {
		p.own.Wait()
	}
	_, err := p.family.end(0, killing)
	p.err = errors.Join(p.err, err, p.releaseIO())
	return p.err
}

// kill kills the group and waits for the main process.
func (p *Process) kill() error {
	p.signal(syscall.SIGKILL)
	if !p.waitDone(context.Background(), killing) {
		return fmt.Errorf("end the service: process %d does not die of SIGKILL; it hangs in the kernel", p.pid)
	}
	return nil
}

// signal sends to the whole group, and reports false once the group's number
// may belong to somebody else.
func (p *Process) signal(sig syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	return syscall.Kill(-p.pid, sig) == nil
}

func (p *Process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *Process) waitDone(ctx context.Context, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
	case <-t.C:
	}
	return p.exited()
}

// releaseIO delivers the last words and closes everything that was opened for
// the service. Connects of processes that could not be killed fail with
// ENOSYS from here on.
func (p *Process) releaseIO() error {
	var errs []error
	if p.tap != nil {
		errs = append(errs, p.tap.close())
	}
	p.gate.Do(func() {
		for _, s := range p.pipes {
			s.lines.flush()
		}
	})
	for _, s := range p.pipes {
		errs = append(errs, s.close())
	}
	if p.notify != nil {
		errs = append(errs, p.notify.close())
	}
	return errors.Join(errs...)
}
