package process

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// openSockets finds the TCP sockets among the inodes.
func openSockets(pid int, inodes map[uint64]bool) (map[uint64]Socket, error) {
	if len(inodes) == 0 {
		return map[uint64]Socket{}, nil
	}
	if sameNetwork(pid) {
		if found, err := askedSockets(inodes); err == nil {
			return found, nil
		}
	}
	return listedSockets(pid, inodes)
}

// sameNetwork says whether a process is in the network namespace of this one.
func sameNetwork(pid int) bool {
	its, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	own, err2 := os.Readlink("/proc/self/ns/net")
	return err == nil && err2 == nil && its == own
}

// Of sock_diag(7) and linux/inet_diag.h.
const (
	sockDiagByFamily = 20
	// openStates are all but TIME_WAIT: of those there may be tens of thousands, and nobody has them open.
	openStates = 0xfff &^ (1 << 6)
	// requestSize and replySize are those of struct inet_diag_req_v2 and inet_diag_msg.
	requestSize, replySize = 56, 72
)

// askedSockets is openSockets by sock_diag(7). It fails where the kernel was built without.
func askedSockets(inodes map[uint64]bool) (map[uint64]Socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(fd) }()
	found := map[uint64]Socket{}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, unix.SizeofNlMsghdr+requestSize)
		binary.NativeEndian.PutUint32(request, uint32(len(request))) // #nosec G115 -- 72
		binary.NativeEndian.PutUint16(request[4:], sockDiagByFamily)
		binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
		request[16], request[17] = family, unix.IPPROTO_TCP
		binary.NativeEndian.PutUint32(request[20:], openStates)
		if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return nil, os.NewSyscallError("sendto", err)
		}
		if err := answered(fd, func(reply []byte) {
			if s, inode := parseReply(reply); inodes[inode] {
				found[inode] = s
			}
		}); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// answered calls do with each part of an answer.
func answered(fd int, do func(reply []byte)) error {
	buf := make([]byte, 64<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == unix.NLMSG_DONE:
				return nil
			case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
				return fmt.Errorf("ask for the sockets: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))) // #nosec G115 -- an errno, negative
			case m.Header.Type != sockDiagByFamily || len(m.Data) < replySize:
				return fmt.Errorf("ask for the sockets: an unexpected answer of type %d, %d bytes", m.Header.Type, len(m.Data))
			}
			do(m.Data)
		}
	}
}

// parseReply reads a struct inet_diag_msg: family, state, two bytes of timers; ports and addresses in the order of the network; the inode last.
func parseReply(b []byte) (Socket, uint64) {
	size := 4
	if b[0] == unix.AF_INET6 {
		size = 16
	}
	address := func(at, port int) netip.AddrPort {
		addr, _ := netip.AddrFromSlice(b[at : at+size])
		return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(b[port:]))
	}
	s := Socket{Local: address(8, 4), Remote: address(24, 6), State: strconv.Itoa(int(b[1]))}
	if int(b[1]) < len(tcpStates) {
		s.State = tcpStates[b[1]]
	}
	return s, uint64(binary.NativeEndian.Uint32(b[68:]))
}

// listedSockets is openSockets by /proc/PID/net, which prints every socket of the machine, those too that only wait to be forgotten.
func listedSockets(pid int, inodes map[uint64]bool) (map[uint64]Socket, error) {
	found := map[uint64]Socket{}
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/net/" + table) // #nosec G304 -- /proc
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6 here
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if s, inode, ok := parseSocket(lines.Text()); ok && inodes[inode] {
				found[inode] = s
			}
		}
		err = errors.Join(lines.Err(), f.Close())
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// tcpStates are the states of include/net/tcp_states.h, in their order.
var tcpStates = []string{
	"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT",
	"CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV",
}

// parseSocket reads one line of /proc/net/tcp or tcp6.
func parseSocket(line string) (s Socket, inode uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return s, 0, false
	}
	local, ok1 := parseHexAddr(f[1])
	remote, ok2 := parseHexAddr(f[2])
	state, err1 := strconv.ParseUint(f[3], 16, 8)
	inode, err2 := strconv.ParseUint(f[9], 10, 64)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return s, 0, false
	}
	s = Socket{Local: local, Remote: remote, State: f[3]}
	if int(state) < len(tcpStates) {
		s.State = tcpStates[state]
	}
	return s, inode, true
}

// parseHexAddr reads "0100007F:1F90": the address is printed as words in the
// byte order of the machine.
func parseHexAddr(text string) (netip.AddrPort, bool) {
	a, p, ok := strings.Cut(text, ":")
	port, err := strconv.ParseUint(p, 16, 16)
	b, err2 := hex.DecodeString(a)
	if !ok || err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		word := binary.BigEndian.Uint32(b[i:])
		if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			word = bits.ReverseBytes32(word)
		}
		binary.BigEndian.PutUint32(b[i:], word)
	}
	addr, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), ok
}
