package process

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// abi is one system call convention that programs on this machine may use.
type abi struct {
	arch       uint32   // AUDIT_ARCH_*
	connect    []uint32 // the numbers of connect(2)
	socketcall uint32   // the number of socketcall(2), 0 where there is none
}

// socketcallConnect is SYS_CONNECT of linux/net.h, the first argument of
// socketcall(2).
const socketcallConnect = 3

// Offsets in struct seccomp_data; the machines of abis are little-endian, so
// the low half of an argument comes first.
const (
	dataNr   = 0
	dataArch = 4
	dataArg0 = 16
)

// notification and response are struct seccomp_notif and seccomp_notif_resp.
type notification struct {
	id    uint64
	pid   uint32 // of the thread, in our pid namespace
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// connectFilter is the BPF program: connect(2) of every ABI asks us, all else
// is allowed. The kernel remembers what is always allowed, so other calls cost
// next to nothing.
func connectFilter() []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// unless skips the next n instructions if the loaded word is not k.
	unless := func(k uint32, n uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: n}
	}
	ret := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	prog := []unix.SockFilter{load(dataArch)}
	for _, a := range abis {
		block := []unix.SockFilter{load(dataNr)}
		for _, nr := range a.connect {
			block = append(block, unless(nr, 1), ret(unix.SECCOMP_RET_USER_NOTIF))
		}
		if a.socketcall != 0 {
			block = append(block, unless(a.socketcall, 3), load(dataArg0),
				unless(socketcallConnect, 1), ret(unix.SECCOMP_RET_USER_NOTIF))
		}
		block = append(block, ret(unix.SECCOMP_RET_ALLOW))
		prog = append(prog, unless(a.arch, uint8(len(block)))) // #nosec G115 -- a handful
		prog = append(prog, block...)
	}
	return append(prog, ret(unix.SECCOMP_RET_ALLOW))
}

// installFilter puts the filter on the calling thread, which must be locked
// and must end afterwards, and returns the descriptor that listens.
func installFilter() (int, error) {
	if len(abis) == 0 {
		return -1, errors.New("this machine's architecture is not supported (amd64 and arm64 are)")
	}
	prog := connectFilter()
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]} // #nosec G115 -- a handful
	fd, errno := seccompFilter(&fprog)
	if errno == unix.EACCES {
		// Without CAP_SYS_ADMIN the kernel wants the promise that the service
		// gains no privileges. With it we leave setuid programs working.
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return -1, fmt.Errorf("set no_new_privs: %w", err)
		}
		fd, errno = seccompFilter(&fprog)
	}
	switch errno {
	case 0:
		return fd, nil
	case unix.EBUSY:
		return -1, fmt.Errorf("install the seccomp filter: another tool listens to this process already, and there can be only one: %w", errno)
	case unix.EINVAL, unix.ENOSYS:
		return -1, fmt.Errorf("install the seccomp filter: the kernel has no user notification (Linux 5.5 or later is needed): %w", errno)
	case unix.EPERM, unix.EACCES:
		return -1, fmt.Errorf("install the seccomp filter: forbidden here, probably by a sandbox or container profile: %w", errno)
	}
	return -1, fmt.Errorf("install the seccomp filter: %w", errno)
}

// plainFilters is set once the kernel has refused the flags it does not know.
var plainFilters atomic.Bool

// seccompFilter installs a filter, never with TSYNC: it must stay on this
// thread. WAIT_KILLABLE_RECV (Linux 5.19): signals don't interrupt a call that
// waits for us. SPEC_ALLOW (4.17): the service is not slowed down by
// mitigations that a sandbox needs.
func seccompFilter(prog *unix.SockFprog) (int, unix.Errno) {
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	if !plainFilters.Load() {
		flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(prog))) // #nosec G103 -- the call takes a pointer
	if errno == unix.EINVAL && plainFilters.CompareAndSwap(false, true) {
		return seccompFilter(prog)
	}
	return int(fd), errno
}

// receive takes one notification. The kernel insists on a zeroed buffer.
func receive(fd int) (notification, error) {
	var n notification
	err := notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)) // #nosec G103 -- as above
	return n, err
}

// stillThere reports that the caller still waits, and therefore that its pid
// is still its own.
func stillThere(fd int, id uint64) bool {
	return notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == nil // #nosec G103 -- as above
}

func respond(fd int, r response) error {
	return notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // #nosec G103 -- as above
}

func notifyIoctl(fd int, request uintptr, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
