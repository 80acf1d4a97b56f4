package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe is one output stream of a service: the reading end of its pipe, its
// lines, and the goroutine that wakes up when there is something to read.
type pipe struct {
	gate  *Gate
	file  *os.File
	raw   syscall.RawConn
	fd    int
	lines splitter
	out   *sink
	ended bool // end of file was seen; gate held
	idle  chan struct{}
}

// openPipe makes a pipe and returns it with its writing end, which the
// service gets as its stdout or stderr.
func openPipe(gate *Gate, out *sink, deliver func(string)) (*pipe, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make an output pipe: %w", err)
	}
	raw, err := r.SyscallConn()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make an output pipe: %w", err), r.Close(), w.Close())
	}
	p := &pipe{gate: gate, file: r, raw: raw, out: out, lines: splitter{deliver: deliver}, idle: make(chan struct{})}
	// Control instead of Fd: Fd would make the pipe blocking.
	if err := raw.Control(func(fd uintptr) { p.fd = int(fd) }); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make an output pipe: %w", err), r.Close(), w.Close())
	}
	gate.attach(p)
	go p.follow()
	return p, w, nil
}

// drain implements source: FIONREAD bounds it to what is in the pipe now.
func (p *pipe) drain(buf []byte) {
	if p.ended {
		return
	}
	n, err := unix.IoctlGetInt(p.fd, fionread)
	for err == nil && n > 0 && !p.ended {
		got := p.readOnce(buf[:min(n, len(buf))])
		if got == 0 {
			return
		}
		n -= got
	}
}

// readOnce reads and delivers one piece; 0 means that the pipe is empty or at
// its end. The gate is held.
func (p *pipe) readOnce(buf []byte) int {
	for {
		n, err := unix.Read(p.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0
		case err != nil || n <= 0:
			p.ended = true
			return 0
		}
		p.out.write(buf[:n])
		p.lines.feed(buf[:n])
		return n
	}
}

// follow empties the pipe whenever it becomes readable, until its end or
// until the file is closed. The gate is let go between two reads, so that
// others get their turn while a service prints without pause.
func (p *pipe) follow() {
	defer close(p.idle)
	_ = p.raw.Read(func(uintptr) bool {
		for {
			more, ended := p.turn()
			if ended {
				return true
			}
			// Only an empty pipe is waited for: the netpoller is
			// edge-triggered, and a pipe that is not empty may give no edge.
			if !more {
				return false
			}
		}
	})
}

// turn drains all sources, in their order, and reads once more from this
// pipe, which is how its end is noticed.
func (p *pipe) turn() (more, ended bool) {
	p.gate.Do(func() {
		more = !p.ended && p.readOnce(p.gate.buffer()) > 0
		ended = p.ended
	})
	return more, ended
}

// close stops the goroutine and closes the file. What had not been drained is
// lost, so the caller drains first.
func (p *pipe) close() error {
	p.gate.detach(p)
	err := p.file.Close()
	<-p.idle
	return err
}
