package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Descriptors reads from /proc what the service and its children have open. Like Sockets it reads every TCP socket of the machine.
func (p *Process) Descriptors() (Descriptors, error) {
	members, err := p.members()
	if err != nil {
		return Descriptors{}, fmt.Errorf("read the descriptors of process %d: %w", p.pid, err)
	}
	var d Descriptors
	sockets, inodes := map[uint64]int{}, map[uint64]bool{}
	for i, s := range members {
		err := eachDescriptor(s.pid, func(link string) {
			if inode, ok := socketInode(link); ok {
				sockets[inode]++
				inodes[inode] = true
				return
			}
			d.add(link)
		})
		if err != nil && i == 0 {
			return Descriptors{}, fmt.Errorf("read the descriptors of process %d: %w", p.pid, p.why(err))
		}
	}
	tcp, err := openSockets(p.pid, inodes)
	if err != nil {
		return Descriptors{}, fmt.Errorf("read the descriptors of process %d: %w", p.pid, p.why(err))
	}
	for inode, n := range sockets {
		s, known := tcp[inode]
		for range n {
			if known {
				d.TCP = append(d.TCP, s)
			} else {
				d.Sockets++
			}
		}
	}
	return d, nil
}

// add counts what a link of /proc/PID/fd leads to, other than a socket.
func (d *Descriptors) add(link string) {
	switch {
	case strings.HasPrefix(link, "/"):
		d.Files++
	case strings.HasPrefix(link, "pipe:"):
		d.Pipes++
	default:
		d.Other++
	}
}

// eachDescriptor calls do with what each open descriptor of one process leads to.
func eachDescriptor(pid int, do func(link string)) error {
	folder := "/proc/" + strconv.Itoa(pid) + "/fd"
	fds, err := numericNames(folder)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if link, err := os.Readlink(folder + "/" + strconv.Itoa(fd)); err == nil { // otherwise closed meanwhile
			do(link)
		}
	}
	return nil
}

// socketInode reads "socket:[4711]".
func socketInode(link string) (uint64, bool) {
	rest, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return inode, err == nil
}
