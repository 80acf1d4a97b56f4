//go:build !race

package proxy

import (
	"syscall"
	"unsafe"
)

// receive reads once. It does not tell the scheduler, since it does not block.
func receive(fd int, b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b))) // #nosec G103 -- b is on the heap and outlives the call
		if errno == 0 {
			return int(n), nil // #nosec G115 -- at most len(b)
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// transmit writes what the kernel takes, likewise.
func transmit(fd int, b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0) // #nosec G103 -- as above
		if errno == 0 {
			return int(n), nil // #nosec G115 -- at most len(b)
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}
