//go:build !race

package proxy

import (
	"syscall"
	"unsafe"
)

// receive reads once.
func receive(fd int, b []byte) (int, error) { return atOnce(syscall.SYS_READ, fd, b, 0) }

// transmit writes what the kernel takes.
func transmit(fd int, b []byte) (int, error) {
	return atOnce(syscall.SYS_SENDTO, fd, b, syscall.MSG_NOSIGNAL)
}

// atOnce makes a system call on a descriptor that does not block, so that the scheduler need not be told.
func atOnce(call uintptr, fd int, b []byte, flags uintptr) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0) // #nosec G103 -- b outlives the call
		if errno == 0 {
			return int(n), nil // #nosec G115 -- at most len(b)
		}
		if !interrupted(errno) {
			return 0, errno
		}
	}
}
