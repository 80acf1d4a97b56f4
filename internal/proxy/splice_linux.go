package proxy

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	canSplice  = true
	pipeSize   = 1 << 20
	spliceSize = 1 << 20
	sparePipes = 64
)

// pipe is a pipe of the kernel through which bytes are moved without copying. It is empty whenever nobody holds it.
type pipe struct {
	r, w   int
	budget *Budget // of which it is
}

var pipes = make(chan *pipe, sparePipes)

// takePipe returns an empty pipe.
func takePipe(b *Budget) (*pipe, error) {
	select {
	case p := <-pipes:
		return p, nil
	default:
	}
	if !b.take(perPipe, b.quarter()) {
		return nil, unix.EMFILE
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		b.give(perPipe)
		return nil, os.NewSyscallError("pipe2", err)
	}
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize) // #nosec G115 -- a file descriptor; a smaller one works too
	return &pipe{fds[0], fds[1], b}, nil
}

// give takes an empty pipe back.
func (p *pipe) give() {
	if !p.budget.roomy() {
		p.close()
		return
	}
	select {
	case pipes <- p:
	default:
		p.close()
	}
}

func (p *pipe) close() {
	_ = unix.Close(p.r)
	_ = unix.Close(p.w)
	p.budget.give(perPipe)
}

// dropPipes closes those that nobody uses.
func dropPipes() {
	for {
		select {
		case p := <-pipes:
			p.close()
		default:
			return
		}
	}
}

// prepareSplice makes the functions that the runtime calls when a socket is ready.
func (k *copier) prepareSplice() {
	k.splice, k.drain = k.spliceIn, k.spliceOut
}

// spliceIn moves what has come into a pipe, which it only takes when there is something.
func (k *copier) spliceIn(fd uintptr) bool {
	if k.pipe == nil {
		if k.pipe, k.err = takePipe(k.h.c.p.c.Budget); k.err != nil {
			return true
		}
	}
	k.n, k.err = move(int(fd), k.pipe.w, spliceSize) // #nosec G115 -- a file descriptor
	if wouldWait(k.err) {
		k.pipe.give()
		k.pipe = nil
		return false
	}
	return true
}

// spliceOut moves what is left in the pipe to the socket.
func (k *copier) spliceOut(fd uintptr) bool {
	for k.n > 0 {
		var n int
		if n, k.err = move(k.pipe.r, int(fd), k.n); k.err != nil { // #nosec G115 -- a file descriptor
			return !wouldWait(k.err)
		}
		k.n -= n
		k.h.c.bytes[k.h.d].Add(int64(n))
	}
	return true
}

func move(from, to, most int) (n int, err error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, most, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if !interrupted(err) {
			return int(moved), err
		}
	}
}

// spliced passes on what has come, through a pipe.
func (k *copier) spliced() error {
	if err := k.from.Read(k.splice); err != nil {
		return err
	}
	if k.err != nil && k.pipe == nil {
		k.bulk = false // no descriptors for a pipe: read and write needs none
		return nil
	}
	if k.err != nil || k.n == 0 {
		k.dropPipe()
		return ended(k.err)
	}
	k.bulk = k.n >= smallRead
	if k.h.c.p.gate(); !k.h.mayBeFast() {
		return k.keep()
	}
	err := k.to.Write(k.drain)
	if err == nil {
		err = k.err
	}
	if err != nil {
		k.pipe.close()
		k.pipe = nil
		return writeError{err}
	}
	k.pipe.give()
	k.pipe = nil
	return nil
}

// keep takes out of the pipe what must pass the chain.
func (k *copier) keep() error {
	data := make([]byte, k.n)
	for at := 0; at < len(data); {
		n, err := unix.Read(k.pipe.r, data[at:])
		if err != nil && !interrupted(err) {
			panic(fmt.Errorf("read %d bytes of a pipe that holds %d: %w", len(data)-at, len(data), err))
		}
		at += max(n, 0)
	}
	k.pipe.give()
	k.pipe, k.h.carry = nil, data
	return errChanged
}

func (k *copier) dropPipe() {
	if k.pipe != nil {
		k.pipe.give()
		k.pipe = nil
	}
}

// ended is what a read means that brought nothing.
func ended(err error) error {
	if err == nil {
		return io.EOF
	}
	return fmt.Errorf("read: %w", err)
}
