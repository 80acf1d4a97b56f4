package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Sizes in bytes. The kernel takes an IPv6 address without its scope, too.
const (
	longestSockaddr = 128
	sockaddrIn      = 16
	shortIn6        = 24
	sockaddrIn6     = 28
)

// sockaddr is a socket address as it lies in memory.
type sockaddr []byte

func (s sockaddr) family() uint16 {
	if len(s) < 2 {
		return unix.AF_UNSPEC
	}
	return binary.NativeEndian.Uint16(s)
}

// target reads an IPv4 or IPv6 address; ok is false for all others.
func (s sockaddr) target() (netip.AddrPort, bool) {
	switch {
	case s.family() == unix.AF_INET && len(s) >= sockaddrIn:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s[4:8])), binary.BigEndian.Uint16(s[2:])), true
	case s.family() == unix.AF_INET6 && len(s) >= shortIn6:
		addr := netip.AddrFrom16([16]byte(s[8:24])).Unmap()
		if addr.IsLinkLocalUnicast() && len(s) >= sockaddrIn6 {
			if scope := binary.NativeEndian.Uint32(s[24:]); scope != 0 {
				addr = addr.WithZone(strconv.FormatUint(uint64(scope), 10))
			}
		}
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(s[2:])), true
	}
	return netip.AddrPort{}, false
}

// pureV6 reports an IPv6 address that stands for no IPv4 address.
func (s sockaddr) pureV6() bool {
	target, ok := s.target()
	return ok && s.family() == unix.AF_INET6 && target.Addr().Is6()
}

// with returns the same sockaddr for another target.
func (s sockaddr) with(to netip.AddrPort) (sockaddr, error) {
	out := append(sockaddr(nil), s...)
	binary.BigEndian.PutUint16(out[2:], to.Port())
	addr := to.Addr().Unmap()
	if s.family() == unix.AF_INET {
		if !addr.Is4() {
			return nil, errors.New("an IPv4 socket can't connect to an IPv6 address; listen on IPv4")
		}
		b := addr.As4()
		copy(out[4:8], b[:])
		return out, nil
	}
	b := addr.As16() // the v4-mapped form of an IPv4 address
	copy(out[8:24], b[:])
	clear(out[4:8]) // flow label
	clear(out[24:]) // scope
	return out, nil
}

// readSockaddr reads what the caller points to. Lengths that no address has
// come back empty: the kernel will refuse them.
func readSockaddr(tid int, pointer uintptr, length int) (sockaddr, error) {
	if length < 2 || length > longestSockaddr {
		return nil, nil
	}
	s := make(sockaddr, length)
	if err := readMemory(tid, pointer, s); err != nil {
		return nil, err
	}
	return s, nil
}

func readMemory(tid int, pointer uintptr, b []byte) error {
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMReadv(tid, local, []unix.RemoteIovec{{Base: pointer, Len: len(b)}}, 0)
	if errors.Is(err, unix.EFAULT) {
		clear(b) // a bad pointer: the kernel will tell the caller the same
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the memory of process %d: %w", tid, err)
	}
	if n != len(b) {
		clear(b)
	}
	return nil
}

func writeMemory(tid int, pointer uintptr, b []byte) error {
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMWritev(tid, local, []unix.RemoteIovec{{Base: pointer, Len: len(b)}}, 0)
	if err == nil && n == len(b) {
		return nil
	}
	if err != nil && !errors.Is(err, unix.EFAULT) {
		return fmt.Errorf("write the memory of process %d: %w", tid, err)
	}
	// A constant in read-only memory: /proc/PID/mem gives the process a page
	// of its own to write on.
	f, err := os.OpenFile("/proc/"+strconv.Itoa(tid)+"/mem", os.O_WRONLY, 0) // #nosec G304 -- /proc
	if err != nil {
		return fmt.Errorf("write the memory of process %d: %w", tid, err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt(b, int64(pointer)); err != nil { // #nosec G115 -- a user space address
		return fmt.Errorf("write the memory of process %d: %w", tid, err)
	}
	return nil
}
