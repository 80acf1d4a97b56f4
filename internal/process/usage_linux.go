package process

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
)

// Usage reads the present figures of the service and its children from /proc.
// It fails once the main process has exited.
func (p *Process) Usage() (Usage, error) {
	members, err := p.members()
	if err != nil {
		return Usage{}, fmt.Errorf("read the usage of process %d: %w", p.pid, err)
	}
	var u Usage
	for i, s := range members {
		if err := u.add(s.pid); err != nil {
			if i == 0 {
				return Usage{}, fmt.Errorf("read the usage of process %d: %w", p.pid, p.why(err))
			}
			continue // it has ended meanwhile
		}
		u.Threads += s.threads
	}
	u.Children = len(members) - 1
	p.peak.sample(u.PeakRSS)
	return u, nil
}

// Sockets lists the open TCP sockets of the service and its children, each
// once, also when it is shared. It asks for every TCP socket of the machine,
// which takes a few milliseconds.
func (p *Process) Sockets() ([]Socket, error) {
	members, err := p.members()
	if err != nil {
		return nil, fmt.Errorf("read the sockets of process %d: %w", p.pid, err)
	}
	inodes := map[uint64]bool{}
	for i, s := range members {
		err := eachDescriptor(s.pid, func(link string) {
			if inode, ok := socketInode(link); ok {
				inodes[inode] = true
			}
		})
		if err != nil && i == 0 {
			return nil, fmt.Errorf("read the sockets of process %d: %w", p.pid, p.why(err))
		}
	}
	found, err := openSockets(p.pid, inodes)
	if err != nil {
		return nil, fmt.Errorf("read the sockets of process %d: %w", p.pid, p.why(err))
	}
	return slices.Collect(maps.Values(found)), nil
}

// members are the main process, first, and its children.
func (p *Process) members() ([]procStat, error) {
	if p.exited() {
		return nil, ErrGone
	}
	main, err := readStat(p.pid)
	if err != nil {
		return nil, p.why(err)
	}
	if main.gone() {
		return nil, ErrGone
	}
	members := []procStat{main}
	for _, m := range p.family.learn() {
		if s, err := readStat(m.pid); err == nil {
			members = append(members, s)
		}
	}
	return members, nil
}

// why is ErrGone when a file of /proc could not be read because the main process is no more.
func (p *Process) why(err error) error {
	if s, unreadable := readStat(p.pid); unreadable == nil && s.gone() {
		return ErrGone
	}
	if rss, high, unreadable := memory(p.pid); unreadable == nil && rss == 0 && high == 0 {
		return ErrGone // it is on its way out, and has given its memory back already
	}
	p.mu.Lock() // whoever collects it holds this meanwhile
	defer p.mu.Unlock()
	if p.reaped {
		return ErrGone
	}
	return err
}

// samplePeak notes the peak of a service that is about to end.
func (p *Process) samplePeak() {
	if _, high, err := memory(p.pid); err == nil {
		p.peak.sample(high)
	}
}

// add counts one process.
func (u *Usage) add(pid int) error {
	rss, high, err := memory(pid)
	if err != nil {
		return err
	}
	if rss == 0 && high == 0 {
		return ErrGone
	}
	fds, err := numericNames("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return err
	}
	u.RSS += rss
	u.PeakRSS = max(u.PeakRSS, high)
	u.FDs += len(fds)
	return nil
}

// memory reads the present and the largest resident set, in bytes.
func memory(pid int) (rss, high int64, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status") // #nosec G304 -- /proc
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch string(f[0]) {
		case "VmRSS:":
			rss = int64(number(f[1])) << 10
		case "VmHWM:":
			high = int64(number(f[1])) << 10
		}
	}
	return rss, high, nil
}
