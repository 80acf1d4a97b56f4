package proxy

import (
	"sync"
	"syscall"
)

// smallRead is how much is read at once before splicing is worth its pipe: answers of this size are the faster by read and write.
const smallRead = 16 << 10

var smallBuffers = sync.Pool{New: func() any { return new([smallRead]byte) }}

// copier copies one direction without a chain. It holds no buffer while it waits for bytes: ten thousand idle connections need none.
type copier struct {
	h        *half
	from, to syscall.RawConn
	read     func(fd uintptr) bool // once, kept so that no wait allocates
	splice   func(fd uintptr) bool
	drain    func(fd uintptr) bool

	buf  *[smallRead]byte
	pipe *pipe
	n    int
	err  error
	bulk bool // much came at once: splice it
}

// once waits for bytes and passes them on. It returns errChanged when they were kept for the chain, a writeError when they could not be written, and
// else what the read said: io.EOF at the end, os.ErrDeadlineExceeded when it was woken.
func (k *copier) once() error {
	if k.from == nil {
		if err := k.prepare(); err != nil {
			return err
		}
	}
	if k.bulk && k.maySplice() {
		return k.spliced()
	}
	return k.copied()
}

func (k *copier) prepare() (err error) {
	if k.from, err = k.h.from.SyscallConn(); err != nil {
		return err
	}
	if k.to, err = k.h.to.SyscallConn(); err != nil {
		return err
	}
	k.read = k.readOnce
	k.prepareSplice()
	return nil
}

// readOnce reads into a buffer that it only takes when there is something.
func (k *copier) readOnce(fd uintptr) bool {
	if k.buf == nil {
		k.buf = smallBuffers.Get().(*[smallRead]byte)
	}
	k.n, k.err = receive(int(fd), k.buf[:]) // #nosec G115 -- a file descriptor
	if wouldWait(k.err) {
		k.release()
		return false
	}
	return true
}

func (k *copier) release() {
	if k.buf != nil {
		smallBuffers.Put(k.buf)
		k.buf = nil
	}
}

// copied passes one read on.
func (k *copier) copied() error {
	defer k.release()
	if err := k.from.Read(k.read); err != nil {
		return err
	}
	if k.err != nil || k.n == 0 {
		return ended(k.err)
	}
	h, data := k.h, k.buf[:k.n]
	if !h.passes(data) {
		return errChanged
	}
	if _, err := h.to.Write(data); err != nil {
		return writeError{err}
	}
	h.c.bytes[h.d].Add(int64(k.n))
	k.bulk = k.n == smallRead && k.maySplice()
	return nil
}

// maySplice says whether nobody needs to see the bytes.
func (k *copier) maySplice() bool {
	return canSplice && len(k.h.watches) == 0 && k.h.c.witnesses.Load() == nil
}
