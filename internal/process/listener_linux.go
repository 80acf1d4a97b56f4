package process

import (
	"bufio"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// HolderOf finds in /proc who has a TCP port of this machine that keeps others from listening on address; false where /proc does not tell:
// another user's process, another network namespace.
func HolderOf(address netip.AddrPort) (Holder, bool) {
	inodes := map[uint64]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		listening(table, address, inodes)
	}
	delete(inodes, 0) // nobody's any more
	pids, err := numericNames("/proc")
	if err != nil || len(inodes) == 0 {
		return Holder{}, false
	}
	slices.Sort(pids) // a parent before its children, which share its socket
	for _, pid := range pids {
		has := false
		_ = eachDescriptor(pid, func(link string) { // another user's can't be read
			inode, ok := socketInode(link)
			has = has || ok && inodes[inode]
		})
		if has {
			return Holder{PID: pid, Program: program(pid)}, true
		}
	}
	return Holder{}, false
}

// listening adds the sockets that listen where a connect to address would lead.
func listening(table string, address netip.AddrPort, inodes map[uint64]bool) {
	f, err := os.Open("/proc/self/net/" + table) // #nosec G304 -- /proc
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		s, inode, ok := parseSocket(lines.Text())
		if !ok || s.State != "LISTEN" || s.Local.Port() != address.Port() {
			continue
		}
		if own := s.Local.Addr(); own == address.Addr().Unmap() || own.IsUnspecified() || address.Addr().IsUnspecified() {
			inodes[inode] = true
		}
	}
}

// program is the file name of a process's program.
func program(pid int) string {
	if path, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); err == nil {
		return strings.Map(printable, filepath.Base(strings.TrimSuffix(path, " (deleted)")))
	}
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm") // #nosec G304 -- /proc
	return strings.Map(printable, string(name))
}

// printable drops what would steer a terminal: programs choose their names.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}
