package process

import "golang.org/x/sys/unix"

// x32 programs use the numbers of amd64 with this bit.
const x32Bit = 0x40000000

var abis = []abi{
	{arch: unix.AUDIT_ARCH_X86_64, connect: []uint32{unix.SYS_CONNECT, unix.SYS_CONNECT | x32Bit}},
	// 32-bit programs: connect(2) since Linux 4.3, socketcall(2) always.
	{arch: unix.AUDIT_ARCH_I386, connect: []uint32{362}, socketcall: 102},
}
