//go:build !linux

package process

import (
	"os"
	"syscall"
	"time"
)

const (
	fionread        = 0x4004667f // FIONREAD of the BSDs and macOS
	abstractSockets = false
)

func onOwnThread(f func()) { go f() }

// attributes can't tie the service's life to ours here: a Guard does.
func attributes(user *Credential) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if user != nil {
		a.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID}
	}
	return a
}

// collect waits for the exit and takes the exit code in one step, since there
// is no other way; a signal sent in between may come too late.
func (p *Process) collect(child *os.Process) (*os.ProcessState, time.Time, error) {
	state, err := child.Wait()
	at := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
	p.family.mainGone()
	return state, at, err
}

func adoptOrphans() {}

// dgramQueue bounds how many datagrams one drain reads.
func dgramQueue() int { return 512 }

type peak struct{}

func (p *peak) begin() {}

func (p *peak) end(state *os.ProcessState) int64 {
	ru, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return ru.Maxrss // bytes on macOS
}
