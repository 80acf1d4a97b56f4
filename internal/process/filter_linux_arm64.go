package process

import "golang.org/x/sys/unix"

var abis = []abi{
	{arch: unix.AUDIT_ARCH_AARCH64, connect: []uint32{unix.SYS_CONNECT}},
	// 32-bit EABI programs.
	{arch: unix.AUDIT_ARCH_ARM, connect: []uint32{283}},
}
